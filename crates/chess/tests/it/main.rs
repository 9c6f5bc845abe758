//! The crate from outside: real games, and laws that hold for every game and every text.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod laws;
mod real_games;
