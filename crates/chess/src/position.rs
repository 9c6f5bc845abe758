//! A position: where the pieces stand, who moves, and which moves are legal.
//!
//! Invariant: the board names an en passant square only when a legal en passant capture exists. Two positions that FIDE
//! calls the same are therefore equal here, hash the same and have the same FEN but for its counters.

use std::fmt;

use owlchess::movegen::legal;
use owlchess::{Board, MoveKind};

use crate::{UciMove, san};

/// The FEN of the usual start.
pub const START_FEN: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";

/// The highest move number and half-move clock a FEN may have: far beyond any game, far below where counters overflow.
const MAX_FEN_COUNTER: u16 = 10_000;

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Color {
    /// The side that usually moves first.
    White,
    /// The other side.
    Black,
}

impl Color {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::White => Self::Black,
            Self::Black => Self::White,
        }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::White => "White",
            Self::Black => "Black",
        })
    }
}

/// Why a FEN is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FenError {
    /// Its text is not a FEN, or its pieces can't stand so.
    #[error("is not a chess position: {reason}")]
    Impossible {
        /// What is wrong.
        reason: String,
    },
    /// A counter is out of any game's reach.
    #[error("has a counter above {MAX_FEN_COUNTER}")]
    CounterTooHigh,
}

/// Why a text is no legal move here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The text is no move in this notation.
    #[error("is not a move")]
    NotAMove,
    /// No legal move is written so.
    #[error("is not legal here")]
    Illegal,
    /// More than one legal move is written so.
    #[error("could be more than one move")]
    Ambiguous,
}

/// A move that was legal in the position that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LegalMove(pub(crate) owlchess::Move);

impl LegalMove {
    /// The move in UCI.
    #[must_use]
    pub fn uci(self) -> UciMove {
        // A legal move is two squares and perhaps a piece, which is all that UCI text is.
        UciMove::parse(&self.0.uci().to_string())
            .unwrap_or_else(|| unreachable!("UCI of a legal move"))
    }

    /// Whether it moves a pawn.
    #[must_use]
    pub fn moves_pawn(self) -> bool {
        self.0.src_cell().piece() == Some(owlchess::Piece::Pawn)
    }
}

/// A legal position.
#[derive(Clone, PartialEq, Eq)]
pub struct Position {
    board: Board,
}

impl Position {
    /// The usual start.
    #[must_use]
    pub fn start() -> Self {
        Self {
            board: Board::initial(),
        }
    }

    /// Reads a FEN of four to six fields.
    ///
    /// # Errors
    /// [`FenError`] for text that is no FEN and for pieces that can't stand so, such as two white kings.
    pub fn from_fen(fen: &str) -> Result<Self, FenError> {
        let fields: Vec<&str> = fen.split_ascii_whitespace().collect();
        let board = Board::from_fen(&fields.join(" ")).map_err(|error| FenError::Impossible {
            reason: error.to_string(),
        })?;
        if board.raw().move_counter.max(board.raw().move_number) > MAX_FEN_COUNTER {
            return Err(FenError::CounterTooHigh);
        }
        Ok(Self {
            board: without_idle_en_passant(board),
        })
    }

    /// The FEN, all six fields.
    #[must_use]
    pub fn fen(&self) -> String {
        self.board.as_fen()
    }

    /// Who moves.
    #[must_use]
    pub fn turn(&self) -> Color {
        match self.board.side() {
            owlchess::Color::White => Color::White,
            owlchess::Color::Black => Color::Black,
        }
    }

    /// The number of the move to be played, as PGN counts: both sides' moves share it.
    #[must_use]
    pub fn move_number(&self) -> u16 {
        self.board.raw().move_number
    }

    /// Plies since the last capture or pawn move.
    #[must_use]
    pub fn halfmove_clock(&self) -> u16 {
        self.board.raw().move_counter
    }

    /// Every legal move.
    #[must_use]
    pub fn legal_moves(&self) -> Vec<LegalMove> {
        legal::gen_all(&self.board)
            .iter()
            .map(|&m| LegalMove(m))
            .collect()
    }

    /// Whether the side to move is in check.
    #[must_use]
    pub fn is_check(&self) -> bool {
        self.board.is_check()
    }

    /// Whether there is any legal move.
    #[must_use]
    pub fn has_legal_moves(&self) -> bool {
        self.board.has_legal_moves()
    }

    /// Whether a move takes a piece.
    #[must_use]
    pub fn is_capture(&self, mv: LegalMove) -> bool {
        mv.0.kind() == MoveKind::Enpassant || self.board.get(mv.0.dst()).is_occupied()
    }

    /// Whether neither side can ever mate.
    #[must_use]
    pub fn is_insufficient_material(&self) -> bool {
        self.board.calc_draw_simple() == Some(owlchess::DrawReason::InsufficientMaterial)
    }

