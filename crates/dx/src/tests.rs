//! `cargo dx test`: every test, against a stack that is made for the run and taken down after it, however the run ends.
//!
//! One run at a time per profile: the stack is wiped first, so a second run waits for the first. The tests run in a process group of
//! their own, so that an interrupted run ends them before it takes their servers away.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::console::Step;
use crate::stack::{self, Lock, Process, Profile, Signal, State};

/// The name under which the tests themselves are noted among the parts of the stack.
const NAME: &str = "tests";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the tests that need no servers
    #[arg(long)]
    quick: bool,
    /// Leave the servers running for a look
    #[arg(long, conflicts_with = "quick")]
    keep: bool,
    /// Arguments for `cargo test`, such as `-p store` or a test's name
    #[arg(last = true)]
    args: Vec<String>,
}

/// Builds and runs the tests.
///
/// # Errors
/// Something does not build, the stack does not come up, a test fails, or the run is interrupted.
pub(crate) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    // The archive's tests want both kinds of store.
    let profile = &profile.with_s3();
    let mut command = cargo_test(profile, args);
    if args.quick {
        command.args(["--lib", "--bins"]).args(&args.args);
        // For the one that runs others a second time, over a server.
        command.env("GAME_HISTORY_TEST_QUICK", "1");
        return uninterrupted(to_its_end(command, "tests failed", |_| Ok(()))).await;
    }
    // Built before the servers start, so that a mistake shows early and they do not idle.
    command.arg("--no-run").args(split(&args.args).0);
    uninterrupted(to_its_end(command, "the tests do not build", |_| Ok(()))).await?;

    let _run = uninterrupted(Lock::take_named(profile, "test-run.lock")).await?;
    let outcome = uninterrupted(with_stack(profile, args)).await;
    if !args.keep {
        let lock = Lock::take(profile).await?;
        // After a failure the servers' logs are worth keeping; the next run deletes them.
        stack::stop(profile, outcome.is_ok(), &lock).await?;
    }
    outcome
}

/// The work's outcome, or an error as soon as this process is asked to end.
async fn uninterrupted<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

/// Starts the servers afresh and runs the tests against them.
async fn with_stack(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let lock = Lock::take(profile).await?;
    stack::stop(profile, true, &lock).await?;
    let python = stack::readers(profile).await?;
    stack::servers(profile, &lock).await?;
    let endpoints = profile.endpoints()?;
    let mut command = cargo_test(profile, args);
    command.args(&args.args);
    command.env("GAME_HISTORY_TEST_KAFKA", &endpoints.kafka);
    command.env("GAME_HISTORY_TEST_POSTGRES", profile.admin_postgres()?);
    command.env("GAME_HISTORY_TEST_PYTHON", python);
    if let Some(s3) = &endpoints.archive.s3 {
        command.env("GAME_HISTORY_TEST_S3", s3.url_with_keys());
    }
    // Recorded games lie beside the checkout where there are any.
    if let Ok(games) = profile.root.join("../shared/data/chess").canonicalize()
        && std::env::var_os("GAME_HISTORY_TEST_DATA").is_none()
    {
        command.env("GAME_HISTORY_TEST_DATA", games);
    }
    profile.mark(&mut command);
    to_its_end(command, "tests failed", move |process| {
        State::load(profile)?.note(profile, NAME, process, 0)?;
        drop(lock);
        Ok(())
    })
    .await
}

/// Runs cargo in a process group of its own and waits for it; the whole group ends with this future.
async fn to_its_end(
    mut command: Command,
    failure: &str,
    started: impl FnOnce(Process) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    command.process_group(0).stdin(Stdio::null());
    let mut child = tokio::process::Command::from(command)
        .spawn()
        .context("cannot start cargo")?;
    let process = child
        .id()
        .and_then(Process::of)
        .context("cargo ended at once")?;
    let _group = Group(process.clone());
    started(process)?;
    succeed(child.wait().await?, failure)
}

/// Ends a process group when dropped.
struct Group(Process);

impl Drop for Group {
    fn drop(&mut self) {
        if self.0.is_alive() {
            let step = Step::start(NAME, "stopping");
            self.0.signal_group(Signal::TERM);
            // Tests hold nothing that matters; their servers are wiped next.
            std::thread::sleep(Duration::from_millis(300));
            self.0.signal_group(Signal::KILL);
            drop(step);
        }
    }
}

/// `cargo test` over the whole workspace, unless the arguments choose packages themselves.
fn cargo_test(profile: &Profile, args: &Args) -> Command {
    let mut command = stack::cargo(&profile.root);
    // Every failure of a run, not only those of the first binary that has one.
    command.args(["test", "--no-fail-fast"]);
    let (cargo_args, _) = split(&args.args);
    if !cargo_args
        .iter()
        .any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
    {
        command.arg("--workspace");
    }
    command
}

/// What is meant for cargo, and what after a further `--` for the tests.
fn split(args: &[String]) -> (&[String], &[String]) {
    match args.iter().position(|arg| arg == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &[]),
    }
}

fn succeed(status: ExitStatus, failure: &str) -> anyhow::Result<()> {
    if status.success() {
        return Ok(());
    }
    if let Some(signal) = status.signal() {
        bail!("{failure}: ended by signal {signal}");
    }
    bail!("{failure}")
}
