//! The archiver's metrics: their names, and where they are counted.

use std::time::Duration;

use archive::{ChainId, TopicName};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::raw::{ClosedBatch, PartitionProgress, Phase};

/// Describes every metric, once at start.
pub(crate) fn describe() {
    describe_counter!(
        "archive_records_total",
        "Records in batches that were closed"
    );
    describe_counter!(
        "archive_bytes_total",
        "Bytes of the files of batches that were closed"
    );
    describe_counter!("archive_files_total", "Files of batches that were closed");
    describe_counter!("archive_batches_total", "Batches that are in the archive");
    describe_counter!(
        "archive_other_region_total",
        "Records whose region header is no region, archived under _other"
    );
    describe_counter!(
        "archive_no_time_total",
        "Records without a usable timestamp, archived under 1970"
    );
    describe_counter!(
        "archive_fenced_total",
        "Batches that lost their place in the chain to another archiver"
    );
    describe_counter!(
        "archive_store_failures_total",
        "Requests to the store that failed and were tried again"
    );
    describe_counter!(
        "archive_swept_total",
        "Files removed that no manifest could name any more"
    );
    describe_counter!(
        "archive_stops_total",
        "Partitions that stopped for an operator, by reason"
    );
    describe_histogram!(
        "archive_commit_duration_seconds",
        "From a closed batch to its manifest in the chain"
    );
    describe_gauge!(
        "archive_next_offset",
        "The offset after the last archived one"
    );
    describe_gauge!(
        "archive_taken_offset",
        "The offset after the last record that is in a batch, archived or open"
    );
    describe_gauge!(
        "archive_lag_records",
        "Records between the last archived one and the newest"
    );
    describe_gauge!(
        "archive_partition_phase",
        "1 for the phase that a partition is in"
    );
    describe_gauge!("archive_memory_bytes", "Memory of all open batches");
    describe_gauge!(
        "archive_memory_beside_bytes",
        "Memory of the process beside open batches"
    );
}

fn labels(chain: &ChainId) -> [(&'static str, String); 2] {
    place(&chain.topic, chain.partition)
}

fn place(topic: &TopicName, partition: i32) -> [(&'static str, String); 2] {
    [
        ("topic", topic.to_string()),
        ("partition", partition.to_string()),
    ]
}

pub(crate) fn closed(chain: &ChainId, batch: &ClosedBatch) {
    let labels = labels(chain);
    counter!("archive_records_total", &labels).increment(batch.rows());
    counter!("archive_bytes_total", &labels).increment(batch.bytes());
    counter!("archive_files_total", &labels).increment(batch.files.len() as u64);
    counter!("archive_other_region_total", &labels).increment(batch.oddities.other_region);
    counter!("archive_no_time_total", &labels).increment(batch.oddities.no_time);
}

pub(crate) fn committed(chain: &ChainId, took: Duration) {
    counter!("archive_batches_total", &labels(chain)).increment(1);
    histogram!("archive_commit_duration_seconds").record(took.as_secs_f64());
}

pub(crate) fn store_failed(chain: &ChainId, failed: bool) {
    if failed {
        counter!("archive_store_failures_total", &labels(chain)).increment(1);
    }
}

pub(crate) fn swept(chain: &ChainId, files: usize) {
    counter!("archive_swept_total", &labels(chain)).increment(files as u64);
}

pub(crate) fn fenced(topic: &TopicName, partition: i32) {
    counter!("archive_fenced_total", &place(topic, partition)).increment(1);
}

pub(crate) fn stopped(topic: &TopicName, partition: i32, reason: &'static str) {
    let [topic, partition] = place(topic, partition);
    counter!(
        "archive_stops_total",
        &[topic, partition, ("reason", reason.to_owned())]
    )
    .increment(1);
}

/// How far the open batch of a partition goes. Told apart from what is archived, which lags by a rotation.
pub(crate) fn taken(topic: &TopicName, partition: i32, offset: i64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!("archive_taken_offset", &place(topic, partition)).set(offset as f64);
}

/// The figures of a partition that this process has.
pub(crate) fn progress(
    topic: &str,
    partition: i32,
    progress: &PartitionProgress,
    lag: Option<i64>,
) {
    let labels = [
        ("topic", topic.to_owned()),
        ("partition", partition.to_string()),
    ];
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let number = |value: i64| value as f64;
    if let Some(offset) = progress.archived_to {
        gauge!("archive_next_offset", &labels).set(number(offset));
    }
    if let Some(lag) = lag {
        gauge!("archive_lag_records", &labels).set(number(lag));
    }
    for phase in [Phase::Claiming, Phase::Owned, Phase::Stopped] {
        let [topic, partition] = labels.clone();
        let labels = [topic, partition, ("phase", phase.as_str().to_owned())];
        let is = if progress.phase == phase { 1.0 } else { 0.0 };
        gauge!("archive_partition_phase", &labels).set(is);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(crate) fn memory(batches: usize, beside: usize) {
    gauge!("archive_memory_bytes").set(batches as f64);
    gauge!("archive_memory_beside_bytes").set(beside as f64);
}