    /// The legal move that UCI text names.
    ///
    /// # Errors
    /// [`MoveError::NotAMove`] or [`MoveError::Illegal`].
    pub fn parse_uci(&self, text: &str) -> Result<LegalMove, MoveError> {
        let uci = UciMove::parse(text).ok_or(MoveError::NotAMove)?;
        owlchess::Move::from_uci_legal(uci.as_str(), &self.board)
            .map(LegalMove)
            .map_err(|_owlchess| MoveError::Illegal)
    }

    /// The legal move that SAN names. Sloppy forms that still name exactly one move are read too: `0-0`, `e8Q`, `e2-e4`,
    /// a missing `x` or `+`.
    ///
    /// # Errors
    /// [`MoveError`], each as its name says.
    pub fn parse_san(&self, text: &str) -> Result<LegalMove, MoveError> {
        san::parse(&self.board, text)
    }

    /// The SAN of a move of this position, with `+` or `#`.
    ///
    /// # Errors
    /// [`MoveError::Illegal`] when the move is another position's.
    pub fn san(&self, mv: LegalMove) -> Result<String, MoveError> {
        let san =
            mv.0.san(&self.board)
                .map_err(|_owlchess| MoveError::Illegal)?;
        Ok(san.to_string())
    }

    /// Plays a move of this position.
    ///
    /// # Errors
    /// [`MoveError::Illegal`] when the move is another position's; the position stays as it was.
    pub fn play(&mut self, mv: LegalMove) -> Result<(), MoveError> {
        let board = self
            .board
            .make_move(mv.0)
            .map_err(|_owlchess| MoveError::Illegal)?;
        self.board = without_idle_en_passant(board);
        Ok(())
    }

    /// A number that equal positions share, whatever their counters say.
    pub(crate) fn repetition_key(&self) -> u64 {
        self.board.zobrist_hash()
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({})", self.fen())
    }
}

/// Takes away an en passant square that no legal capture uses.
fn without_idle_en_passant(board: Board) -> Board {
    let used = |board: &Board| {
        legal::gen_capture(board)
            .iter()
            .any(|m| m.kind() == MoveKind::Enpassant)
    };
    if board.raw().ep_source.is_none() || used(&board) {
        return board;
    }
    let mut raw = *board.raw();
    raw.ep_source = None;
    // The same pieces stood legally a moment ago.
    Board::try_from(raw).unwrap_or(board)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(moves: &[&str]) -> Position {
        let mut position = Position::start();
        for text in moves {
            position.play(position.parse_uci(text).unwrap()).unwrap();
        }
        position
    }

    #[test]
    fn the_start_is_the_start() {
        assert_eq!(Position::start().fen(), START_FEN);
        assert_eq!(Position::from_fen(START_FEN).unwrap(), Position::start());
        assert_eq!(Position::start().legal_moves().len(), 20);
    }

    #[test]
    fn an_en_passant_square_is_named_only_when_it_can_be_used() {
        assert!(after(&["e2e4"]).fen().ends_with(" KQkq - 0 1"));
        assert!(
            after(&["e2e4", "a7a6", "e4e5", "d7d5"])
                .fen()
                .ends_with(" KQkq d6 0 3")
        );
    }

    #[test]
    fn an_en_passant_square_of_a_pinned_pawn_is_not_named() {
        // Black's pawn on e4 could take d3 but for the rook on e1 behind it.
        let mut position = Position::from_fen("4k3/8/8/8/4p3/8/3P4/K3R3 w - - 0 1").unwrap();
        position.play(position.parse_uci("d2d4").unwrap()).unwrap();
        assert_eq!(position.fen(), "4k3/8/8/8/3Pp3/8/8/K3R3 b - - 0 1");
    }

    #[test]
    fn a_fen_loses_castling_rights_and_en_passant_squares_that_mean_nothing() {
        let position = Position::from_fen("4k3/8/8/8/4P3/8/8/4K3  b KQkq e3 0 1").unwrap();
        assert_eq!(position.fen(), "4k3/8/8/8/4P3/8/8/4K3 b - - 0 1");
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for fen in [
            "",
            "8/8/8/8/8/8/8/8 w - - 0 1",
            "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w HAha - 0 1",
            "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1 more",
            "4k3/8/8/8/8/8/8/4K3 w - - 70000 1",
            "4k3/8/8/8/8/8/8/4K3 w - - 10001 1",
            "é w - - 0 1",
        ] {
            assert!(Position::from_fen(fen).is_err(), "{fen}");
        }
    }

    #[test]
    fn illegal_moves_and_null_moves_are_refused() {
        let start = Position::start();
        assert_eq!(start.parse_uci("e2e5"), Err(MoveError::Illegal));
        assert_eq!(start.parse_uci("e7e5"), Err(MoveError::Illegal));
        assert_eq!(start.parse_uci("0000"), Err(MoveError::NotAMove));
    }

    #[test]
    fn a_move_of_another_position_is_not_played() {
        let mv = after(&["e2e4"]).parse_uci("e7e5").unwrap();
        let mut start = Position::start();
        assert_eq!(start.play(mv), Err(MoveError::Illegal));
        assert_eq!(start, Position::start());
    }
}
