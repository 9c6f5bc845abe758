//! Why a game is not read, for a person who has the file in front of them.

use crate::{FenError, MoveError};

/// A game that was refused. The games after it are read.
#[derive(Debug, thiserror::Error)]
#[error("game {number}, line {line}: {reason}")]
pub struct Refused {
    /// Which game of the file, counting from 1.
    pub number: u64,
    /// The line where reading it stopped, counting from 1.
    pub line: u64,
    /// Why.
    pub reason: Reason,
}

/// Why a game was refused.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// Its rules are not those of standard chess.
    #[error("variant {0:?} is not supported: only standard chess is")]
    Variant(String),
    /// Its FEN tag is no position.
    #[error("the FEN tag {0}")]
    Start(#[from] FenError),
    /// It says that it starts from a set-up position and does not give it.
    #[error("the SetUp tag says 1 and there is no FEN tag")]
    MissingFen,
    /// A move can't be played.
    #[error("ply {ply}: {text:?} {source}")]
    Move {
        /// Which move, counting plies from 1.
        ply: usize,
        /// Its text.
        text: String,
        /// What is wrong with it.
        source: MoveError,
    },
    /// A pass, which chess does not have.
    #[error("ply {ply} is a null move")]
    NullMove {
        /// Which move, counting plies from 1.
        ply: usize,
    },
    /// More moves than a game can have.
    #[error("more than {} plies", super::MAX_PLIES)]
    TooManyPlies,
    /// More tags than anybody writes.
    #[error("more than {0} tags")]
    TooManyTags(usize),
    /// The tag and the movetext contradict each other.
    #[error("the Result tag says {tag} and the moves end with {movetext}")]
    Result {
        /// The tag's.
        tag: &'static str,
        /// The movetext's.
        movetext: &'static str,
    },
    /// A `{` without its `}`.
    #[error("the comment opened on line {opened} is not closed")]
    OpenComment {
        /// Where it begins.
        opened: u64,
    },
    /// A `(` without its `)`.
    #[error("the variation opened on line {opened} is not closed")]
    OpenVariation {
        /// Where the outermost one begins.
        opened: u64,
    },
    /// A `)` without its `(`.
    #[error("a variation is closed that was not opened")]
    UnopenedVariation,
    /// A tag that is not `[Name "value"]` on one line.
    #[error("a tag is not of the form [Name \"value\"]")]
    Tag,
    /// A tag or a word that is too long to be one.
    #[error("a {what} of more than {most} bytes")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// The limit, in bytes.
        most: usize,
    },
    /// A character that means nothing here.
    #[error("unexpected {0:?}")]
    Unexpected(char),
    /// The bytes are UTF-16.
    #[error("the file is UTF-16: convert it to UTF-8")]
    Utf16,
    /// The file can't be read any further; nothing follows.
    #[error("can't read on: {0}")]
    Io(#[from] std::io::Error),
}
