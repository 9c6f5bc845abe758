//! Processes of a stack: started detached, known by pid and birth, ended gently and then surely.
//!
//! A pid alone proves nothing after a crash or a restart of the machine, so a process is told by its pid together with the boot and
//! the moment it was born in; nothing else is ever signalled. A zombie counts as dead.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
pub(crate) use rustix::process::Signal;
use serde::{Deserialize, Serialize};

/// The variable every process of a stack carries; its value is the profile's folder.
pub(crate) const MARK: &str = "GAME_HISTORY_STACK";

/// A process that cannot be confused with a later one of the same pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Boot and start time, as the system tells them.
    birth: String,
}

impl Process {
    /// The living process of this pid.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        birth(pid).map(|birth| Self { pid, birth })
    }

    /// This very process, as it goes on after an exec.
    pub(super) fn current() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now == *self)
    }

    /// Sends a signal if it is still this process.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw)
        {
            // It may have ended since; then there is nothing left to do.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Sends a signal to the group it leads, if it is still this process.
    pub(crate) fn signal_group(&self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    /// Asks it to end, waits, and kills it when `patience` is over. True if it ended by itself.
    ///
    /// # Errors
    /// It outlived even SIGKILL: it belongs to another user or hangs in the kernel.
    pub(crate) async fn end(&self, gentle: Signal, patience: Duration) -> anyhow::Result<bool> {
        self.signal(gentle);
        if self.gone_within(patience).await {
            return Ok(true);
        }
        self.signal(Signal::KILL);
        if self.gone_within(Duration::from_secs(5)).await {
            return Ok(false);
        }
        bail!(
            "process {} does not end: another user's, or stuck in the kernel",
            self.pid
        )
    }

    async fn gone_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        true
    }
}

/// When the living process was born, in the system's own words; `None` for a dead one or a zombie.
#[cfg(target_os = "linux")]
fn birth(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything; the state is the first field after it, the start time the 20th.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    (state != "Z" && state != "X").then(|| format!("{}/{started}", boot.trim()))
}

/// When the living process was born, in the system's own words; `None` for a dead one or a zombie.
#[cfg(not(target_os = "linux"))]
fn birth(pid: u32) -> Option<String> {
    let output = Command::new("ps")
        .args(["-o", "stat=,lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (state, started) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

/// Marks a command as part of the stack that lives in `folder`, so that `down` finds what becomes of it.
pub(super) fn mark<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command.env(MARK, folder)
}

/// A command for `program` in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it.
pub(crate) fn detached(program: impl AsRef<OsStr>) -> Command {
    if on_path("setsid") {
        let mut command = Command::new("setsid");
        command.arg(program);
        command
    } else {
        let mut command = Command::new(program);
        command.process_group(0);
        command
    }
}

/// Starts a detached command with its output going to `log`, which is begun anew.
///
/// # Errors
/// The log cannot be written or the program cannot be started.
pub(super) fn start(mut command: Command, folder: &Path, log: &Path) -> anyhow::Result<Process> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let errors = file.try_clone()?;
    mark(&mut command, folder)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors);
    let program = command.get_program().to_owned();
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Process::of(child.id())
        .with_context(|| format!("{} ended at once; see {}", program.display(), log.display()))
}

/// Whether a program of this name is on the PATH.
pub(crate) fn on_path(program: &str) -> bool {
    find_on_path(program).is_some()
}

/// The first file of this name on the PATH.
pub(super) fn find_on_path(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{Process, Signal};

    #[tokio::test]
    async fn a_process_is_ended_and_its_zombie_counts_as_dead() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.is_alive());
        assert!(
            process
                .end(Signal::TERM, Duration::from_secs(5))
                .await
                .unwrap()
        );
        assert!(!process.is_alive());
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_deaf_process_is_killed_when_patience_is_over() {
        let mut child = Command::new("sh")
            .args(["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"])
            .spawn()
            .unwrap();
        let process = Process::of(child.id()).unwrap();
        // Long enough for the trap to be set.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(
            !process
                .end(Signal::TERM, Duration::from_millis(200))
                .await
                .unwrap()
        );
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_recycled_pid_is_left_alone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let mut process = Process::of(child.id()).unwrap();
        "an earlier boot".clone_into(&mut process.birth);
        assert!(
            process
                .end(Signal::KILL, Duration::from_millis(100))
                .await
                .unwrap()
        );
        assert!(
            child.try_wait().unwrap().is_none(),
            "the innocent process was killed"
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
