//! How far each partition is archived, for health, metrics and logs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// What is being done about a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its chain is being read.
    Claiming,
    /// Its records are being archived.
    Owned,
    /// It waits for an operator.
    Stopped,
}

impl Phase {
    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claiming => "claiming",
            Self::Owned => "owned",
            Self::Stopped => "stopped",
        }
    }
}

/// How far a partition is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionProgress {
    /// What is being done.
    pub phase: Phase,
    /// The offset after the last archived one, where it is known.
    pub archived_to: Option<i64>,
    /// What the store or the log answers instead of working.
    pub trouble: Option<String>,
    /// Why it is stopped.
    pub stopped: Option<&'static str>,
}

impl PartitionProgress {
    /// Nothing is known yet.
    #[must_use]
    pub fn claiming() -> Self {
        Self {
            phase: Phase::Claiming,
            archived_to: None,
            trouble: None,
            stopped: None,
        }
    }
}

/// The progress of every partition of a process, by topic and partition. Owners write, anyone reads.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<PartitionsByTopic>>);

/// The progress of partitions, by topic and number.
pub type PartitionsByTopic = BTreeMap<(String, i32), PartitionProgress>;

impl Progress {
    fn lock(&self) -> MutexGuard<'_, PartitionsByTopic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn update(
        &self,
        topic: &str,
        partition: i32,
        change: impl FnOnce(&mut PartitionProgress),
    ) {
        let mut all = self.lock();
        let progress = all.entry((topic.to_owned(), partition));
        change(progress.or_insert_with(PartitionProgress::claiming));
    }

    pub(crate) fn remove(&self, topic: &str, partition: i32) {
        self.lock().remove(&(topic.to_owned(), partition));
    }

    /// The progress of every partition.
    #[must_use]
    pub fn all(&self) -> PartitionsByTopic {
        self.lock().clone()
    }
}
