//! A game that is over: what is written once and read for ever.

use serde::{Deserialize, Serialize};

use crate::{EventTime, GameId, NewGame, Opening, PackedMoves, PlayerId, Slug};

/// A finished game with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedGame {
    /// Its id.
    pub id: GameId,
    /// Its beginning. The players stand here without their results, see `players`.
    pub created: NewGame,
    /// When it began, by its create's producer.
    pub started_at: EventTime,
    /// When it ended, by its end's producer.
    pub ended_at: EventTime,
    /// Who won, when somebody did.
    pub winner: Option<PlayerId>,
    /// Whether it is a draw.
    pub drawn: bool,
    /// By what it ended, such as `checkmate`, `resignation`, `timeout` or `abandoned`.
    pub termination: Slug,
    /// How many moves are stored.
    pub move_count: u32,
    /// A move is missing, or the producer counted more of them.
    pub incomplete: bool,
    /// The moves in ply order; plies beyond a gap keep their numbers.
    pub moves: PackedMoves,
    /// The opening, where the producer knew it.
    pub opening: Option<Opening>,
    /// The players with their results, in the order of the create.
    pub players: Vec<FinishedPlayer>,
    /// The end's line in the directory: see [`crate::GameEnd::fingerprint`].
    pub end_fingerprint: String,
}

/// A player of a finished game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedPlayer {
    /// Who.
    pub id: PlayerId,
    /// Which side or seat.
    pub role: Slug,
    /// The rating before the game.
    pub rating: Option<i32>,
    /// The rating after the game.
    #[serde(rename = "ratingAfter")]
    pub rating_after: Option<i32>,
    /// What the game was for this player.
    pub result: PlayerResult,
}

/// What a game was for one of its players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlayerResult {
    /// Won.
    Win,
    /// Lost.
    Loss,
    /// Drawn.
    Draw,
    /// Without a result.
    None,
}

impl PlayerResult {
    /// The name in the database and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::Loss => "loss",
            Self::Draw => "draw",
            Self::None => "none",
        }
    }
}

impl FinishedGame {
    /// `win`, `draw` or `none`: the name of the result in the database and the API.
    #[must_use]
    pub fn result(&self) -> &'static str {
        match (&self.winner, self.drawn) {
            (Some(_), _) => "win",
            (None, true) => "draw",
            (None, false) => "none",
        }
    }
}
