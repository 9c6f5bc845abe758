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
        Self::start(
            profile,
            "ingestor",
            label,
            "INGESTOR__HEALTH__LISTEN",
            &settings,
        )
        .await
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
        let settings = [
            ("QUERY_API__DATABASE__URL", endpoints.postgres.clone()),
            ("QUERY_API__CURSOR__SECRET", "cursors of a bench".to_owned()),
        ];
        Self::start(profile, "query-api", label, "QUERY_API__LISTEN", &settings).await
    }

    async fn start(
        profile: &Profile,
        program: &str,
        label: &str,
        listen: &str,
        settings: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let name = format!("{program}-{label}");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = stack::detached(release::binary(&profile.root, program)?);
        command
            .arg("run")
            .envs(settings.iter().map(|(key, value)| (key, value)))
            .env(listen, format!("127.0.0.1:{port}"))
            .env_remove("RUST_LOG");
        let log = profile.logs_dir().join(format!("{name}.log"));
        let process = profile.start(command, &log)?;
        State::load(profile)?.note(profile, &name, process.clone(), port)?;
        let measured = Self {
            name,
            process,
            port,
        };
        measured.await_life().await?;
        Ok(measured)
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
    /// This process: the producer, and whoever watches.
    pub(super) producer: Duration,
}

impl Cpu {
    /// As it stands now.
    ///
    /// # Errors
    /// One of the processes is gone.
    pub(super) fn now(profile: &Profile, service: &Measured) -> anyhow::Result<Self> {
        let state = State::load(profile)?;
        let part = |name: &str| -> anyhow::Result<Duration> {
            let process = state
                .process(name)
                .with_context(|| format!("{name} is gone"))?;
            usage::cpu_of_tree(process.pid)
        };
        Ok(Self {
            service: usage::cpu_of_tree(service.pid())?,
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
            producer: self.producer.saturating_sub(earlier.producer),
        }
    }
}
