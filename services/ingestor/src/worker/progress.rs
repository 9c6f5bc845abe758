//! How far each partition is, for health, metrics and logs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What a partition is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting for its claim.
    Claiming,
    /// Rebuilding memory from the log.
    Replaying,
    /// Folding new records.
    Live,
    /// Waiting for an operator.
    Stopped,
}

impl Phase {
    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claiming => "claiming",
            Self::Replaying => "replaying",
            Self::Live => "live",
            Self::Stopped => "stopped",
        }
    }
}

/// How far a partition is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionProgress {
    /// What it is doing.
    pub phase: Phase,
    /// Records between the last commit and the newest record, where both are known.
    pub lag_records: Option<i64>,
    /// Games in progress in memory.
    pub live_games: usize,
    /// Why it is stopped.
    pub stopped: Option<&'static str>,
}

/// The progress of every partition of a process. Workers write, anyone reads.
#[derive(Debug, Default)]
pub struct Progress(Mutex<BTreeMap<i32, PartitionProgress>>);

impl Progress {
    pub(crate) fn set(&self, partition: i32, progress: PartitionProgress) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(partition, progress);
    }

    pub(crate) fn remove(&self, partition: i32) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&partition);
    }

    /// The progress of every partition.
    #[must_use]
    pub fn all(&self) -> BTreeMap<i32, PartitionProgress> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
