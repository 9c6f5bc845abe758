//! The services under attack, those of a kind as a group: started, killed, stopped and continued, told to leave.
//!
//! Each has a name that is never used again, so that its log holds its own life only. They reach what can be broken through proxies
//! and are noted in the stack's state, so that `down` ends them whatever happens to the attacker.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::stack::{self, Endpoints, Process, Profile, Signal, State};

/// How long a member may be silent before the broker gives its partitions to others.
pub(super) const SESSION_TIMEOUT_MS: u64 = 6_000;

#[derive(Debug)]
struct Member {
    name: String,
    process: Process,
    frozen_until: Option<Instant>,
}

/// What a group is made of.
pub(super) struct Kind {
    /// What names begin with: the service's own.
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    /// The variable that says where it tells of its health.
    pub(super) listen: &'static str,
    /// How it is configured: the same for all.
    pub(super) environment: Vec<(&'static str, String)>,
    /// What differs from one to the next, by number.
    pub(super) own: fn(usize) -> Vec<(&'static str, String)>,
}

impl Kind {
    /// Ingestors that reach the database by this URL.
    pub(super) fn ingestors(program: PathBuf, endpoints: &Endpoints, database: String) -> Self {
        let environment = vec![
            ("INGESTOR__KAFKA__BROKERS", endpoints.kafka.clone()),
            ("INGESTOR__KAFKA__TOPIC", endpoints.topic.clone()),
            (
                "INGESTOR__KAFKA__SESSION_TIMEOUT_MS",
                SESSION_TIMEOUT_MS.to_string(),
            ),
            ("INGESTOR__DATABASE__URL", database),
            ("INGESTOR__TELEMETRY__LOG_FORMAT", "json".to_owned()),
            ("INGESTOR__TELEMETRY__LOG_FILTER", "info".to_owned()),
        ];
        Self {
            name: "ingestor",
            program,
            listen: "INGESTOR__HEALTH__LISTEN",
            environment,
            own: |_number| Vec::new(),
        }
    }
}

/// A group of services of one kind.
pub(super) struct Members<'a> {
    profile: &'a Profile,
    kind: Kind,
    living: Vec<Member>,
    started: usize,
}

impl<'a> Members<'a> {
    pub(super) fn new(profile: &'a Profile, kind: Kind) -> Self {
        Self {
            profile,
            kind,
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
        self.started += 1;
        let name = format!("{}-{}", self.kind.name, self.started);
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = stack::detached(&self.kind.program);
        command
            .arg("run")
            .envs(
                self.kind
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .envs((self.kind.own)(self.started))
            .env(self.kind.listen, format!("127.0.0.1:{port}"))
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

    /// Tells all to leave and waits until they have; says the names of those that did not by themselves.
    ///
    /// # Errors
    /// One can't be ended.
    pub(super) async fn dismiss(&mut self, patience: Duration) -> anyhow::Result<Vec<String>> {
        for member in &self.living {
            member.process.signal(Signal::TERM);
        }
        let mut stubborn = Vec::new();
        for member in std::mem::take(&mut self.living) {
            if !member.process.end(Signal::TERM, patience).await? {
                stubborn.push(member.name);
            }
        }
        Ok(stubborn)
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

/// The logs of every service of a kind that there ever was.
///
/// # Errors
/// The folder can't be read.
pub(super) fn logs(profile: &Profile, kind: &str) -> anyhow::Result<Vec<PathBuf>> {
    let (mut logs, start) = (Vec::new(), format!("{kind}-"));
    for entry in std::fs::read_dir(profile.logs_dir())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(&start)) {
            logs.push(path);
        }
    }
    logs.sort();
    Ok(logs)
}
