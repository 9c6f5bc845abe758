//! Whether the ingestor is fit: the schema, then the partitions.

use std::sync::Arc;
use std::time::Duration;

use service::{HealthState, Shutdown};
use store::{DatabaseConfig, StoreError, connect, migrate};

use crate::config::HealthConfig;
use crate::metrics;
use crate::worker::{Phase, Progress};

/// Waits until the database answers and has this build's schema. False when shutdown came first.
pub(crate) async fn wait_for_schema(
    database: &DatabaseConfig,
    health: &HealthState,
    shutdown: &Shutdown,
) -> bool {
    let mut wait = Duration::from_millis(250);
    loop {
        match schema_is_current(database).await {
            Ok(true) => {
                health.ready("schema");
                return true;
            }
            Ok(false) => {
                let reason = "the schema is older than this build: run `ingestor migrate`";
                tracing::warn!(reason, "waiting");
                health.broken("schema", reason);
            }
            Err(error) => {
                tracing::warn!(%error, "waiting for the database");
                health.broken("schema", error.to_string());
            }
        }
        tokio::select! {
            () = shutdown.requested() => return false,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(5)),
        }
    }
}

async fn schema_is_current(database: &DatabaseConfig) -> Result<bool, StoreError> {
    let mut connection = connect::establish(database).await?;
    migrate::is_current(&mut connection).await
}

/// Tells health and metrics how far the partitions are, for ever.
pub(crate) async fn watch(
    pipeline: &'static str,
    config: HealthConfig,
    progress: Arc<Progress>,
    health: HealthState,
) {
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let mut joined = false;
    loop {
        ticks.tick().await;
        let all = progress.all();
        joined |= !all.is_empty();
        for (partition, state) in &all {
            metrics::progress(pipeline, *partition, state);
        }
        let stopped: Vec<String> = all
            .iter()
            .filter_map(|(p, state)| Some(format!("partition {p}: {}", state.stopped?)))
            .collect();
        let behind = |phase: Phase, lag: Option<i64>| {
            phase != Phase::Live || lag.is_some_and(|lag| lag > config.catching_up_records)
        };
        let behind = all
            .values()
            .filter(|state| behind(state.phase, state.lag_records))
            .count();
        let lag: i64 = all.values().filter_map(|state| state.lag_records).sum();
        if !stopped.is_empty() {
            health.broken(
                pipeline,
                format!("stopped: {}; see `ingestor status`", stopped.join(", ")),
            );
        } else if !joined {
            health.starting(
                pipeline,
                "no partition was assigned yet: is Kafka reachable, and does the topic exist?",
            );
        } else if behind > 0 {
            health.catching_up(
                pipeline,
                format!("{behind} of {} partitions, {lag} records behind", all.len()),
            );
        } else {
            health.ready(pipeline);
        }
    }
}
