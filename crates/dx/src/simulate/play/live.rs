//! One live game: who plays, along which line, how it will end, and how far it is.

use std::sync::Arc;

use chess::{Color, Drawn, Outcome};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::GameNote;
use super::book::Book;
use super::faults::GameFaults;
use super::players::Players;

/// Time controls: name, base and increment in milliseconds, how often.
const TIME_CONTROLS: [(&str, i64, i64, u32); 7] = [
    ("60+0", 60_000, 0, 20),
    ("120+1", 120_000, 1_000, 10),
    ("180+0", 180_000, 0, 25),
    ("180+2", 180_000, 2_000, 15),
    ("300+3", 300_000, 3_000, 15),
    ("600+0", 600_000, 0, 10),
    ("600+5", 600_000, 5_000, 5),
];
const REGIONS: [(&str, u32); 4] = [("eu", 45), ("us", 30), ("ap", 20), ("sa", 5)];
const PLATFORMS: [(&str, u32); 4] = [("web", 55), ("ios", 20), ("android", 24), ("board", 1)];
const VARIANTS: [(&str, u32); 2] = [("standard", 97), ("blindfold", 3)];
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of a game's id: enough for no two ever to meet.
const ID_CHARS: usize = 12;
/// A tournament begins every so many games.
const TOURNAMENT_EVERY: u32 = 12;

/// How a game will end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// As its line does.
    Board(Outcome),
    Resign {
        loser: Color,
    },
    TimeOut {
        loser: Color,
    },
    Agree,
    Abort,
    /// Not at all: it just stops.
    Stop,
}

#[derive(Debug)]
pub(super) struct Live {
    pub(super) id: Arc<str>,
    /// Whether its create has been sent.
    pub(super) begun: bool,
    pub(super) players: [usize; 2],
    pub(super) names: [Arc<str>; 2],
    /// Before the game.
    pub(super) ratings: [i32; 2],
    pub(super) plan: Plan,
    pub(super) line: usize,
    /// How many plies it will have.
    pub(super) plies: usize,
    /// How many it has.
    pub(super) played: usize,
    /// What the next move or the end takes, in milliseconds.
    pub(super) think_ms: i64,
    pub(super) clocks_ms: [i64; 2],
    pub(super) increment_ms: i64,
    pub(super) time_control: &'static str,
    pub(super) rated: bool,
    pub(super) variant: &'static str,
    pub(super) region: &'static str,
    pub(super) platform: &'static str,
    pub(super) tournament: Option<u32>,
    pub(super) started_ms: i64,
    pub(super) now_ms: i64,
    pub(super) faults: GameFaults,
}

impl Live {
    pub(super) fn new(
        rng: &mut ChaCha8Rng,
        players: &mut Players,
        book: &Book,
        at_ms: i64,
    ) -> Self {
        let (white, black) = players.pair(rng);
        let (time_control, base_ms, increment_ms, _) =
            *weighted(&TIME_CONTROLS, |(.., weight)| *weight, rng);
        let (plan, line) = plan(rng, players.expected(white, black), book);
        let plies = plies(rng, plan, book, line);
        Self {
            id: id(rng),
            begun: false,
            players: [white, black],
            names: [players.name(white), players.name(black)],
            ratings: [players.rating(white), players.rating(black)],
            plan,
            line,
            plies,
            played: 0,
            think_ms: 0,
            clocks_ms: [base_ms; 2],
            increment_ms,
            time_control,
            rated: rng.random_ratio(8, 10),
            variant: weighted(&VARIANTS, |(_, weight)| *weight, rng).0,
            region: weighted(&REGIONS, |(_, weight)| *weight, rng).0,
            platform: weighted(&PLATFORMS, |(_, weight)| *weight, rng).0,
            tournament: rng
                .random_ratio(1, TOURNAMENT_EVERY)
                .then(|| rng.random_range(1..=40)),
            started_ms: at_ms,
            now_ms: at_ms,
            faults: GameFaults::default(),
        }
    }

    /// Who moves next: 0 for White.
    pub(super) fn side(&self) -> usize {
        self.played % 2
    }

