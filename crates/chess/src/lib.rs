//! Chess: positions, notation and PGN, over a rules library under a permissive licence.
//!
//! [`Position`] is a board with legal moves, [`Game`] a position that remembers how it came about and so knows repetitions,
//! [`pgn`] reads and writes games as text. Everything is pure; nothing here panics on any input.
//!
//! ```
//! let end = chess::replay(None, ["e2e4", "e7e5", "d1h5", "b8c6", "f1c4", "g8f6", "h5f7"])?;
//! assert_eq!(end, "r1bqkb1r/pppp1Qpp/2n2n2/4p3/2B1P3/8/PPPP1PPP/RNB1K1NR b KQkq - 0 4");
//! # Ok::<(), chess::ReplayError>(())
//! ```

mod clock;
mod game;
pub mod pgn;
mod position;
mod san;
mod uci;

pub use clock::Clock;
pub use game::{Drawn, Game, Outcome, ReplayError, replay};
pub use position::{Color, FenError, LegalMove, MoveError, Position, START_FEN};
pub use uci::UciMove;
