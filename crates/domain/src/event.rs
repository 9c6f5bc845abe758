//! An event as the fold sees it: checked, borrowed from the record it came in, free of the wire format.

use crate::{EventTime, GameEnd, NewGame};

/// One thing that happened in one game. `game_id` has passed [`crate::GameId::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameEvent<'a> {
    /// The game it belongs to.
    pub game_id: std::borrow::Cow<'a, str>,
    /// When it happened, by its producer's clock.
    pub at: EventTime,
    /// What happened.
    pub action: Action<'a>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<'a> {
    /// The game began.
    Create(Box<NewGame>),
    /// A player moved.
    Move {
        /// Which move, counting plies from 1.
        ply: u32,
        /// Who moved.
        player_id: std::borrow::Cow<'a, str>,
        /// The move, as its game writes it (UCI for chess).
        text: std::borrow::Cow<'a, str>,
        /// The mover's clock after the move, in milliseconds.
        clock_ms: Option<u64>,
    },
    /// The game ended.
    End(Box<GameEnd>),
}
