//! The ingestor's metrics, each described once, in one list that the operator's document is held to. Labels are few: never an id.

use std::time::Duration;

use domain::Reason;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use store::ingest::Batch;

use crate::stops::StopReason;
use crate::watch::Lag;
use crate::worker::{PartitionProgress, Phase};

/// How a metric is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Its values are counted in buckets.
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

/// Every metric of the ingestor: name, labels besides `pipeline`, kind, what it tells. `docs/OPERATIONS.md` has the same list.
pub const ALL: [(&str, &[&str], Kind, &str); 21] = [
    (
        "ingest_lag_records",
        &["partition"],
        Gauge,
        "Records between the last commit and the newest record",
    ),
    (
        "ingest_lag_seconds",
        &["partition"],
        Gauge,
        "Age of the oldest record that is not committed, by its own timestamp",
    ),
    (
        "ingest_partition_phase",
        &["partition", "phase"],
        Gauge,
        "1 for the phase the partition is in: claiming, replaying, live, stopped",
    ),
    (
        "ingest_partition_stopped",
        &["partition", "reason"],
        Gauge,
        "1 while the partition waits for an operator, by reason",
    ),
    (
        "ingest_stops_total",
        &["partition", "reason"],
        Counter,
        "Partitions stopped for an operator",
    ),
    (
        "ingest_records_total",
        &["partition", "verdict"],
        Counter,
        "Committed records by verdict",
    ),
    (
        "ingest_dead_letters_total",
        &["partition", "reason"],
        Counter,
        "Committed dead letters by reason",
    ),
    (
        "ingest_games_finished_total",
        &["partition"],
        Counter,
        "Committed finished games",
    ),
    (
        "ingest_snapshots_total",
        &["partition"],
        Counter,
        "Committed snapshots of live games",
    ),
    (
        "ingest_live_games",
        &["partition"],
        Gauge,
        "Games in progress in memory",
    ),
    (
        "ingest_batch_records",
        &[],
        Histogram,
        "Records of a committed batch",
    ),
    (
        "ingest_commit_seconds",
        &[],
        Histogram,
        "Time to commit a batch, tries included",
    ),
    (
        "ingest_commit_retries_total",
        &["partition"],
        Counter,
        "Batches rolled back by the world and tried again",
    ),
    (
        "ingest_fenced_total",
        &["partition"],
        Counter,
        "Batches refused because another owner had claimed the partition",
    ),
    (
        "ingest_sessions_lost_total",
        &[],
        Counter,
        "Database sessions lost, with the ownership of their partitions",
    ),
    (
        "ingest_claims_total",
        &["partition"],
        Counter,
        "Partitions claimed",
    ),
    (
        "ingest_replay_records",
        &[],
        Histogram,
        "Offsets to replay after a claim",
    ),
    (
        "ingest_pauses_total",
        &["partition", "cause"],
        Counter,
        "Times that reading was paused because the worker was behind",
    ),
    (
        "ingest_paused_milliseconds_total",
        &["partition", "cause"],
        Counter,
        "Time that reading was paused: for a commit, for a look_up, for the fold",
    ),
    (
        "ingest_paused_seconds",
        &["partition"],
        Gauge,
        "How long reading has been paused now; 0 when it is not",
    ),
    (
        "ingest_abandoned_total",
        &[],
        Counter,
        "Games the janitor has declared abandoned",
    ),
];

