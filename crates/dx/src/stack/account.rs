//! Who PostgreSQL runs as. It refuses root, so root lends it an ordinary account: `postgres` where there is one, else `nobody`.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// An ordinary account of this machine.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account to lend, or `None` for an ordinary user, who is one already.
    ///
    /// # Errors
    /// Root on a machine with neither account.
    pub(super) fn to_lend() -> anyhow::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id("-u", name), id("-g", name)) {
                return Ok(Some(Self {
                    name: name.to_owned(),
                    uid,
                    gid,
                }));
            }
        }
        bail!(
            "PostgreSQL refuses to run as root and there is no user `postgres` or `nobody` to run it as; create one"
        )
    }

    /// Makes the command run as this account.
    pub(super) fn lend(&self, command: &mut Command) {
        // The standard library drops root's supplementary groups with it.
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether this account can enter a folder, all folders above it included.
    pub(super) fn enters(&self, folder: &Path) -> bool {
        let mut command = Command::new("test");
        self.lend(
            command
                .arg("-x")
                .arg(folder)
                .current_dir("/")
                .stderr(Stdio::null()),
        );
        command.status().is_ok_and(|status| status.success())
    }

    /// Gives the folder to this account.
    ///
    /// # Errors
    /// The file system refuses.
    pub(super) fn own(&self, folder: &Path) -> anyhow::Result<()> {
        std::os::unix::fs::chown(folder, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to {}", folder.display(), self.name))
    }
}

fn id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id")
        .args([flag, name])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().parse().ok().filter(|id| *id != 0)
}
