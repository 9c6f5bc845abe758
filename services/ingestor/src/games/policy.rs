//! The figures of the fold: when a batch is full, when a live game is written, when a run of unreadable records is too long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The figures of the fold. None of them changes which rows the log gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FoldPolicy {
    /// A batch is closed at this many records.
    pub batch_records: u32,
    /// A batch is closed at this many bytes of rows.
    pub batch_bytes: usize,
    /// A batch is closed this long after its first record.
    #[serde(with = "humantime_serde")]
    pub batch_linger: Duration,
    /// A live game is written again after this many plies.
    pub snapshot_plies: u32,
    /// A live game is written again when a change of it has stood unwritten for so long.
    #[serde(with = "humantime_serde")]
    pub snapshot_age: Duration,
    /// A live game is written when its oldest unwritten change is this many offsets back: it bounds what a new owner replays.
    pub max_replay_offsets: i64,
    /// A partition without records for so long writes all its live games.
    #[serde(with = "humantime_serde")]
    pub idle_after: Duration,
    /// This many unreadable records in a row stop the partition, uncommitted, until a build that can read them is deployed.
    pub unreadable_run: u32,
    /// At most so many bytes of an unreadable run are held back uncommitted.
    pub unreadable_run_bytes: usize,
}

impl Default for FoldPolicy {
    fn default() -> Self {
        Self {
            batch_records: 50_000,
            batch_bytes: 32 << 20,
            batch_linger: Duration::from_millis(250),
            snapshot_plies: 10,
            snapshot_age: Duration::from_secs(300),
            max_replay_offsets: 200_000,
            idle_after: Duration::from_secs(2),
            unreadable_run: 1_000,
            unreadable_run_bytes: 32 << 20,
        }
    }
}

/// Why a batch is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// It is full or old enough.
    Due,
    /// The partition fell idle: every live game is written.
    Idle,
    /// The worker shuts down: every live game is written.
    Shutdown,
}

impl CloseReason {
    pub(crate) fn writes_everything(self) -> bool {
        matches!(self, Self::Idle | Self::Shutdown)
    }
}
