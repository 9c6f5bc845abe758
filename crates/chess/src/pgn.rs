//! Portable Game Notation: games as text.
//!
//! ```text
//! bytes ──► Source ──► Lexer ──► Reader ──► FoundGame or Refused, one after the other
//!                                              │
//!                                        write ▼
//!                                             text
//! ```
//!
//! [`Reader`] reads one game at a time in bounded memory, whatever the file's size, and refuses a game rather than guess at
//! it; reading goes on with the next one. [`write()`] is its inverse.

mod lexer;
mod reader;
mod refused;
mod source;
mod write;

pub use reader::Reader;
pub use refused::{Reason, Refused};
pub use write::write;

use crate::{Clock, Outcome, Position, UciMove};

/// The most plies a game may have. The longest game that the rules allow has fewer.
pub const MAX_PLIES: usize = 20_000;

/// A game as PGN tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgnGame {
    /// The tags in their order.
    pub tags: Tags,
    /// The position it starts from when that is not the usual one.
    pub start_fen: Option<String>,
    /// The moves of the main line, each legal.
    pub moves: Vec<PgnMove>,
    /// The result, from the movetext or the tag.
    pub result: PgnResult,
}

/// A move of the main line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgnMove {
    /// The move.
    pub uci: UciMove,
    /// The mover's clock after it, from `[%clk …]`.
    pub clock: Option<Clock>,
}

/// A result as PGN writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PgnResult {
    /// `1-0`
    WhiteWins,
    /// `0-1`
    BlackWins,
    /// `1/2-1/2`
    Draw,
    /// `*`: unfinished, or nobody knows.
    Unknown,
}

impl PgnResult {
    /// The text in tag and movetext.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WhiteWins => "1-0",
            Self::BlackWins => "0-1",
            Self::Draw => "1/2-1/2",
            Self::Unknown => "*",
        }
    }

    /// Reads the text; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "1-0" => Self::WhiteWins,
            "0-1" => Self::BlackWins,
            "1/2-1/2" | "1/2" | "½-½" => Self::Draw,
            "*" => Self::Unknown,
            _ => return None,
        })
    }
}

/// Tags in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// The value of a tag, whatever the case of its name; the first one where there are several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The same, but `None` also for what PGN writes for "not known": nothing, `?` or `-`.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<&str> {
        self.get(name)
            .map(str::trim)
            .filter(|value| !matches!(*value, "" | "?" | "-"))
    }

    /// Adds a tag at the end.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Every tag in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A game and where it was found.
#[derive(Debug, Clone)]
pub struct FoundGame {
    /// Which game of the file, counting from 1.
    pub number: u64,
    /// The line it begins on, counting from 1.
    pub line: u64,
    /// The game.
    pub game: PgnGame,
    /// The position after its last move.
    pub end: Position,
    /// How the rules end it there, if they do.
    pub outcome: Option<Outcome>,
}
