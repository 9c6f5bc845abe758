//! The archiver from start to end.
//!
//! Telemetry, health listener, the store and its probe, then the jobs. A store that can't be used for good ends the process with
//! the reason; one that is out of reach is waited for, and the process says so and is not ready meanwhile.

use std::time::Duration;

use anyhow::Context as _;
use archive::ArchiveStore;
use service::{HealthState, Shutdown, health, redacted};

use crate::config::Config;
use crate::jobs;
use crate::metrics;
use crate::raw::{self, RawJob};

/// The name of the store in health.
const STORE: &str = "store";

/// Runs the archiver until it is told to stop.
///
/// # Errors
/// When a part can't be set up. What can be waited for is waited for.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let _telemetry = telemetry::init("archiver", &config.telemetry)?;
    metrics::describe();
    tracing::info!(config = %redacted(&config), version = env!("CARGO_PKG_VERSION"), "starting");
    let shutdown = Shutdown::on_signals()?;
    let health = HealthState::default();
    let listener = std::net::TcpListener::bind(config.health.listen)
        .with_context(|| format!("can't listen on health.listen {}", config.health.listen))?;
    let listener = health::serve_on(listener, health.clone(), shutdown.clone())?;
    let listener = tokio::spawn(listener);
    let store = ArchiveStore::open(&config.store)?;
    if usable(&store, &health, &shutdown).await? {
        let mut others = jobs::spawn(&config, &store, &health, &shutdown)?;
        if config.raw.enabled {
            raw::run(raw_job(&config, store)?, &health, &shutdown).await?;
        } else {
            shutdown.requested().await;
        }
        others.shutdown().await;
    }
    listener.await??;
    tracing::info!("ended");
    Ok(())
}

fn raw_job(config: &Config, store: ArchiveStore) -> anyhow::Result<RawJob> {
    let topics = config.raw.topics.iter();
    Ok(RawJob {
        store,
        consumers: topics.map(|topic| config.kafka.consumer(topic)).collect(),
        policy: config.raw.policy()?,
        memory_bytes: config.raw.memory_bytes,
        catching_up_records: config.health.catching_up_records,
    })
}

/// How long a store that fails is tried before the process gives up with its reason: long enough for one that is starting, short
/// enough for somebody who mistyped the bucket.
const STORE_PATIENCE: Duration = Duration::from_secs(60);

/// Probes the store until it works. False when shutdown came first.
async fn usable(
    store: &ArchiveStore,
    health: &HealthState,
    shutdown: &Shutdown,
) -> anyhow::Result<bool> {
    let began = tokio::time::Instant::now();
    health.starting(STORE, "probing");
    loop {
        let probed = tokio::select! {
            () = shutdown.requested() => return Ok(false),
            probed = store.probe() => probed,
        };
        let error = match probed {
            Ok(()) => {
                tracing::info!(store = store.url(), "the store keeps put-if-absent");
                health.ready(STORE);
                return Ok(true);
            }
            Err(error) => error,
        };
        let for_good = !error.is_transient() || error.is_refusal() || store.is_directory();
        if for_good || began.elapsed() >= STORE_PATIENCE {
            return Err(error).with_context(|| format!("the store {} can't be used", store.url()));
        }
        tracing::warn!(%error, "waiting for the store");
        health.broken(STORE, error.to_string());
        tokio::select! {
            () = shutdown.requested() => return Ok(false),
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
}
