//! The crate from outside: real games, and laws that hold for every game and every text.

mod laws;
mod real_games;
