//! The ingestor's metrics, each described once. Labels are the pipeline and the partition, never an id.

use std::time::Duration;

use domain::Reason;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use store::ingest::Batch;

use crate::worker::{PartitionProgress, Phase};

/// Describes every metric.
pub fn describe() {
    describe_counter!("ingest_records_total", "Committed records by verdict");
    describe_counter!(
        "ingest_dead_letters_total",
        "Committed dead letters by reason"
    );
    describe_counter!("ingest_games_finished_total", "Committed finished games");
    describe_counter!(
        "ingest_snapshots_total",
        "Committed snapshots of live games"
    );
    describe_histogram!("ingest_batch_records", "Records of a committed batch");
    describe_histogram!(
        "ingest_commit_seconds",
        metrics::Unit::Seconds,
        "Time to commit a batch, tries included"
    );
    describe_counter!("ingest_claims_total", "Partitions claimed");
    describe_histogram!("ingest_replay_records", "Offsets to replay after a claim");
    describe_counter!(
        "ingest_fenced_total",
        "Batches refused because another owner had claimed the partition"
    );
    describe_counter!(
        "ingest_sessions_lost_total",
        "Database sessions lost, with the ownership of their partitions"
    );
    describe_counter!(
        "ingest_commit_retries_total",
        "Batches rolled back by the world and tried again"
    );
    describe_counter!(
        "ingest_stops_total",
        "Partitions stopped for an operator, by reason"
    );
    describe_gauge!(
        "ingest_lag_records",
        "Records between the last commit and the newest record"
    );
    describe_gauge!("ingest_live_games", "Games in progress in memory");
    describe_gauge!(
        "ingest_partition_phase",
        "1 for the phase the partition is in: claiming, replaying, live, stopped"
    );
    describe_counter!(
        "ingest_abandoned_total",
        "Games the janitor has declared abandoned"
    );
}

fn labels(pipeline: &str, partition: i32) -> [(&'static str, String); 2] {
    [
        ("pipeline", pipeline.to_owned()),
        ("partition", partition.to_string()),
    ]
}

pub(crate) fn committed(pipeline: &str, batch: &Batch, took: Duration) {
    let labels = labels(pipeline, batch.scope.partition);
    let counts = &batch.counts;
    let dead: i64 = Reason::ALL.iter().map(|reason| counts.dead(*reason)).sum();
    let verdicts = [
        ("applied", counts.applied),
        ("duplicate", counts.duplicates),
        ("late", counts.late),
        ("dead_letter", dead),
    ];
    for (verdict, count) in verdicts.into_iter().filter(|(_, count)| *count > 0) {
        let [pipeline, partition] = labels.clone();
        counter!(
            "ingest_records_total",
            &[pipeline, partition, ("verdict", verdict.to_owned())]
        )
        .increment(count.unsigned_abs());
    }
    for reason in Reason::ALL
        .into_iter()
        .filter(|reason| counts.dead(*reason) > 0)
    {
        let [pipeline, partition] = labels.clone();
        counter!(
            "ingest_dead_letters_total",
            &[pipeline, partition, ("reason", reason.as_str().to_owned())]
        )
        .increment(counts.dead(reason).unsigned_abs());
    }
    counter!("ingest_games_finished_total", &labels).increment(batch.finished.len() as u64);
    counter!("ingest_snapshots_total", &labels).increment(batch.snapshots.len() as u64);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a batch has far fewer than 2^52 records"
    )]
    histogram!("ingest_batch_records", "pipeline" => pipeline.to_owned())
        .record(counts.records() as f64);
    histogram!("ingest_commit_seconds", "pipeline" => pipeline.to_owned())
        .record(took.as_secs_f64());
}

pub(crate) fn claimed(pipeline: &str, partition: i32, replay: i64) {
    counter!("ingest_claims_total", &labels(pipeline, partition)).increment(1);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a replay is far shorter than 2^52 offsets"
    )]
    histogram!("ingest_replay_records", "pipeline" => pipeline.to_owned()).record(replay as f64);
}

pub(crate) fn fenced(pipeline: &str, partition: i32) {
    counter!("ingest_fenced_total", &labels(pipeline, partition)).increment(1);
}

pub(crate) fn retried(pipeline: &str, partition: i32) {
    counter!("ingest_commit_retries_total", &labels(pipeline, partition)).increment(1);
}

pub(crate) fn session_lost(pipeline: &str) {
    counter!("ingest_sessions_lost_total", "pipeline" => pipeline.to_owned()).increment(1);
}

pub(crate) fn stopped(pipeline: &str, partition: i32, reason: &'static str) {
    let [pipeline, partition] = labels(pipeline, partition);
    counter!(
        "ingest_stops_total",
        &[pipeline, partition, ("reason", reason.to_owned())]
    )
    .increment(1);
}

pub(crate) fn abandoned(games: u64) {
    counter!("ingest_abandoned_total").increment(games);
}

pub(crate) fn progress(pipeline: &str, partition: i32, progress: &PartitionProgress) {
    let labels = labels(pipeline, partition);
    #[expect(
        clippy::cast_precision_loss,
        reason = "lags and live games are far below 2^52"
    )]
    {
        if let Some(lag) = progress.lag_records {
            gauge!("ingest_lag_records", &labels).set(lag as f64);
        }
        gauge!("ingest_live_games", &labels).set(progress.live_games as f64);
    }
    for phase in [
        Phase::Claiming,
        Phase::Replaying,
        Phase::Live,
        Phase::Stopped,
    ] {
        let [pipeline, partition] = labels.clone();
        let on = f64::from(u8::from(progress.phase == phase));
        gauge!(
            "ingest_partition_phase",
            &[pipeline, partition, ("phase", phase.as_str().to_owned())]
        )
        .set(on);
    }
}
