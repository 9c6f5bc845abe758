//! What the fold says of one record. Every record gets exactly one verdict, which is what makes counters add up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The one decision about one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It changed a game. A held move counts on its arrival.
    Applied,
    /// It says again what was already accepted.
    Duplicate,
    /// It belongs to a game that has already ended and is not another end.
    Late,
    /// It is set aside, whole, with the reason.
    DeadLetter(Reason),
}

/// Why a record is set aside as a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Not JSON, or not the shape of an event.
    Undecodable,
    /// An event type or schema version this build does not know.
    Unsupported,
    /// The record's key is missing or differs from its `gameId`.
    KeyMismatch,
    /// A value outside its limits, or an event its game cannot take.
    Invalid,
    /// It contradicts an accepted event: another create, another move at that ply, another end.
    Conflict,
    /// No create for this game came before it.
    Orphan,
    /// It arrived too far ahead: the game already holds as many moves as it may.
    GapOverflow,
    /// Its game was finished from another partition.
    SplitKey,
}

impl Reason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Undecodable,
        Self::Unsupported,
        Self::KeyMismatch,
        Self::Invalid,
        Self::Conflict,
        Self::Orphan,
        Self::GapOverflow,
        Self::SplitKey,
    ];

    /// The name in the database, the metrics and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Unsupported => "unsupported",
            Self::KeyMismatch => "key_mismatch",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Orphan => "orphan",
            Self::GapOverflow => "gap_overflow",
            Self::SplitKey => "split_key",
        }
    }

    /// Whether a newer build might read what this one could not. A run of these stops a partition before it is committed.
    #[must_use]
    pub fn is_unreadable(self) -> bool {
        matches!(self, Self::Undecodable | Self::Unsupported)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
