//! Why a partition stops until an operator acts, and what the operator can do: one table for log, metrics, health and `status`.

use std::fmt;

use serde::Serialize;
use store::ingest::ClaimRefused;

/// Why a partition is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Kafka has removed records that were not read.
    LogGap,
    /// Many records in a row can't be read by this build.
    UnreadableRun,
    /// The topic or its cluster is another one than the checkpoint's.
    TopicRecreated,
    /// The topic has another number of partitions than the checkpoint says.
    PartitionCountChanged,
    /// A row of `live_games` can't be read.
    DamagedSnapshot,
    /// The database refuses what a batch says.
    BatchRefused,
}

impl StopReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::LogGap,
        Self::UnreadableRun,
        Self::TopicRecreated,
        Self::PartitionCountChanged,
        Self::DamagedSnapshot,
        Self::BatchRefused,
    ];

    /// The name in `stopped_reason`, the metrics and the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogGap => "log_gap",
            Self::UnreadableRun => "unreadable_run",
            Self::TopicRecreated => "topic_recreated",
            Self::PartitionCountChanged => "partition_count_changed",
            Self::DamagedSnapshot => "damaged_snapshot",
            Self::BatchRefused => "batch_refused",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// What an operator can do, in one line.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::LogGap => {
                "raise the topic's retention; if the records can't be had back, `ingestor accept-gap` says what is lost and goes on"
            }
            Self::UnreadableRun => {
                "deploy a build that can read these records; or mend the producer and raise games.fold.unreadable_run for one \
                 start, which makes them dead letters"
            }
            Self::TopicRecreated => {
                "point kafka.brokers and kafka.topic at the log the history was built from, or begin a new history"
            }
            Self::PartitionCountChanged => {
                "Kafka takes no partitions away: move the producers to a new topic of the wanted size and begin a new history"
            }
            Self::DamagedSnapshot => {
                "a row of live_games is damaged: put it back from a backup, and report it"
            }
            Self::BatchRefused => "this is a defect: report it with the log",
        }
    }

    /// Whether a claim finds it: a claim that passes says that it is over. The others show only when records are read again.
    pub(crate) fn is_seen_by_claims(self) -> bool {
        match self {
            Self::LogGap
            | Self::TopicRecreated
            | Self::PartitionCountChanged
            | Self::DamagedSnapshot => true,
            Self::UnreadableRun | Self::BatchRefused => false,
        }
    }
}

impl From<&ClaimRefused> for StopReason {
    fn from(refused: &ClaimRefused) -> Self {
        match refused {
            ClaimRefused::TopicRecreated { .. } => Self::TopicRecreated,
            ClaimRefused::PartitionCountChanged { .. } => Self::PartitionCountChanged,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stop: why, and what exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// What exactly, for a person.
    pub detail: String,
}

impl Stop {
    pub(crate) fn new(reason: StopReason, detail: impl fmt::Display) -> Self {
        Self {
            reason,
            detail: detail.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_name() {
        for reason in StopReason::ALL {
            assert_eq!(StopReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(StopReason::parse("bored"), None);
    }

    #[test]
    fn the_documents_say_how_to_go_on_from_every_stop() {
        let documents = [
            include_str!("../../../docs/OPERATIONS.md"),
            include_str!("../../../docs/DELIVERY.md"),
        ];
        for reason in StopReason::ALL {
            let name = format!("`{reason}`");
            assert!(documents.iter().all(|text| text.contains(&name)), "{name}");
        }
    }
}
