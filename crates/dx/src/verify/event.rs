//! What a record says, and the verdicts on it: plain data in the words of the documents, without any rule.

use std::borrow::Cow;
use std::fmt;

/// Why a record is set aside; the names are those in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    Undecodable,
    Unsupported,
    KeyMismatch,
    Invalid,
    Conflict,
    Orphan,
    GapOverflow,
}

impl Reason {
    pub(super) fn name(self) -> &'static str {
        Verdict::DeadLetter(self).name()
    }
}

/// The one decision about one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Applied,
    Duplicate,
    Late,
    DeadLetter(Reason),
}

/// How many verdicts there are.
pub(super) const VERDICTS: usize = 10;

impl Verdict {
    /// The columns of `stream_checkpoints` that count verdicts, in [`Verdict::place`] order.
    pub(super) const COLUMNS: [&'static str; VERDICTS] = [
        "applied",
        "duplicates",
        "late",
        "undecodable",
        "unsupported",
        "key_mismatch",
        "invalid",
        "conflict",
        "orphan",
        "gap_overflow",
    ];

    /// Its place among the counters.
    pub(super) fn place(self) -> usize {
        match self {
            Self::Applied => 0,
            Self::Duplicate => 1,
            Self::Late => 2,
            Self::DeadLetter(Reason::Undecodable) => 3,
            Self::DeadLetter(Reason::Unsupported) => 4,
            Self::DeadLetter(Reason::KeyMismatch) => 5,
            Self::DeadLetter(Reason::Invalid) => 6,
            Self::DeadLetter(Reason::Conflict) => 7,
            Self::DeadLetter(Reason::Orphan) => 8,
            Self::DeadLetter(Reason::GapOverflow) => 9,
        }
    }

    /// Its counter's column; for a dead letter also its reason in the database.
    pub(super) fn name(self) -> &'static str {
        Self::COLUMNS[self.place()]
    }
}

/// A record that is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    /// The game it names, where that much can be read and is an id at all.
    pub(super) game_id: Option<String>,
    /// What is wrong, for a person.
    pub(super) detail: String,
}

/// A record that is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) game_id: Cow<'a, str>,
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    pub(super) action: Action<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action<'a> {
    Create(Box<Beginning>),
    Move {
        ply: u32,
        player: Cow<'a, str>,
        text: Cow<'a, str>,
        clock_ms: Option<u64>,
    },
    End(Box<Ending>),
}

/// What a create says of a game; two creates say the same when these are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) game: String,
    pub(super) variant: String,
    pub(super) mode: String,
    pub(super) time_control: Option<String>,
    pub(super) region: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) tournament: Option<String>,
    pub(super) start_position: Option<String>,
    pub(super) players: Vec<Seat>,
}

/// A player as the game begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) id: String,
    pub(super) role: String,
    pub(super) rating: Option<i32>,
}

/// What an end says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) how: How,
    /// Players and their new ratings, in the order given.
    pub(super) ratings: Vec<(String, i32)>,
    pub(super) move_count: Option<u32>,
    /// Code and name.
    pub(super) opening: Option<(String, Option<String>)>,
}

/// The kind of end and whom it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    Won {
        winner: String,
        by: String,
    },
    Drawn {
        by: String,
    },
    NoResult {
        by: String,
    },
    Resigned {
        player: String,
        winner: Option<String>,
    },
    TimedOut {
        player: String,
        winner: Option<String>,
    },
    Aborted {
        by: String,
    },
}

/// The directory's line for an end: later ends with the same line are duplicates of it.
impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, player, winner) = match self {
            Self::Won { winner, by } => return write!(f, "won {by} {winner}"),
            Self::Drawn { by } => return write!(f, "drawn {by}"),
            Self::NoResult { by } => return write!(f, "no_result {by}"),
            Self::Aborted { by } => return write!(f, "aborted {by}"),
            Self::Resigned { player, winner } => ("resigned", player, winner),
            Self::TimedOut { player, winner } => ("timed_out", player, winner),
        };
        match winner {
            None => write!(f, "{word} {player}"),
            Some(winner) => write!(f, "{word} {player} to {winner}"),
        }
    }
}
