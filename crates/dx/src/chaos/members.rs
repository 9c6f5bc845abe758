//! The ingestors under attack: started, killed, stopped and continued, told to leave.
//!
//! Each has a name that is never used again, so that its log holds its own life only. They reach PostgreSQL through the proxy and
//! are noted in the stack's state, so that `down` ends them whatever happens to the attacker.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::stack::{self, Process, Profile, Signal, State};

/// How long a member may be silent before the broker gives its partitions to others.
pub(super) const SESSION_TIMEOUT_MS: u64 = 6_000;

#[derive(Debug)]
struct Member {
    name: String,
    process: Process,
    frozen_until: Option<Instant>,
}

/// The group of ingestors.
pub(super) struct Members<'a> {
    profile: &'a Profile,
    program: PathBuf,
    /// A URL of the history that leads through the proxy.
    database: String,
    living: Vec<Member>,
    started: usize,
}

impl<'a> Members<'a> {
    pub(super) fn new(profile: &'a Profile, program: PathBuf, database: String) -> Self {
        Self {
            profile,
            program,
            database,
            living: Vec::new(),
            started: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.living.len()
    }

    /// Starts one more and says its name.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn add(&mut self) -> anyhow::Result<String> {
        let endpoints = self.profile.endpoints()?;
        self.started += 1;
        let name = format!("ingestor-{}", self.started);
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = stack::detached(&self.program);
        command
            .arg("run")
            .env("INGESTOR__KAFKA__BROKERS", &endpoints.kafka)
            .env("INGESTOR__KAFKA__TOPIC", &endpoints.topic)
            .env(
                "INGESTOR__KAFKA__SESSION_TIMEOUT_MS",
                SESSION_TIMEOUT_MS.to_string(),
            )
            .env("INGESTOR__DATABASE__URL", &self.database)
            .env("INGESTOR__HEALTH__LISTEN", format!("127.0.0.1:{port}"))
            .env("INGESTOR__TELEMETRY__LOG_FORMAT", "json")
            .env("INGESTOR__TELEMETRY__LOG_FILTER", "info")
            .env_remove("RUST_LOG");
        let log = self.profile.logs_dir().join(format!("{name}.log"));
        let process = self.profile.start(command, &log)?;
        State::load(self.profile)?.note(self.profile, &name, process.clone(), port)?;
        self.living.push(Member {
            name: name.clone(),
            process,
            frozen_until: None,
        });
        Ok(name)
    }

    /// Kills one as a power cut would and says its name.
    pub(super) fn kill(&mut self, pick: u32) -> Option<String> {
        self.take(pick, Signal::KILL)
    }

    /// Tells one to leave and says its name.
    pub(super) fn remove(&mut self, pick: u32) -> Option<String> {
        self.take(pick, Signal::TERM)
    }

    fn take(&mut self, pick: u32, signal: Signal) -> Option<String> {
        let at = self.chosen(pick)?;
        let member = self.living.remove(at);
        member.process.signal(signal);
        if member.frozen_until.is_some() {
            member.process.signal(Signal::CONT);
        }
        Some(member.name)
    }

    /// Stops one for so long and says its name.
    pub(super) fn freeze(&mut self, pick: u32, time: Duration) -> Option<String> {
        let at = self.chosen(pick)?;
        let member = &mut self.living[at];
        member.process.signal(Signal::STOP);
        member.frozen_until = Some(Instant::now() + time);
        Some(member.name.clone())
    }

    /// Continues those whose time has come, and says their names.
    pub(super) fn thaw(&mut self, now: Instant) -> Vec<String> {
        let due = self
            .living
            .iter_mut()
            .filter(|member| member.frozen_until.is_some_and(|until| until <= now));
        let thawed = due.map(|member| {
            member.frozen_until = None;
            member.process.signal(Signal::CONT);
            member.name.clone()
        });
        thawed.collect()
    }

    /// When the last stopped one is to go on.
    pub(super) fn frozen_until(&self) -> Option<Instant> {
        self.living
            .iter()
            .filter_map(|member| member.frozen_until)
            .max()
    }

    /// Those that ended though nobody told them to. They are forgotten.
    pub(super) fn deserters(&mut self) -> Vec<String> {
        let (living, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.living)
            .into_iter()
            .partition(|member| member.process.is_alive());
        self.living = living;
        gone.into_iter().map(|member| member.name).collect()
    }

    /// Whom `pick` means: one that is not stopped, where there is one.
    fn chosen(&self, pick: u32) -> Option<usize> {
        let awake: Vec<usize> = (0..self.living.len())
            .filter(|at| self.living[*at].frozen_until.is_none())
            .collect();
        let among = if awake.is_empty() {
            (0..self.living.len()).collect()
        } else {
            awake
        };
        let count = u32::try_from(among.len()).ok().filter(|count| *count > 0)?;
        among.get((pick % count) as usize).copied()
    }
}

/// The logs of every member there ever was.
///
/// # Errors
/// The folder can't be read.
pub(super) fn logs(profile: &Profile) -> anyhow::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(profile.logs_dir())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with("ingestor-")) {
            logs.push(path);
        }
    }
    logs.sort();
    Ok(logs)
}
