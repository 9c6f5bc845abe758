//! A game in play: a position that remembers what came before, and so knows when it is over.

use std::collections::HashMap;

use crate::{Color, FenError, LegalMove, MoveError, Position, UciMove};

/// How the rules end a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The side to move is mated.
    Checkmate {
        /// Who gave mate.
        winner: Color,
    },
    /// Nobody wins.
    Draw(Drawn),
}

/// Why nobody wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Drawn {
    /// The side to move has no move and is not in check.
    Stalemate,
    /// Neither side can ever mate.
    InsufficientMaterial,
    /// The position stands for the third time.
    Repetition,
    /// Fifty moves of both sides without capture or pawn move.
    FiftyMoves,
}

impl Drawn {
    /// The termination an event names it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stalemate => "stalemate",
            Self::InsufficientMaterial => "insufficient_material",
            Self::Repetition => "repetition",
            Self::FiftyMoves => "fifty_moves",
        }
    }
}

/// A game from its start position.
#[derive(Debug, Clone)]
pub struct Game {
    position: Position,
    moves: Vec<UciMove>,
    seen: HashMap<u64, u32>,
}

impl Game {
    /// Begins a game at a position.
    #[must_use]
    pub fn from_position(position: Position) -> Self {
        let seen = HashMap::from([(position.repetition_key(), 1)]);
        Self {
            position,
            moves: Vec::new(),
            seen,
        }
    }

    /// Begins a game at a FEN, or at the usual start.
    ///
    /// # Errors
    /// [`FenError`] when the FEN is no position.
    pub fn new(start_fen: Option<&str>) -> Result<Self, FenError> {
        Ok(Self::from_position(match start_fen {
            Some(fen) => Position::from_fen(fen)?,
            None => Position::start(),
        }))
    }

    /// The position now.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The moves so far.
    #[must_use]
    pub fn moves(&self) -> &[UciMove] {
        &self.moves
    }

    /// Plays a move of the present position.
    ///
    /// # Errors
    /// [`MoveError::Illegal`] when the move is another position's; the game stays as it was.
    pub fn play(&mut self, mv: LegalMove) -> Result<(), MoveError> {
        self.position.play(mv)?;
        self.moves.push(mv.uci());
        *self.seen.entry(self.position.repetition_key()).or_default() += 1;
        Ok(())
    }

    /// How often the present position has stood, this time included.
    #[must_use]
    pub fn times_seen(&self) -> u32 {
        self.seen
            .get(&self.position.repetition_key())
            .copied()
            .unwrap_or(1)
    }

    /// How the rules end the game here, or would if a player claimed the draw; `None` while it goes on.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        if !self.position.has_legal_moves() {
            let winner = self.position.turn().other();
            return Some(match self.position.is_check() {
                true => Outcome::Checkmate { winner },
                false => Outcome::Draw(Drawn::Stalemate),
            });
        }
        let drawn = if self.position.is_insufficient_material() {
            Drawn::InsufficientMaterial
        } else if self.times_seen() >= 3 {
            Drawn::Repetition
        } else if self.position.halfmove_clock() >= 100 {
            Drawn::FiftyMoves
        } else {
            return None;
        };
        Some(Outcome::Draw(drawn))
    }
}

/// Why a game can't be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The start is no position.
    #[error("the start position {source}")]
    Start {
        /// What is wrong with it.
        #[from]
        source: FenError,
    },
    /// A move can't be played.
    #[error("move {text:?} at ply {ply} {source}")]
    Move {
        /// Which move, counting plies from 1.
        ply: usize,
        /// Its text.
        text: String,
        /// What is wrong with it.
        source: MoveError,
    },
}

/// Plays UCI moves from a FEN, or the usual start, and gives the FEN of the last position.
///
/// # Errors
/// [`ReplayError`]: a start that is no position, or the first move that is not legal.
pub fn replay<M: AsRef<str>>(
    start_fen: Option<&str>,
    moves: impl IntoIterator<Item = M>,
) -> Result<String, ReplayError> {
    let mut position = start_fen.map_or_else(|| Ok(Position::start()), Position::from_fen)?;
    for (index, text) in moves.into_iter().enumerate() {
        let mv = position.parse_uci(text.as_ref());
        mv.and_then(|mv| position.play(mv))
            .map_err(|source| ReplayError::Move {
                ply: index + 1,
                text: text.as_ref().to_owned(),
                source,
            })?;
    }
    Ok(position.fen())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(start: Option<&str>, moves: &str) -> Option<Outcome> {
        let mut game = Game::new(start).unwrap();
        for text in moves.split_whitespace() {
            assert_eq!(game.outcome(), None, "before {text}");
            game.play(game.position().parse_uci(text).unwrap()).unwrap();
        }
        game.outcome()
    }

    #[test]
    fn a_mate_names_its_winner() {
        let winner = Color::Black;
        assert_eq!(
            outcome(None, "f2f3 e7e5 g2g4 d8h4"),
            Some(Outcome::Checkmate { winner })
        );
    }

    #[test]
    fn a_stalemate_is_a_draw() {
        let fen = Some("7k/8/4Q3/8/8/8/8/K7 w - - 0 1");
        assert_eq!(outcome(fen, "e6f7"), Some(Outcome::Draw(Drawn::Stalemate)));
    }

    #[test]
    fn bare_kings_and_bishops_of_one_colour_can_not_mate() {
        let last_pawn = Some("8/8/8/8/8/3k4/4p3/4K2B w - - 0 1");
        assert_eq!(
            outcome(last_pawn, "h1f3 d3e3 f3e2"),
            Some(Outcome::Draw(Drawn::InsufficientMaterial))
        );
    }

    #[test]
    fn the_third_time_is_a_repetition_and_an_idle_en_passant_square_does_not_hide_it() {
        // After 1.e4 nothing can take on e3, so the position after 1.e4 itself counts as the first time.
        let moves = "e2e4 g8f6 g1f3 f6g8 f3g1 g8f6 g1f3 f6g8 f3g1";
        assert_eq!(outcome(None, moves), Some(Outcome::Draw(Drawn::Repetition)));
    }

    #[test]
    fn a_hundred_quiet_plies_are_fifty_moves() {
        let fen = Some("4k3/8/8/8/8/8/4P3/R3K3 w - - 99 80");
        assert_eq!(outcome(fen, "a1a2"), Some(Outcome::Draw(Drawn::FiftyMoves)));
        assert_eq!(outcome(fen, "e2e3"), None);
    }

    #[test]
    fn a_replay_names_the_ply_that_is_illegal() {
        let error = replay(None, ["e2e4", "e7e5", "e4e5"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "move \"e4e5\" at ply 3 is not legal here"
        );
        assert!(replay(Some("nonsense"), ["e2e4"]).is_err());
    }
}
