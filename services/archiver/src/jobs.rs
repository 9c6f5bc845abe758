//! The jobs beside `raw`, each by its own switch: `summaries`, `retention`, `compact`.
//!
//! They come and go with the process and never stop it: what fails is told, counted and tried again.

use anyhow::Context as _;
use archive::{ArchiveStore, TopicName};
use metrics::{counter, describe_counter};
use service::Shutdown;
use store::DatabaseConfig;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::{compact, retention, summaries};

/// Starts the jobs that the configuration has switched on.
///
/// # Errors
/// One needs the database and none is named; the faults of the configuration say so before.
pub(crate) fn spawn(
    config: &Config,
    store: &ArchiveStore,
    shutdown: &Shutdown,
) -> anyhow::Result<JoinSet<()>> {
    describe_metrics();
    let mut jobs = JoinSet::new();
    if config.summaries.enabled {
        let (database, store) = (database(config)?, store.clone());
        let job = summaries::run(config.summaries.clone(), database, store, shutdown.token());
        jobs.spawn(job);
    }
    if config.retention.enabled {
        let (database, store) = (database(config)?, store.clone());
        jobs.spawn(retention::run(
            config.retention.clone(),
            config.summaries.clone(),
            database,
            store,
            shutdown.token(),
        ));
    }
    if config.retention.enabled && config.retention.raw_days > 0 {
        let (retention, topics) = (config.retention.clone(), topics(config)?);
        let job = retention::run_raw(retention, topics, store.clone(), shutdown.token());
        jobs.spawn(job);
    }
    if config.compact.enabled {
        let topics = topics(config)?;
        let (compaction, store) = (config.compact.clone(), store.clone());
        let (runtime, shutdown) = (Handle::current(), shutdown.token());
        // Decoding and encoding keep a core busy: on a thread of its own, away from those who wait for the network.
        jobs.spawn_blocking(move || {
            runtime.block_on(compact::run(compaction, topics, store, shutdown));
        });
    }
    Ok(jobs)
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

/// Counts a pass of a job that failed.
pub(crate) fn failed(job: &'static str) {
    counter!("archive_job_failures_total", "job" => job).increment(1);
}
