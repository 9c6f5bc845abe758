//! Reading SAN: the text is taken apart into what it says, and the legal moves are asked which of them fits.
//!
//! Matching against legal moves rather than building one makes every text safe to read, and lets sloppy forms through that
//! still name exactly one move.

use owlchess::movegen::legal;
use owlchess::{Board, MoveKind, Piece};

use crate::{LegalMove, MoveError};

/// What a SAN text says about its move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Castling(MoveKind),
    Move {
        piece: Piece,
        from_file: Option<u8>,
        from_rank: Option<u8>,
        to: (u8, u8),
        promotion: Option<Piece>,
    },
}

pub(crate) fn parse(board: &Board, text: &str) -> Result<LegalMove, MoveError> {
    let said = Said::read(text).ok_or(MoveError::NotAMove)?;
    let mut fitting = legal::gen_all(board)
        .iter()
        .filter(|m| said.fits(**m))
        .copied()
        .collect::<Vec<_>>();
    match (fitting.pop(), fitting.is_empty()) {
        (None, _) => Err(MoveError::Illegal),
        (Some(only), true) => Ok(LegalMove(only)),
        (Some(_), false) => Err(MoveError::Ambiguous),
    }
}

impl Said {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim_end_matches(['+', '#', '!', '?']);
        let text = text
            .strip_suffix("e.p.")
            .or_else(|| text.strip_suffix("ep"))
            .unwrap_or(text);
        match text {
            "O-O" | "0-0" | "o-o" => return Some(Self::Castling(MoveKind::CastlingKingside)),
            "O-O-O" | "0-0-0" | "o-o-o" => {
                return Some(Self::Castling(MoveKind::CastlingQueenside));
            }
            _ => {}
        }
        let (piece, rest) = match text.as_bytes() {
            [b'P', rest @ ..] => (Piece::Pawn, rest),
            [first, rest @ ..] if first.is_ascii_uppercase() => (officer(*first)?, rest),
            all => (Piece::Pawn, all),
        };
        let (promotion, rest) = promotion(rest)?;
        let (from, to) = rest.split_at_checked(rest.len().checked_sub(2)?)?;
        let [to_file @ b'a'..=b'h', to_rank @ b'1'..=b'8'] = *to else {
            return None;
        };
        let from = match from {
            [rest @ .., b'x' | b':' | b'-'] => rest,
            all => all,
        };
        let (from_file, from_rank) = match *from {
            [] => (None, None),
            [file @ b'a'..=b'h'] => (Some(file), None),
            [rank @ b'1'..=b'8'] => (None, Some(rank)),
            [file @ b'a'..=b'h', rank @ b'1'..=b'8'] => (Some(file), Some(rank)),
            _ => return None,
        };
        Some(Self::Move {
            piece,
            from_file,
            from_rank,
            to: (to_file, to_rank),
            promotion,
        })
    }

    fn fits(self, mv: owlchess::Move) -> bool {
        match self {
            Self::Castling(kind) => mv.kind() == kind,
            Self::Move {
                piece,
                from_file,
                from_rank,
                to,
                promotion,
            } => {
                let (src_file, src_rank) = square(mv.src());
                mv.src_cell().piece() == Some(piece)
                    && square(mv.dst()) == to
                    && from_file.is_none_or(|file| file == src_file)
                    && from_rank.is_none_or(|rank| rank == src_rank)
                    && mv.kind().promote() == promotion
                    && !matches!(
                        mv.kind(),
                        MoveKind::CastlingKingside | MoveKind::CastlingQueenside
                    )
            }
        }
    }
}

fn square(coord: owlchess::Coord) -> (u8, u8) {
    let ascii = |c: char| u8::try_from(c).unwrap_or_default();
    (ascii(coord.file().as_char()), ascii(coord.rank().as_char()))
}

fn officer(letter: u8) -> Option<Piece> {
    Some(match letter {
        b'N' => Piece::Knight,
        b'B' => Piece::Bishop,
        b'R' => Piece::Rook,
        b'Q' => Piece::Queen,
        b'K' => Piece::King,
        _ => return None,
    })
}

/// The promotion at the end, as `=Q`, `Q`, `q`, `/Q` or `(Q)`, and what stands before it. `None` for a promotion to nothing.
fn promotion(text: &[u8]) -> Option<(Option<Piece>, &[u8])> {
    let (letter, rest) = match text {
        [rest @ .., b'=' | b'/', letter] | [rest @ .., b'(', letter, b')'] => (letter, rest),
        [rest @ .., b'1' | b'8', letter] if letter.is_ascii_alphabetic() => {
            // Keep the rank digit: it belongs to the square.
            (letter, text.get(..rest.len() + 1)?)
        }
        all => return Some((None, all)),
    };
    let piece = officer(letter.to_ascii_uppercase()).filter(|p| *p != Piece::King)?;
    Some((Some(piece), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;

    fn uci(fen: &str, san: &str) -> Result<String, MoveError> {
        Position::from_fen(fen)
            .unwrap()
            .parse_san(san)
            .map(|m| m.uci().to_string())
    }

    #[test]
    fn castling_is_read_in_letters_and_zeros() {
        let fen = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1";
        for (san, wanted) in [
            ("O-O", "e1g1"),
            ("0-0", "e1g1"),
            ("O-O-O+", "e1c1"),
            ("0-0-0", "e1c1"),
        ] {
            assert_eq!(uci(fen, san).as_deref(), Ok(wanted), "{san}");
        }
        assert_eq!(uci(fen, "Kg1"), Err(MoveError::Illegal));
    }

    #[test]
    fn promotions_are_read_in_every_style_but_must_name_a_piece() {
        let fen = "3r4/4P3/8/8/8/8/8/K1k5 w - - 0 1";
        for san in ["e8=Q", "e8Q", "e8q", "e8(Q)", "e8/Q", "e7e8q", "e7-e8=Q"] {
            assert_eq!(uci(fen, san).as_deref(), Ok("e7e8q"), "{san}");
        }
        assert_eq!(uci(fen, "exd8=N+").as_deref(), Ok("e7d8n"));
        assert_eq!(uci(fen, "e8"), Err(MoveError::Illegal));
        assert_eq!(uci(fen, "e8=K"), Err(MoveError::NotAMove));
    }

    #[test]
    fn a_pinned_piece_makes_no_ambiguity_and_a_free_one_does() {
        let fen = "4k3/8/8/8/8/8/8/RN2KN2 w - - 0 1";
        assert_eq!(uci(fen, "Nd2"), Err(MoveError::Ambiguous));
        assert_eq!(uci(fen, "Nbd2").as_deref(), Ok("b1d2"));
        // The rook on h1 pins the knight on f1.
        let pinned = "4k3/8/8/8/8/8/8/1N2KN1r w - - 0 1";
        assert_eq!(uci(pinned, "Nd2").as_deref(), Ok("b1d2"));
    }

    #[test]
    fn text_that_is_no_move_is_refused() {
        for san in [
            "", "N", "x", "e", "é4", "Zf3", "--", "e44", "O-O-O-O", "Nf9", "=Q", "1", "e4e4e4", "+",
        ] {
            assert_eq!(
                uci(crate::START_FEN, san),
                Err(MoveError::NotAMove),
                "{san}"
            );
        }
    }
}
