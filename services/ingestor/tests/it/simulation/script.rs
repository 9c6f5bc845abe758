//! The events of a simulated log, as plain words of the simulator: what a record says is known before it is made into bytes,
//! so the oracle never has to read one.

use std::sync::Arc;

/// A player as a game begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) id: &'static str,
    pub(crate) role: &'static str,
    pub(crate) rating: Option<i32>,
}

/// A game's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) mode: &'static str,
    pub(crate) time_control: Option<&'static str>,
    pub(crate) region: Option<&'static str>,
    pub(crate) players: Vec<Seat>,
}

/// What an end came to. Equal outcomes with equal terminations are the same end, whatever else they carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Win(&'static str),
    Draw,
    NoResult,
    Resigned {
        player: &'static str,
        winner: Option<&'static str>,
    },
    TimedOut {
        player: &'static str,
        winner: Option<&'static str>,
    },
    Aborted,
}

/// A game's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    pub(crate) termination: &'static str,
    pub(crate) ratings: Vec<(&'static str, i32)>,
    pub(crate) move_count: Option<u32>,
    pub(crate) opening: Option<(&'static str, &'static str)>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Create(Beginning),
    Move {
        ply: u32,
        player: &'static str,
        text: &'static str,
        clock_ms: Option<u64>,
    },
    End(Ending),
}

/// One event of one game.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) game: Arc<str>,
    pub(crate) at_ms: i64,
    pub(crate) what: What,
}

/// What a record says.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// An event within the contract.
    Event(Event),
    /// Nothing that a fold can take: the reason, and the game where that much can be read.
    Refused {
        reason: &'static str,
        game: Option<Arc<str>>,
    },
}

/// A record of the log.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) says: Says,
}

impl Entry {
    /// Whether a newer build might read what this one can't.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(
            self.says,
            Says::Refused {
                reason: "undecodable" | "unsupported",
                ..
            }
        )
    }

    /// The game it names, where that can be read.
    pub(crate) fn game(&self) -> Option<&str> {
        match &self.says {
            Says::Event(event) => Some(&event.game),
            Says::Refused { game, .. } => game.as_deref(),
        }
    }

    /// The record in a few words.
    pub(crate) fn words(&self) -> String {
        let Self { offset, .. } = self;
        match &self.says {
            Says::Refused { reason, .. } => format!("{offset}:{reason}"),
            Says::Event(Event { game, what, .. }) => match what {
                What::Create(beginning) => format!("{offset}:{game}.create({})", beginning.mode),
                What::Move {
                    ply, player, text, ..
                } => {
                    format!("{offset}:{game}.{ply}={player}/{text}")
                }
                What::End(ending) => {
                    format!(
                        "{offset}:{game}.end({:?} {})",
                        ending.outcome, ending.termination
                    )
                }
            },
        }
    }
}
