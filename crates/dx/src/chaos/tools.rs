//! The commands the attack is accompanied by: the simulator before, the judge after, each a `cargo dx` of its own.
//!
//! They run in process groups of their own, so that a Ctrl-C reaches the attacker alone, and end with their handle.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::stack::{Process, Profile, Signal, State};

/// Faults at the rates of a bad day.
const FAULTS: [(&str, &str); 6] = [
    ("--duplicates", "0.02"),
    ("--poison", "0.001"),
    ("--conflicts", "0.001"),
    ("--late", "0.005"),
    ("--gaps", "0.005"),
    ("--reorder", "0.01"),
];
/// The simulator's last records wait for a broker that may have just been killed.
const FLUSH_PATIENCE: Duration = Duration::from_secs(150);
/// Games are played in haste, so that many end while the attack goes on: so many events a second each, which is so many times
/// faster than people play.
const EVENTS_A_SECOND_A_GAME: u64 = 4;
const HASTE: u32 = 20;
const LAST_GAMES: Duration = Duration::from_secs(3_600);
const NAME: &str = "simulate";

/// A simulation under way.
pub(super) struct Simulation<'a> {
    profile: &'a Profile,
    child: Child,
    process: Process,
}

fn command(profile: &Profile, words: &[&str]) -> anyhow::Result<Command> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command
        .args(["--profile", &profile.name])
        .args(words)
        .current_dir(&profile.root)
        .stdin(Stdio::null());
    for name in ["DX_KAFKA", "DX_POSTGRES", "DX_TOPIC", "DX_API"] {
        command.env_remove(name);
    }
    profile.mark(&mut command);
    let mut command = Command::from(command);
    command.process_group(0).kill_on_drop(true);
    Ok(command)
}

impl<'a> Simulation<'a> {
    /// Begins to publish at `rate` events a second, until it is told to end.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn begin(
        profile: &'a Profile,
        seed: u64,
        rate: u64,
        length: Duration,
    ) -> anyhow::Result<Self> {
        let live = (rate / EVENTS_A_SECOND_A_GAME).max(100).to_string();
        let span = chrono::Duration::from_std(length * HASTE + LAST_GAMES)?;
        let start_at = (chrono::Utc::now() - span).to_rfc3339();
        let (seed, rate) = (seed.to_string(), rate.to_string());
        let mut words = vec!["simulate", "--seed", &seed, "--rate", &rate];
        words.extend([
            "--seconds",
            "86400",
            "--live",
            &live,
            "--start-at",
            &start_at,
        ]);
        words.extend(FAULTS.iter().flat_map(|(name, share)| [*name, *share]));
        let log = std::fs::File::create(profile.logs_dir().join("simulate.log"))?;
        let child = command(profile, &words)?
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the simulator cannot be started")?;
        let process = child
            .id()
            .and_then(Process::of)
            .context("the simulator ended at once")?;
        State::load(profile)?.note(profile, NAME, process.clone(), 0)?;
        Ok(Self {
            profile,
            child,
            process,
        })
    }

    /// Lets it finish what it has in hand.
    ///
    /// # Errors
    /// It failed, or does not end: something it sent may not be in the log.
    pub(super) async fn end(mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::INT);
        let log = self.profile.logs_dir().join("simulate.log");
        let told = || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            text.lines().last().unwrap_or_default().to_owned()
        };
        match tokio::time::timeout(FLUSH_PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => bail!("the simulator failed, {status}: {}", told()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => bail!("the simulator does not end: {}", told()),
        }
    }
}

/// What the judge said.
#[derive(Debug)]
pub(super) struct Verdict {
    /// What it compared.
    pub(super) compared: Value,
    /// The first differences, in words.
    pub(super) differences: Vec<String>,
}

/// Runs `verify`, which waits until the ingestors have read everything.
///
/// # Errors
/// The judge can't be run or says nothing.
pub(super) async fn verify(profile: &Profile, patience: Duration) -> anyhow::Result<Verdict> {
    let file = profile.logs_dir().join("verify.json");
    let path = file.to_str().context("the profile's path is not UTF-8")?;
    let wait = patience.as_secs().to_string();
    let output = command(profile, &["verify", "--wait", &wait, "--json", path])?
        .output()
        .await
        .context("the judge cannot be started")?;
    let report: Value = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_none) => bail!(
            "the judge says nothing: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    };
    let told = String::from_utf8_lossy(&output.stdout);
    let differences = if output.status.success() {
        Vec::new()
    } else {
        let shown = told
            .lines()
            .filter(|line| line.contains(": ") || line.contains("differen"));
        shown.map(|line| format!("verify: {line}")).collect()
    };
    Ok(Verdict {
        compared: report["compared"].clone(),
        differences,
    })
}
