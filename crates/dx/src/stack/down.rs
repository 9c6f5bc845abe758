//! `cargo dx down`: ends everything the profile runs, noted down or not, and forgets its data when told to.

use std::time::Duration;

use anyhow::Context;

use super::kafka;
use super::postgres;
use super::process::{Process, Signal};
use super::profile::Profile;
use super::state::{self, Lock, State};
use super::sweep;
use crate::console::{self, Step};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Delete the profile's data and logs as well
    #[arg(long)]
    wipe: bool,
}

/// Takes the stack down.
///
/// # Errors
/// A process cannot be ended or a folder not be deleted.
pub(crate) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let lock = Lock::take(profile).await?;
    let ended = stop(profile, args.wipe, &lock).await?;
    let what = if ended == 0 {
        "was down already".to_owned()
    } else {
        format!("is down, {ended} processes ended")
    };
    let data = if args.wipe {
        "; its data is deleted"
    } else {
        ""
    };
    console::say(format_args!("profile {} {what}{data}", profile.name));
    Ok(())
}

/// Ends every process of the stack, services before servers, and says how many there were.
///
/// # Errors
/// As [`run`].
pub(crate) async fn stop(profile: &Profile, wipe: bool, _lock: &Lock) -> anyhow::Result<usize> {
    let mut state = State::load(profile)?;
    let servers = super::SERVERS;
    let mut names: Vec<String> = state
        .parts
        .keys()
        .filter(|name| !servers.contains(&name.as_str()))
        .cloned()
        .collect();
    names.extend(servers.map(str::to_owned));
    let mut ended = 0;
    for name in names {
        if let Some(part) = state.running(&name) {
            end(&name, &part.process).await?;
            ended += 1;
        }
        state.parts.remove(&name);
        state.save(profile)?;
    }
    let data = postgres::data_folders(profile, &state);
    for stray in sweep::find(&profile.dir, &data, &[]) {
        // One that went with its parent in the meantime is not counted.
        if stray.is_alive() {
            end_stray(&stray).await?;
            ended += 1;
        }
    }
    if wipe {
        delete(profile)?;
    }
    Ok(ended)
}

/// Ends a process that nobody noted down.
///
/// # Errors
/// It cannot be ended.
pub(super) async fn end_stray(stray: &Process) -> anyhow::Result<()> {
    // SIGINT is a fast shutdown to PostgreSQL and an end to everything else.
    stray
        .end(Signal::INT, Duration::from_secs(10))
        .await
        .context("a process that was left behind")?;
    Ok(())
}

async fn end(name: &str, process: &Process) -> anyhow::Result<()> {
    let step = Step::start(name, "stopping");
    let (signal, patience) = match name {
        // Sessions are ended rather than waited for.
        postgres::NAME => (Signal::INT, Duration::from_secs(30)),
        kafka::NAME => (Signal::TERM, Duration::from_secs(20)),
        // A service finishes what it has in hand.
        _ => (Signal::TERM, Duration::from_secs(40)),
    };
    let gently = process
        .end(signal, patience)
        .await
        .with_context(|| format!("{name} cannot be stopped"))?;
    step.done(if gently {
        "stopped"
    } else {
        "killed: it did not stop in time"
    });
    Ok(())
}

/// Deletes what this program made in the profile's folder, and nothing else that may lie there.
fn delete(profile: &Profile) -> anyhow::Result<()> {
    let mut folders = vec![postgres::outside(profile)];
    folders.extend(super::SERVERS.map(|name| profile.dir.join(name)));
    folders.extend(["logs", "files"].map(|name| profile.dir.join(name)));
    folders.push(profile.archive_dir());
    for folder in folders {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot delete {}", folder.display()));
            }
            _ => {}
        }
    }
    match std::fs::remove_file(state::path(profile)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("cannot delete the stack's state")
        }
        _ => Ok(()),
    }
}
