//! The ingestor from start to end.
//!
//! Telemetry, health listener, schema, upkeep and janitor, then the pipeline: a consumer whose events go to the worker that has
//! their partition. A broker or a database out of reach is waited for; the process says so and is not ready meanwhile.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use service::{HealthState, Shutdown, health, redacted};
use stream::{Consumer, StreamEvent, TopicProbe};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::ledger::PostgresLedger;
use crate::log::KafkaLog;
use crate::readiness;
use crate::worker::{Progress, Worker, WorkerEvent};
use crate::{follow, janitor, metrics, upkeep, watch};

/// The name of the pipeline in checkpoints, metrics and dead letters.
pub const PIPELINE: &str = "games";

/// Runs the ingestor until it is told to stop.
///
/// # Errors
/// When a part can't be set up. What can be waited for is waited for.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let _telemetry = telemetry::init("ingestor", &config.telemetry)?;
    metrics::describe();
    tracing::info!(config = %redacted(&config), version = env!("CARGO_PKG_VERSION"), "starting");
    let shutdown = Shutdown::on_signals()?;
    let health = HealthState::default();
    let listener = std::net::TcpListener::bind(config.health.listen)
        .with_context(|| format!("can't listen on health.listen {}", config.health.listen))?;
    let listener = tokio::spawn(health::serve_on(
        listener,
        health.clone(),
        shutdown.clone(),
    )?);
    if readiness::wait_for_schema(&config.database, &health, &shutdown).await {
        let mut tasks = JoinSet::new();
        tasks.spawn(upkeep::run(
            config.upkeep.clone(),
            config.database.clone(),
            shutdown.token(),
        ));
        if config.janitor.enabled {
            let (database, kafka) = (config.database.clone(), config.kafka.clone());
            tasks.spawn(janitor::run(
                config.janitor.clone(),
                database,
                kafka,
                shutdown.token(),
            ));
        }
        if config.games.enabled {
            run_games(&config, &health, &shutdown).await?;
        } else {
            health.ready(PIPELINE);
            shutdown.requested().await;
        }
        tasks.shutdown().await;
    }
    listener.await??;
    tracing::info!("ended");
    Ok(())
}

/// Runs the pipeline `games` until shutdown, and returns when its last batch is committed.
async fn run_games(
    config: &Config,
    health: &HealthState,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let progress = Arc::new(Progress::default());
    let probe = Arc::new(TopicProbe::new(&config.kafka)?);
    let workers = usize::from(config.games.workers);
    let (inboxes, outlets): (Vec<mpsc::UnboundedSender<_>>, Vec<_>) =
        (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
    let followed = inboxes
        .iter()
        .map(mpsc::UnboundedSender::downgrade)
        .collect();
    let consumer = Arc::new(Consumer::join(&config.kafka, move |event| {
        dispatch(&inboxes, event)
    })?);
    let log = KafkaLog::new(
        config.kafka.topic.clone(),
        Arc::clone(&consumer),
        Arc::clone(&probe),
    );
    let mut tasks = JoinSet::new();
    for inbox in outlets {
        let ledger = PostgresLedger::new(config.database.clone());
        let worker = Worker::new(
            PIPELINE,
            config.games.fold.clone(),
            ledger,
            log.clone(),
            Arc::clone(&progress),
        )
        .with_stopped_retry(config.games.stopped_retry);
        tasks.spawn(worker.run(inbox, shutdown.token()));
    }
    let mut lookouts = JoinSet::new();
    lookouts.spawn(watch::run(
        PIPELINE,
        config.health.clone(),
        Arc::clone(&progress),
        Arc::clone(&consumer),
        health.clone(),
    ));
    lookouts.spawn(follow::run(
        probe,
        Arc::clone(&consumer),
        progress,
        followed,
    ));
    while let Some(ended) = tasks.join_next().await {
        ended.context("a worker ended unexpectedly")?;
    }
    lookouts.shutdown().await;
    if !shutdown.is_requested() {
        // Its poll thread is gone: nothing will come in any more, and a new process may do better.
        anyhow::bail!("the consumer ended although nobody asked it to; see the log above");
    }
    drop(log);
    // Leaving the group waits for the broker's answer: not on the runtime's threads.
    tokio::time::timeout(
        Duration::from_secs(10),
        tokio::task::spawn_blocking(move || drop(consumer)),
    )
    .await
    .ok();
    Ok(())
}

/// Hands an event of the consumer to the workers whose partitions it names. Runs on the poll thread.
fn dispatch(inboxes: &[mpsc::UnboundedSender<WorkerEvent>], event: StreamEvent) {
    let send = |partition: i32, event: WorkerEvent| {
        let worker = partition.unsigned_abs() as usize % inboxes.len();
        // A worker that has ended at shutdown takes no more.
        let _ = inboxes[worker].send(event);
    };
    match event {
        StreamEvent::Assigned(partitions) => partitions
            .into_iter()
            .for_each(|p| send(p, WorkerEvent::Assigned(p))),
        StreamEvent::Revoked(partitions) => partitions
            .into_iter()
            .for_each(|p| send(p, WorkerEvent::Revoked(p))),
        StreamEvent::Records(block) => send(block.partition(), WorkerEvent::Records(block)),
        StreamEvent::OutOfRange {
            partition,
            epoch,
            detail,
        } => {
            send(
                partition,
                WorkerEvent::OutOfRange {
                    partition,
                    epoch,
                    detail,
                },
            );
        }
    }
}
