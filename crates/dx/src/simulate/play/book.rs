//! Lines of legal play, made once and shared by many games: what keeps a move as cheap as writing it down.
//!
//! A line begins with a known opening and goes on at random, a little biased (captures, mates that are there, now and then
//! two sides that only shuffle), so that lines end in every way the rules know.

use chess::{Game, LegalMove, Outcome, UciMove};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Openings to begin with: ECO code, name, moves.
const OPENINGS: [(&str, &str, &str); 16] = [
    ("C42", "Petrov's Defense", "e2e4 e7e5 g1f3 g8f6"),
    ("C50", "Italian Game", "e2e4 e7e5 g1f3 b8c6 f1c4"),
    ("C60", "Ruy Lopez", "e2e4 e7e5 g1f3 b8c6 f1b5"),
    ("C30", "King's Gambit", "e2e4 e7e5 f2f4"),
    ("B20", "Sicilian Defense", "e2e4 c7c5"),
    ("B10", "Caro-Kann Defense", "e2e4 c7c6 d2d4 d7d5"),
    ("C00", "French Defense", "e2e4 e7e6 d2d4 d7d5"),
    ("B01", "Scandinavian Defense", "e2e4 d7d5 e4d5 d8d5"),
    ("B07", "Pirc Defense", "e2e4 d7d6 d2d4 g8f6"),
    ("D06", "Queen's Gambit", "d2d4 d7d5 c2c4"),
    ("D10", "Slav Defense", "d2d4 d7d5 c2c4 c7c6"),
    ("E60", "King's Indian Defense", "d2d4 g8f6 c2c4 g7g6"),
    (
        "E20",
        "Nimzo-Indian Defense",
        "d2d4 g8f6 c2c4 e7e6 b1c3 f8b4",
    ),
    ("A80", "Dutch Defense", "d2d4 f7f5"),
    ("A10", "English Opening", "c2c4"),
    ("A04", "Reti Opening", "g1f3"),
];
/// Where a line that no rule ends is cut.
const MAX_LINE: usize = 400;

/// A line of play.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) moves: Box<[UciMove]>,
    /// How the rules end it after its last move; `None` where it was cut.
    outcome: Option<Outcome>,
    /// ECO code and name.
    pub(super) opening: (&'static str, &'static str),
}

/// All lines.
#[derive(Debug)]
pub(super) struct Book {
    lines: Vec<Line>,
}

impl Book {
    pub(super) fn new(seed: u64, lines: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xb00c);
        Self {
            lines: (0..lines).map(|_| Line::play(&mut rng)).collect(),
        }
    }

    /// Any line.
    pub(super) fn any(&self, rng: &mut ChaCha8Rng) -> usize {
        rng.random_range(0..self.lines.len())
    }

    /// A line that ends so, the shorter of two; `None` where the book has none.
    pub(super) fn ending_in(&self, outcome: Outcome, rng: &mut ChaCha8Rng) -> Option<usize> {
        // From a random place on, all the way round.
        let mut find = || {
            let from = rng.random_range(0..self.lines.len());
            let mut round = (from..self.lines.len()).chain(0..from);
            round.find(|at| {
                self.line(*at)
                    .is_some_and(|line| line.outcome == Some(outcome))
            })
        };
        let (one, two) = (find()?, find()?);
        [one, two]
            .into_iter()
            .min_by_key(|at| self.line(*at).map(|line| line.moves.len()))
    }

    pub(super) fn line(&self, at: usize) -> Option<&Line> {
        self.lines.get(at)
    }
}

impl Line {
    /// How many plies can be played without reaching the end that the rules make.
    pub(super) fn open_plies(&self) -> usize {
        self.moves.len() - usize::from(self.outcome.is_some())
    }