/// Describes every metric.
pub fn describe() {
    for (name, _, kind, tells) in ALL {
        match kind {
            Counter => describe_counter!(name, tells),
            Gauge => describe_gauge!(name, tells),
            Histogram => describe_histogram!(name, tells),
        }
    }
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

pub(crate) fn stopped(pipeline: &str, partition: i32, reason: StopReason) {
    let [pipeline, partition] = labels(pipeline, partition);
    counter!(
        "ingest_stops_total",
        &[pipeline, partition, ("reason", reason.as_str().to_owned())]
    )
    .increment(1);
}

pub(crate) fn abandoned(games: u64) {
    counter!("ingest_abandoned_total").increment(games);
}

pub(crate) fn progress(pipeline: &str, partition: i32, told: &PartitionProgress, lag: &Lag) {
    let labels = labels(pipeline, partition);
    if let Some(records) = lag.records {
        gauge!("ingest_lag_records", &labels).set(approximate(records));
    }
    if let Some(age) = lag.age {
        gauge!("ingest_lag_seconds", &labels).set(age.as_secs_f64());
    }
    let live_games = i64::try_from(told.live_games).unwrap_or(i64::MAX);
    gauge!("ingest_live_games", &labels).set(approximate(live_games));
    for phase in Phase::ALL {
        let on = told.phase == phase;
        one_of(
            "ingest_partition_phase",
            &labels,
            ("phase", phase.as_str()),
            on,
        );
    }
    for reason in StopReason::ALL {
        let on = told.stop.as_ref().is_some_and(|stop| stop.reason == reason);
        one_of(
            "ingest_partition_stopped",
            &labels,
            ("reason", reason.as_str()),
            on,
        );
    }
}

/// The partition went to another process, which tells of it from now on.
pub(crate) fn gone(pipeline: &str, partition: i32) {
    let labels = labels(pipeline, partition);
    for name in [
        "ingest_lag_records",
        "ingest_lag_seconds",
        "ingest_live_games",
        "ingest_paused_seconds",
    ] {
        gauge!(name, &labels).set(0.0);
    }
    for phase in Phase::ALL {
        one_of(
            "ingest_partition_phase",
            &labels,
            ("phase", phase.as_str()),
            false,
        );
    }
    for reason in StopReason::ALL {
        one_of(
            "ingest_partition_stopped",
            &labels,
            ("reason", reason.as_str()),
            false,
        );
    }
}

fn one_of(
    name: &'static str,
    labels: &[(&'static str, String); 2],
    (label, value): (&'static str, &'static str),
    on: bool,
) {
    let [pipeline, partition] = labels.clone();
    gauge!(name, &[pipeline, partition, (label, value.to_owned())]).set(f64::from(u8::from(on)));
}

/// Adds what was paused since the last look.
pub(crate) fn paused(
    pipeline: &str,
    partition: i32,
    cause: &'static str,
    pauses: u64,
    time: Duration,
    current: Option<Duration>,
) {
    let labels = labels(pipeline, partition);
    gauge!("ingest_paused_seconds", &labels).set(current.unwrap_or_default().as_secs_f64());
    if pauses == 0 && time.is_zero() {
        return;
    }
    let [pipeline, partition] = labels;
    let labels = [pipeline, partition, ("cause", cause.to_owned())];
    counter!("ingest_pauses_total", &labels).increment(pauses);
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    counter!("ingest_paused_milliseconds_total", &labels).increment(ms);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "lags and live games are far below 2^52"
)]
fn approximate(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// The rows of the table of metrics in the document: its names with their labels.
    fn documented() -> Vec<String> {
        let text = include_str!("../../../docs/OPERATIONS.md");
        let rows = text.lines().filter(|line| line.starts_with("| `ingest_"));
        rows.filter_map(|row| row.split('`').nth(1))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_document_lists_every_metric_with_its_labels_and_no_other() {
        let mut code: Vec<String> = ALL
            .iter()
            .map(|(name, labels, ..)| match labels {
                [] => (*name).to_owned(),
                labels => format!("{name}{{{}}}", labels.join(",")),
            })
            .collect();
        let mut documented = documented();
        code.sort_unstable();
        documented.sort_unstable();
        assert_eq!(code, documented);
    }

    #[test]
    fn every_metric_that_is_recorded_is_in_the_list_and_the_other_way_round() {
        // Whatever this file records is written as a name in quotes; the list has each of them once more.
        let source = include_str!("metrics.rs");
        let source = source.split("#[cfg(test)]").next().unwrap();
        let names = source.split('"').skip(1).step_by(2);
        let mut times = std::collections::BTreeMap::<&str, usize>::new();
        for name in names.filter(|name| name.starts_with("ingest_") && !name.contains(' ')) {
            *times.entry(name).or_default() += 1;
        }
        for (name, ..) in ALL {
            let times = times.remove(name).unwrap_or_default();
            assert!(times >= 2, "{name} is listed and never recorded");
        }
        assert!(times.is_empty(), "recorded and not listed: {times:?}");
    }
}
