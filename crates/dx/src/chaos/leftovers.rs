//! What an attack that was killed has left behind: its servers, and a disk that is made of memory.
//!
//! A run takes its own stack down however it ends, but for SIGKILL; the next run of the same seed finds it then, and a run of another
//! seed looks here. Only a stack with an attack's disk that nobody holds the lock of is touched: one that a person has brought up
//! to look at it has no such disk.

use std::fs::File;

use anyhow::Context;

use super::{PREFIX, servers, take_down};
use crate::console::remark;
use crate::stack::{self, Lock, Profile};

/// Takes down what killed attacks have left.
///
/// # Errors
/// The folder of stacks can't be read, or a disk stays mounted.
pub(super) async fn sweep(own: &Profile) -> anyhow::Result<()> {
    let folder = own.root.join(".game-history");
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    for name in names.filter(|name| name.starts_with(PREFIX) && *name != own.name) {
        let Ok(profile) = Profile::load(&name, &stack::Servers::default()) else {
            continue;
        };
        if is_held(&profile) || !servers::is_mounted(&profile)? {
            continue;
        }
        remark(format_args!(
            "an attack on profile `{name}` was killed: taking down what it left"
        ));
        let lock = Lock::take(&profile).await?;
        take_down(&profile, false, &lock).await?;
    }
    Ok(())
}

/// Whether a run holds the stack's lock.
fn is_held(profile: &Profile) -> bool {
    let lock = profile.logs_dir().with_file_name("lock");
    File::open(lock).is_ok_and(|file| file.try_lock().is_err())
}
