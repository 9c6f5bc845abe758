//! The jobs beside `raw`, each by its own switch: `summaries`, `retention`, `compact`.
//!
//! They come and go with the process and never stop it: what fails is told, counted, shown in readiness and tried again.

use std::time::Duration;

use anyhow::{Context as _, bail};
use archive::{ArchiveStore, TopicName};
use metrics::{counter, describe_counter};
use service::{HealthState, Shutdown};
use store::{DatabaseConfig, connect, migrate};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::{compact, retention, summaries};

/// How soon a pass that failed is tried again, where its interval is not shorter anyway.
const RETRY: Duration = Duration::from_secs(60);

/// Starts the jobs that the configuration has switched on.
///
/// # Errors
/// One needs the database and none is named; the faults of the configuration say so before.
pub(crate) fn spawn(
    config: &Config,
    store: &ArchiveStore,
    health: &HealthState,
    shutdown: &Shutdown,
) -> anyhow::Result<JoinSet<()>> {
    describe_metrics();
    let mut jobs = JoinSet::new();
    let rounds = |job, every| Rounds::new(job, every, health, shutdown.token());
    if config.summaries.enabled {
        let (database, store) = (database(config)?, store.clone());
        let rounds = rounds("summaries", config.summaries.every);
        let job = summaries::run(config.summaries.clone(), database, store, rounds);
        jobs.spawn(job);
    }
    if config.retention.enabled && config.database.is_some() {
        let (database, store) = (database(config)?, store.clone());
        jobs.spawn(retention::run(
            config.retention.clone(),
            config.summaries.clone(),
            database,
            store,
            rounds("retention", config.retention.every),
        ));
    }
    if config.retention.enabled && config.retention.raw_days > 0 {
        let (retention, topics) = (config.retention.clone(), topics(config)?);
        let rounds = rounds("expiry", config.retention.every);
        jobs.spawn(retention::run_raw(retention, topics, store.clone(), rounds));
    }
    if config.compact.enabled {
        let topics = topics(config)?;
        let (compaction, store) = (config.compact.clone(), store.clone());
        let rounds = rounds("compact", config.compact.every);
        let runtime = Handle::current();
        // Decoding and encoding keep a core busy: on a thread of its own, away from those who wait for the network.
        jobs.spawn_blocking(move || {
            runtime.block_on(compact::run(compaction, topics, store, rounds));
        });
    }
    Ok(jobs)
}

/// The passes of a job: when the next one is due, and what health says of the last.
pub(crate) struct Rounds {
    job: &'static str,
    every: Duration,
    due: Instant,
    health: HealthState,
    shutdown: CancellationToken,
}

impl Rounds {
    /// The first pass is due at once. Until one has failed, the job is taken to be well.
    pub(crate) fn new(
        job: &'static str,
        every: Duration,
        health: &HealthState,
        shutdown: CancellationToken,
    ) -> Self {
        health.ready(job);
        Self {
            job,
            every,
            due: Instant::now(),
            health: health.clone(),
            shutdown,
        }
    }

    /// Waits until the next pass is due. False at shutdown.
    pub(crate) async fn next(&self) -> bool {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => false,
            () = tokio::time::sleep_until(self.due) => true,
        }
    }

    /// Makes a pass and tells how it went: what fails is logged, counted, shown in health, and tried again. None when it failed or was
    /// cut short by shutdown, after which nothing of it counts that is not published.
    pub(crate) async fn pass<T>(
        &mut self,
        pass: impl Future<Output = anyhow::Result<T>>,
    ) -> Option<T> {
        let outcome = tokio::select! {
            () = self.shutdown.cancelled() => return None,
            outcome = pass => outcome,
        };
        match outcome {
            Ok(done) => {
                self.health.ready(self.job);
                self.due = Instant::now() + self.every;
                Some(done)
            }
            Err(error) => {
                counter!("archive_job_failures_total", "job" => self.job).increment(1);
                let pause = self.every.min(RETRY);
                tracing::warn!(job = self.job, error = %format_args!("{error:#}"), ?pause, "a pass failed; trying again");
                self.health.broken(self.job, format!("{error:#}"));
                self.due = Instant::now() + pause;
                None
            }
        }
    }
}

/// Refuses a database whose schema this build does not know.
pub(crate) async fn require_schema(database: &DatabaseConfig) -> anyhow::Result<()> {
    let mut connection = connect::establish(database).await?;
    if migrate::is_current(&mut connection).await? {
        return Ok(());
    }
    let applied = migrate::applied_version(&mut connection).await?;
    bail!(
        "the schema is at version {}, this build needs {}; run `ingestor migrate`",
        applied.as_deref().unwrap_or("none"),
        migrate::latest_version()
    )
}

fn topics(config: &Config) -> archive::Result<Vec<TopicName>> {
    let topics = config.raw.topics.iter();
    topics.map(|topic| TopicName::parse(topic)).collect()
}

fn database(config: &Config) -> anyhow::Result<DatabaseConfig> {
    config
        .database
        .clone()
        .context("the section `database` is missing")
}

fn describe_metrics() {
    describe_counter!(
        "archive_job_failures_total",
        "Passes of the jobs summaries, retention and compact that failed and are tried again"
    );
    describe_counter!(
        "archive_summary_revisions_total",
        "Revisions of days that were published"
    );
    describe_counter!(
        "archive_summary_games_total",
        "Games in revisions that were published"
    );
    describe_counter!(
        "archive_months_dropped_total",
        "Months that left PostgreSQL, every row proven"
    );
    describe_counter!(
        "archive_compactions_total",
        "Compactions that were published"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(health: &HealthState) -> String {
        format!("{:?}", health.readiness())
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_fails_shows_in_health_and_is_tried_again_soon() {
        let (health, shutdown) = (HealthState::default(), CancellationToken::new());
        let hour = Duration::from_secs(3_600);
        let mut rounds = Rounds::new("compact", hour, &health, shutdown.clone());
        let began = Instant::now();
        assert!(rounds.next().await);
        let failed = rounds.pass(async { Err::<(), _>(anyhow::anyhow!("no room")) });
        assert_eq!(failed.await, None);
        assert!(told(&health).contains("no room"), "{}", told(&health));
        assert!(rounds.next().await);
        assert_eq!(began.elapsed().as_secs(), RETRY.as_secs());
        assert_eq!(rounds.pass(async { Ok(7) }).await, Some(7));
        assert!(!told(&health).contains("no room"), "{}", told(&health));
        assert!(rounds.next().await);
        assert_eq!(began.elapsed().as_secs(), (RETRY + hour).as_secs());
        shutdown.cancel();
        assert_eq!(
            rounds
                .pass(std::future::pending::<anyhow::Result<()>>())
                .await,
            None
        );
        assert!(!rounds.next().await);
    }
}
