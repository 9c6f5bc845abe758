//! The processes under measurement, release builds all: started as part of the stack, so that `down` ends them whatever happens.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::release;
use super::usage;
use crate::stack::{self, Endpoints, Process, Profile, Signal, State};

/// How long a process may take to be live, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that is being measured.
#[derive(Debug)]
pub(super) struct Measured {
    name: String,
    process: Process,
    port: u16,
}

/// How a service is started.
struct Start<'a> {
    program: &'a str,
    /// Names its log, after the program.
    label: &'a str,
    /// The variable that says where it listens.
    listen: &'a str,
    settings: &'a [(&'static str, String)],
    /// The one core it may use.
    core: Option<usize>,
}

impl Start<'_> {
    async fn now(self, profile: &Profile) -> anyhow::Result<Measured> {
        let name = format!("{}-{}", self.program, self.label);
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let binary = release::binary(&profile.root, self.program)?;
        let mut command = match self.core.filter(|_| stack::on_path("taskset")) {
            Some(core) => {
                let mut command = stack::detached("taskset");
                command.args(["-c", &core.to_string()]).arg(binary);
                command
            }
            None => stack::detached(binary),
        };
        command
            .arg("run")
            .envs(self.settings.iter().map(|(key, value)| (key, value)))
            .env(self.listen, format!("127.0.0.1:{port}"))
            .env_remove("RUST_LOG");
        let log = profile.logs_dir().join(format!("{name}.log"));
        let process = profile.start(command, &log)?;
        State::load(profile)?.note(profile, &name, process.clone(), port)?;
        let measured = Measured {
            name,
            process,
            port,
        };
        measured.await_life().await?;
        Ok(measured)
    }
}

impl Measured {
    /// Starts an ingestor on these endpoints. `label` names its log.
    ///
    /// # Errors
    /// It does not come alive.
    pub(super) async fn ingestor(
        profile: &Profile,
        endpoints: &Endpoints,
        label: &str,
    ) -> anyhow::Result<Self> {
        let settings = [
            ("INGESTOR__KAFKA__BROKERS", endpoints.kafka.clone()),
            ("INGESTOR__KAFKA__TOPIC", endpoints.topic.clone()),
            ("INGESTOR__KAFKA__GROUP_ID", format!("bench-{label}")),
            ("INGESTOR__DATABASE__URL", endpoints.postgres.clone()),
        ];
        let start = Start {
            program: "ingestor",
            label,
            listen: "INGESTOR__HEALTH__LISTEN",
            settings: &settings,
            core: None,
        };
        start.now(profile).await
    }

    /// Starts a query API on the database of these endpoints.
    ///
    /// # Errors
    /// It does not come alive.
    pub(super) async fn query_api(
        profile: &Profile,
        endpoints: &Endpoints,
        label: &str,
    ) -> anyhow::Result<Self> {
        Self::query_api_with(profile, endpoints, label, &[]).await
    }

    /// Starts a query API with these settings besides.
    ///
    /// # Errors
    /// It does not come alive.
    pub(super) async fn query_api_with(
        profile: &Profile,
        endpoints: &Endpoints,
        label: &str,
        more: &[(&'static str, String)],
    ) -> anyhow::Result<Self> {
        let mut settings = vec![
            ("QUERY_API__DATABASE__URL", endpoints.postgres.clone()),
            ("QUERY_API__CURSOR__SECRET", "cursors of a bench".to_owned()),
        ];
        settings.extend_from_slice(more);
        let start = Start {
            program: "query-api",
            label,
            listen: "QUERY_API__LISTEN",
            settings: &settings,
            core: None,
        };
        start.now(profile).await
    }

    /// Starts an archiver of the topic of these endpoints with the job `raw` alone. `more` says where it writes to; with `core` it
    /// is held to one, where this machine has `taskset`.
    ///
    /// # Errors
    /// It does not come alive.
    pub(super) async fn archiver(
        profile: &Profile,
        endpoints: &Endpoints,
        label: &str,
        more: &[(&'static str, String)],
        core: Option<usize>,
    ) -> anyhow::Result<Self> {
        let mut settings = vec![
            ("ARCHIVER__KAFKA__BROKERS", endpoints.kafka.clone()),
            ("ARCHIVER__KAFKA__GROUP_ID", format!("bench-{label}")),
            (
                "ARCHIVER__RAW__TOPICS",
                format!("[\"{}\"]", endpoints.topic),
            ),
        ];
        settings.extend_from_slice(more);
        let start = Start {
            program: "archiver",
            label,
            listen: "ARCHIVER__HEALTH__LISTEN",
            settings: &settings,
            core,
        };
        start.now(profile).await
    }

    async fn await_life(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let live = format!("{}/health/live", self.url());
        while !reqwest::get(&live)
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            if !self.process.is_alive() || Instant::now() > deadline {
                bail!(
                    "{} does not come alive; its log is in the stack's folder",
                    self.name
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid
    }

    /// The most memory it ever had in RAM, in bytes.
    pub(super) fn peak_memory_bytes(&self) -> anyhow::Result<u64> {
        usage::peak_memory_bytes(self.pid()).with_context(|| format!("{} is gone", self.name))
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    /// Tells it to end, and leaves the waiting to the caller.
    pub(super) fn tell_to_end(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Tells it to end and waits until it has.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.process.end(Signal::TERM, PATIENCE).await?;
        Ok(())
    }
}

/// CPU time of everything on the machine that a measurement needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cpu {
    /// The service under measurement.
    pub(super) service: Duration,
    pub(super) postgres: Duration,
    pub(super) kafka: Duration,
    /// The S3 server, where there is one.
    pub(super) object_store: Duration,
    /// This process: the producer, and whoever watches.
    pub(super) producer: Duration,
}

impl Cpu {
    /// As it stands now. A service that has ended a moment ago is still counted.
    ///
    /// # Errors
    /// One of the processes is gone.
    pub(super) fn now(profile: &Profile, service: &Measured) -> anyhow::Result<Self> {
        Ok(Self {
            service: usage::cpu_of_tree(service.pid())?,
            ..Self::of_stack(profile)?
        })
    }

    /// As it stands before a service is started.
    ///
    /// # Errors
    /// One of the servers is gone.
    pub(super) fn of_stack(profile: &Profile) -> anyhow::Result<Self> {
        let state = State::load(profile)?;
        let part = |name: &str| -> anyhow::Result<Duration> {
            let process = state
                .process(name)
                .with_context(|| format!("{name} is gone"))?;
            usage::cpu_of_tree(process.pid)
        };
        Ok(Self {
            service: Duration::ZERO,
            object_store: part("object-store").unwrap_or_default(),
            postgres: part("postgres")?,
            kafka: part("kafka")?,
            producer: usage::cpu_of_this()?,
        })
    }

    /// What was spent since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            service: self.service.saturating_sub(earlier.service),
            postgres: self.postgres.saturating_sub(earlier.postgres),
            kafka: self.kafka.saturating_sub(earlier.kafka),
            object_store: self.object_store.saturating_sub(earlier.object_store),
            producer: self.producer.saturating_sub(earlier.producer),
        }
    }
}
