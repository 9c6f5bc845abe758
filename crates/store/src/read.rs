//! The statements that read the history. Each takes a session from [`crate::Pool`] and returns what it found, or rows.
//!
//! Lists are walked by keyset over `(ended_at, game_id)`, newest first: a [`Place`] says where the last page stopped. There
//! are no offsets and no caps, so a walk costs the same on every page.

mod filter;
mod game;
mod player_games;

pub use filter::{GameFilter, Place};
pub use game::{FoundGame, LiveSnapshot, StoredGame, game};
pub use player_games::{PlayerGame, player_games};
