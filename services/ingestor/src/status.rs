//! `ingestor status`: the checkpoints as a table, what is stopped and how to go on, and how far Kafka is ahead.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Reason;
use store::connect;
use store::ingest::{CheckpointStatus, checkpoint_statuses};
use stream::{ConsumerConfig, TopicProbe, timestamps_at};

use crate::config::Config;
use crate::run::PIPELINE;
use crate::stops::StopReason;

/// What Kafka says of a partition.
#[derive(Debug, Clone, Copy, Default)]
struct Ahead {
    /// Records that are not committed.
    records: i64,
    /// Age of the oldest of them, by its own timestamp.
    waiting: Option<Duration>,
}

/// Prints the checkpoints of the pipeline. Without Kafka the columns about it stay empty.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn print(config: &Config) -> anyhow::Result<()> {
    let mut connection = connect::establish(&config.database).await?;
    let statuses = checkpoint_statuses(&mut connection, PIPELINE).await?;
    if statuses.is_empty() {
        println!(
            "no partition of pipeline {PIPELINE} was ever claimed: has an ingestor run against this database?"
        );
        return Ok(());
    }
    let next = statuses
        .iter()
        .filter(|status| status.topic == config.kafka.topic)
        .map(|status| (status.partition, status.next_offset))
        .collect();
    let kafka = config.kafka.clone();
    let ahead = match tokio::task::spawn_blocking(move || ahead(&kafka, next)).await? {
        Ok(ahead) => ahead,
        Err(error) => {
            println!("how far Kafka is ahead is not known: {error}");
            BTreeMap::new()
        }
    };
    println!(
        "{:<20} {:>9} {:>12} {:>12} {:>11} {:>8} {:>12} {:>10} {:>8} {:>8}  state",
        "topic",
        "partition",
        "next offset",
        "replay from",
        "lag",
        "waiting",
        "applied",
        "duplicates",
        "late",
        "dead"
    );
    for status in &statuses {
        let ahead = ahead
            .get(&status.partition)
            .filter(|_| status.topic == config.kafka.topic);
        for line in lines(status, ahead) {
            println!("{line}");
        }
    }
    Ok(())
}

/// Asks Kafka. Blocks.
fn ahead(
    kafka: &ConsumerConfig,
    next: BTreeMap<i32, i64>,
) -> Result<BTreeMap<i32, Ahead>, stream::StreamError> {
    let probe = TopicProbe::new(kafka)?;
    let mut ahead = BTreeMap::new();
    let mut oldest = BTreeMap::new();
    for (partition, next) in next {
        let (low, high) = probe.watermarks(partition)?;
        let records = (high - next).max(0);
        if records > 0 && high > low {
            oldest.insert(partition, next.max(low));
        }
        ahead.insert(
            partition,
            Ahead {
                records,
                waiting: None,
            },
        );
    }
    if oldest.is_empty() {
        return Ok(ahead);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    for (partition, ms) in timestamps_at(kafka, &oldest)? {
        let recorded = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        if let Some(ahead) = ahead.get_mut(&partition) {
            ahead.waiting = Some(now.saturating_sub(recorded));
        }
    }
    Ok(ahead)
}

/// A line for the partition, and more when there is more to say.
fn lines(status: &CheckpointStatus, ahead: Option<&Ahead>) -> Vec<String> {
    let state = match (&status.stopped_reason, status.committed_at) {
        (Some(reason), _) => format!("STOPPED {reason}"),
        (None, Some(at)) => format!("committed {}", at.format("%Y-%m-%d %H:%M:%S")),
        (None, None) => "never committed".to_owned(),
    };
    let lag = ahead.map_or_else(|| "?".to_owned(), |ahead| ahead.records.to_string());
    let waiting = ahead
        .and_then(|ahead| ahead.waiting)
        .map_or_else(String::new, short);
    let mut lines = vec![format!(
        "{:<20} {:>9} {:>12} {:>12} {lag:>11} {waiting:>8} {:>12} {:>10} {:>8} {:>8}  {state}",
        status.topic,
        status.partition,
        status.next_offset,
        status.replay_from,
        status.applied,
        status.duplicates,
        status.late,
        status.dead_letters.iter().sum::<i64>()
    )];
    let mut more = |text: &str| lines.push(format!("{:32} {text}", ""));
    if let Some(detail) = &status.stopped_detail {
        more(detail);
    }
    let reason = status.stopped_reason.as_deref().and_then(StopReason::parse);
    if let Some(reason) = reason {
        more(reason.remedy());
    }
    let dead = Reason::ALL.iter().zip(&status.dead_letters);
    let dead: Vec<String> = dead
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{count} {}", reason.as_str()))
        .collect();
    if !dead.is_empty() {
        more(&format!("dead: {}", dead.join(", ")));
    }
    lines
}

/// A duration in its largest unit, such as `44m`.
fn short(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> CheckpointStatus {
        let mut dead_letters = vec![0; Reason::ALL.len()];
        dead_letters[Reason::Conflict as usize] = 12;
        dead_letters[Reason::Orphan as usize] = 18;
        CheckpointStatus {
            topic: "game-events".into(),
            partition: 3,
            next_offset: 281_004,
            replay_from: 280_311,
            records: 281_004,
            applied: 274_230,
            duplicates: 5_620,
            late: 1_124,
            dead_letters,
            committed_at: None,
            stopped_reason: None,
            stopped_detail: None,
        }
    }

    #[test]
    fn a_stopped_partition_says_why_and_how_to_go_on() {
        let stopped = CheckpointStatus {
            stopped_reason: Some("log_gap".into()),
            stopped_detail: Some("the log begins at offset 282000".into()),
            ..status()
        };
        let ahead = Ahead {
            records: 5_120,
            waiting: Some(Duration::from_secs(2_640)),
        };
        let told = lines(&stopped, Some(&ahead)).join("\n");
        let parts = ["5120", "44m", "STOPPED log_gap", "282000", "accept-gap"];
        for part in parts {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn dead_letters_are_told_by_reason_and_in_sum() {
        let told = lines(&status(), None).join("\n");
        for part in [" 30 ", "dead: 12 conflict, 18 orphan", "?"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        let sound = CheckpointStatus {
            dead_letters: vec![0; Reason::ALL.len()],
            ..status()
        };
        assert_eq!(lines(&sound, None).len(), 1);
    }
}