    /// When the next move or the end comes; remembers what it takes.
    pub(super) fn schedule(&mut self, rng: &mut ChaCha8Rng) -> i64 {
        let left_ms = self.clocks_ms.get(self.side()).copied().unwrap_or_default();
        let most_ms = (left_ms - 100).max(left_ms / 2);
        let wanted_ms = if self.played < self.plies {
            // Between a quarter and two and a half times the usual, more often short than long.
            let luck: i64 = rng.random_range(0..1_000);
            let usual_ms = left_ms / 45 + self.increment_ms * 3 / 4;
            usual_ms * (250 + 2_250 * luck * luck / 1_000_000) / 1_000
        } else {
            match self.plan {
                Plan::Board(_) | Plan::Stop => rng.random_range(0..50),
                Plan::Resign { .. } | Plan::Agree => rng.random_range(500..6_000),
                Plan::Abort => rng.random_range(5_000..30_000),
                Plan::TimeOut { .. } => left_ms,
            }
        };
        let flags = self.played == self.plies && matches!(self.plan, Plan::TimeOut { .. });
        self.think_ms = if flags {
            left_ms
        } else {
            wanted_ms.min(most_ms)
        };
        self.now_ms + self.think_ms
    }

    /// Ticks the mover's clock; what it shows after the move.
    pub(super) fn tick(&mut self) -> i64 {
        let side = self.side();
        let Some(clock) = self.clocks_ms.get_mut(side) else {
            return 0;
        };
        *clock = (*clock - self.think_ms).max(0) + self.increment_ms;
        *clock
    }

    pub(super) fn mode(&self) -> &'static str {
        if self.rated { "rated" } else { "casual" }
    }

    pub(super) fn note(
        &self,
        result: &'static str,
        termination: &'static str,
        winner: Option<Color>,
        ended_at_ms: Option<i64>,
    ) -> GameNote {
        let [white, black] = self.names.clone();
        GameNote {
            game_id: self.id.clone(),
            winner: winner.map(|color| {
                if color == Color::White {
                    white.clone()
                } else {
                    black.clone()
                }
            }),
            white,
            black,
            mode: self.mode(),
            time_control: self.time_control,
            region: self.region,
            started_at_ms: self.started_ms,
            ended_at_ms,
            result,
            termination,
            move_count: self.played,
            missing_ply: self.faults.gap,
            reordered: self.faults.reordered,
        }
    }
}

/// How the game ends and along which line, with the shares that platforms see.
fn plan(rng: &mut ChaCha8Rng, white_wins: f64, book: &Book) -> (Plan, usize) {
    let winner = if rng.random::<f64>() < white_wins {
        Color::White
    } else {
        Color::Black
    };
    let loser = winner.other();
    let plan = match rng.random_range(0..100) {
        0..24 => Plan::Board(Outcome::Checkmate { winner }),
        24..70 => Plan::Resign { loser },
        70..84 => Plan::TimeOut { loser },
        84..88 => Plan::Agree,
        88..91 => Plan::Board(Outcome::Draw(Drawn::Repetition)),
        91..93 => Plan::Board(Outcome::Draw(Drawn::Stalemate)),
        93..95 => Plan::Board(Outcome::Draw(Drawn::InsufficientMaterial)),
        95..96 => Plan::Board(Outcome::Draw(Drawn::FiftyMoves)),
        96..98 => Plan::Abort,
        _ => Plan::Stop,
    };
    match plan {
        Plan::Board(outcome) => match book.ending_in(outcome, rng) {
            Some(line) => (plan, line),
            // A small book does not know every end.
            None => (Plan::Resign { loser }, book.any(rng)),
        },
        _ => (plan, book.any(rng)),
    }
}

fn plies(rng: &mut ChaCha8Rng, plan: Plan, book: &Book, line: usize) -> usize {
    let Some(line) = book.line(line) else {
        return 0;
    };
    let open = line.open_plies();
    // Two throws: most games have some seventy plies.
    let usual = (rng.random_range(8..66) + rng.random_range(0..66)).min(open);
    match plan {
        Plan::Board(_) => line.moves.len(),
        Plan::Resign { .. } | Plan::Agree => usual,
        // White is to move after an even number.
        Plan::TimeOut { loser } => {
            let wrong = usual % 2 != usize::from(loser == Color::Black);
            if wrong && usual == open {
                usual.saturating_sub(1)
            } else {
                usual + usize::from(wrong)
            }
        }
        Plan::Abort => rng.random_range(0..3).min(open),
        Plan::Stop => rng.random_range(0..60).min(open),
    }
}

fn weighted<'a, T>(all: &'a [T], weight: impl Fn(&T) -> u32, rng: &mut ChaCha8Rng) -> &'a T {
    // Never empty and never all zero: they are the tables above.
    all.choose_weighted(rng, weight).unwrap_or(&all[0])
}

fn id(rng: &mut ChaCha8Rng) -> Arc<str> {
    let id: String = (0..ID_CHARS)
        .map(|_| char::from(*ALPHABET.choose(rng).unwrap_or(&b'0')))
        .collect();
    id.into()
}
