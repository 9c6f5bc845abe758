//! How far each partition is, for health, metrics and logs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::time::Instant;

use crate::stops::Stop;

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
    /// All phases.
    pub const ALL: [Self; 4] = [Self::Claiming, Self::Replaying, Self::Live, Self::Stopped];

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

/// How far a partition is, as its worker last told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionProgress {
    /// When the worker told. A worker that waits for an answer tells nothing meanwhile.
    pub told_at: Instant,
    /// What it is doing.
    pub phase: Phase,
    /// The first offset that is not committed, once a claim has told.
    pub next_offset: Option<i64>,
    /// The own timestamp of the oldest record that was read and is not committed.
    pub oldest_waiting_ms: Option<i64>,
    /// Games in progress in memory.
    pub live_games: usize,
    /// Whether the worker has as many batches on their way to the database as it may have.
    pub commits_full: bool,
    /// Why it is stopped.
    pub stop: Option<Stop>,
}

#[derive(Debug, Default)]
struct Told {
    partitions: BTreeMap<i32, PartitionProgress>,
    no_session: Option<String>,
}

/// The progress of every partition of a process. Workers write, anyone reads.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Told>);

impl Progress {
    fn told(&self) -> MutexGuard<'_, Told> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, partition: i32, progress: PartitionProgress) {
        self.told().partitions.insert(partition, progress);
    }

    pub(crate) fn remove(&self, partition: i32) {
        self.told().partitions.remove(&partition);
    }

    /// Notes why there is no database session, or that there is one again.
    pub(crate) fn set_no_session(&self, why: Option<String>) {
        self.told().no_session = why;
    }

    /// The progress of every partition.
    #[must_use]
    pub fn all(&self) -> BTreeMap<i32, PartitionProgress> {
        self.told().partitions.clone()
    }

    /// Why the last try to open database sessions failed, while there are none.
    #[must_use]
    pub fn no_session(&self) -> Option<String> {
        self.told().no_session.clone()
    }
}
