//! Games, players, results and the game state machine.
//!
//! Everything here is pure: no I/O, no clock, no randomness. The ingestor folds events through [`LiveGame`], the query API
//! decodes the same types back out of Postgres, and both therefore agree on what a game is.
//!
//! ```text
//! GameEvent ──► LiveGame::apply_move / finish ──► Verdict, FinishedGame
//!                    │  ▲
//!              encode│  │decode          (snapshots, one versioned byte format)
//!                    ▼  │
//!                 live_games.state
//! ```

mod created;
mod end;
mod event;
mod finished;
mod live;
mod moves;
mod text;
mod time;
mod verdict;

pub use created::{CreatedBytes, MAX_PLAYERS, NewGame, NewPlayer};
pub use end::{EndKind, GameEnd, Opening, PlayerRating};
pub use event::{Action, GameEvent};
pub use finished::{FinishedGame, FinishedPlayer, PlayerResult};
pub use live::{LiveGame, LiveGameError, MAX_HELD_MOVES};
pub use moves::{Move, MoveRef, PackedMoves, PackedMovesError};
pub use text::{GameId, PlayerId, ShortText, Slug, TextError};
pub use time::{EventTime, TimeError};
pub use verdict::{Reason, Verdict};
