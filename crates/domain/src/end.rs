//! How a game ends: four kinds of event, one outcome, and the fingerprint by which later ends are judged.

use serde::{Deserialize, Serialize};

use crate::{PlayerId, ShortText, Slug};

/// A game's end as its event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameEnd {
    /// Which kind of end.
    pub kind: EndKind,
    /// The players' ratings after the game, where the producer gives them.
    pub ratings: Vec<PlayerRating>,
    /// How many moves the producer counts; fewer accepted ones make the game incomplete.
    pub move_count: Option<u32>,
    /// The opening, where the producer knows it.
    pub opening: Option<Opening>,
}

/// The kind of end and whom it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndKind {
    /// Somebody won over the board.
    Won {
        /// The winner.
        winner: PlayerId,
        /// By what, such as `checkmate`.
        termination: Slug,
    },
    /// Nobody won.
    Drawn {
        /// By what, such as `stalemate`.
        termination: Slug,
    },
    /// It ended without a result.
    NoResult {
        /// By what, such as `cancelled`.
        termination: Slug,
    },
    /// A player gave up; the only other player wins, or `winner` where there are more.
    Resigned {
        /// Who gave up.
        player: PlayerId,
        /// Who wins; needed where more than two play.
        winner: Option<PlayerId>,
    },
    /// A player's time ran out; the only other player wins, or `winner` where there are more.
    TimedOut {
        /// Whose time ran out.
        player: PlayerId,
        /// Who wins; needed where more than two play.
        winner: Option<PlayerId>,
    },
    /// It was broken off: by a player, the platform, or because it just stopped.
    Aborted {
        /// `aborted`, or `abandoned` for a game that just stopped.
        termination: Slug,
    },
}

/// A player's rating after the game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerRating {
    /// Who.
    pub player: PlayerId,
    /// The new rating.
    pub rating: i32,
}

/// A named opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Its code, such as `C42` of the ECO.
    pub code: ShortText,
    /// Its name, where given.
    pub name: Option<ShortText>,
}

impl GameEnd {
    /// The end in one line, from the event alone: result and termination, not ratings or counts.
    ///
    /// The directory keeps the first accepted end's line, and a later end with the same line is a duplicate. It has no
    /// control characters and names no more players than the event does.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fn third(winner: Option<&PlayerId>) -> String {
            winner.map(|w| format!(" to {w}")).unwrap_or_default()
        }
        match &self.kind {
            EndKind::Won {
                winner,
                termination,
            } => format!("won {termination} {winner}"),
            EndKind::Drawn { termination } => format!("drawn {termination}"),
            EndKind::NoResult { termination } => format!("no_result {termination}"),
            EndKind::Resigned { player, winner } => {
                format!("resigned {player}{}", third(winner.as_ref()))
            }
            EndKind::TimedOut { player, winner } => {
                format!("timed_out {player}{}", third(winner.as_ref()))
            }
            EndKind::Aborted { termination } => format!("aborted {termination}"),
        }
    }
}