    fn play(rng: &mut ChaCha8Rng) -> Self {
        let (code, name, opening) = *OPENINGS.choose(rng).unwrap_or(&OPENINGS[0]);
        let mut game = Game::from_position(chess::Position::start());
        for text in opening.split(' ') {
            let mv = game.position().parse_uci(text);
            // The openings are legal; a test plays them.
            let _legal = mv.and_then(|mv| game.play(mv));
        }
        // One line in five only shuffles from some ply on.
        let shuffle_from = if rng.random_ratio(1, 5) {
            rng.random_range(12..70)
        } else {
            usize::MAX
        };
        let mut outcome = None;
        while outcome.is_none() && game.moves().len() < MAX_LINE {
            let shuffles = game.moves().len() >= shuffle_from;
            let Some(mv) = choose(&game, shuffles, rng) else {
                break;
            };
            if game.play(mv).is_err() {
                break;
            }
            outcome = game.outcome();
        }
        Self {
            moves: game.moves().into(),
            outcome,
            opening: (code, name),
        }
    }
}

/// The next move: back where it came from for who shuffles, a mate if it is seen, a capture now and then, else any.
fn choose(game: &Game, shuffles: bool, rng: &mut ChaCha8Rng) -> Option<LegalMove> {
    let position = game.position();
    if shuffles && let Some(back) = way_back(game) {
        return Some(back);
    }
    let legal = position.legal_moves();
    if rng.random_ratio(1, 2) {
        let mates = |mv: &&LegalMove| {
            let mut next = position.clone();
            next.play(**mv).is_ok() && next.is_check() && !next.has_legal_moves()
        };
        if let Some(mate) = legal.iter().find(mates) {
            return Some(*mate);
        }
    }
    let prefer = |wanted: &dyn Fn(&LegalMove) -> bool, rng: &mut ChaCha8Rng| {
        let some: Vec<LegalMove> = legal.iter().filter(|mv| wanted(mv)).copied().collect();
        some.choose(rng).copied()
    };
    let preferred = match shuffles {
        true => prefer(&|mv| !mv.moves_pawn() && !position.is_capture(*mv), rng),
        false if rng.random_ratio(3, 10) => prefer(&|mv| position.is_capture(*mv), rng),
        false => None,
    };
    preferred.or_else(|| legal.choose(rng).copied())
}

/// The mover's last move taken back, where that is legal and takes nothing.
fn way_back(game: &Game) -> Option<LegalMove> {
    let last = game.moves().iter().rev().nth(1)?;
    let (from, to) = last.as_str().split_at_checked(2)?;
    let back = game.position().parse_uci(&format!("{to}{from}")).ok()?;
    let quiet = !game.position().is_capture(back) && !back.moves_pawn();
    quiet.then_some(back)
}

#[cfg(test)]
mod tests {
    use chess::{Color, Drawn};

    use super::*;

    /// Every way the rules end a game.
    fn outcomes() -> [Outcome; 6] {
        [
            Outcome::Checkmate {
                winner: Color::White,
            },
            Outcome::Checkmate {
                winner: Color::Black,
            },
            Outcome::Draw(Drawn::Stalemate),
            Outcome::Draw(Drawn::Repetition),
            Outcome::Draw(Drawn::InsufficientMaterial),
            Outcome::Draw(Drawn::FiftyMoves),
        ]
    }

    #[test]
    fn the_openings_are_legal() {
        for (code, name, moves) in OPENINGS {
            assert!(
                chess::replay(None, moves.split(' ')).is_ok(),
                "{code} {name}"
            );
        }
    }

    #[test]
    fn a_book_of_the_usual_size_ends_in_every_way_the_rules_know() {
        let book = Book::new(7, 400);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for outcome in outcomes() {
            let line = book
                .line(book.ending_in(outcome, &mut rng).unwrap())
                .unwrap();
            let mut game = Game::new(None).unwrap();
            for mv in &line.moves {
                assert_eq!(game.outcome(), None);
                game.play(game.position().parse_uci(mv.as_str()).unwrap())
                    .unwrap();
            }
            assert_eq!(game.outcome(), Some(outcome));
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_book() {
        let lines = |seed| {
            Book::new(seed, 5)
                .lines
                .iter()
                .map(|l| l.moves.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(3), lines(3));
        assert_ne!(lines(3), lines(4));
    }
}
