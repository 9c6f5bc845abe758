//! Which games of a list are wanted, and where in it to go on: the same words for every list.

use chrono::{DateTime, Utc};
use domain::{EventTime, GameId, PlayerId, PlayerResult, ShortText, Slug};

/// Which games are wanted: those that match every field given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GameFilter {
    /// In which setting it was played, such as `rated`.
    pub mode: Option<Slug>,
    /// By which rules, such as `standard`.
    pub variant: Option<Slug>,
    /// How time was kept, such as `180+1`.
    pub time_control: Option<ShortText>,
    /// What it was for the player whose list it is.
    pub result: Option<PlayerResult>,
    /// Who played against that player.
    pub opponent: Option<PlayerId>,
    /// Ended at this time or later.
    pub since: Option<EventTime>,
    /// Ended before this time.
    pub until: Option<EventTime>,
}

/// A game's place in a list that is ordered by `(ended_at, game_id)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// When the game ended, to the microsecond as Postgres keeps it.
    pub ended_at: DateTime<Utc>,
    /// The game.
    pub game_id: GameId,
}
