//! The games of a platform as one stream of records, with faults where they are asked for. Knows neither Kafka nor clocks.
//!
//! ```text
//! Book ──► Live games, as many as are set ──► by their own time ──► Step::Send, Step::Over
//!  ▲           ▲
//! rules     Players
//! ```
//!
//! The stream is a function of its [`Settings`]: the same settings give the same bytes in the same order. Faults have a
//! random source of their own, so the games below them stay the same whichever faults are asked for. The records of one
//! game come in the order in which they are to be published; those of different games are interleaved by their times.

mod book;
mod emit;
mod faults;
mod live;
mod players;
mod poison;
mod record;
mod story;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use book::Book;
use faults::Echo;
pub(crate) use faults::{Fault, Faults};
use live::Live;
use players::Players;
pub(crate) use record::{HeaderRoom, Record};

/// Over how long the first games begin, in milliseconds.
const FIRST_STARTS_MS: i64 = 20_000;
/// The longest a seat stays empty between two games, in milliseconds.
const MAX_PAUSE_MS: i64 = 2_000;

/// What the stream is made from.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The source of everything random.
    pub(crate) seed: u64,
    /// How many games; without end if unset.
    pub(crate) games: Option<u64>,
    /// How many of them are live at a time.
    pub(crate) live: usize,
    /// How many players there are, at least 2.
    pub(crate) players: usize,
    /// When the first game begins, in milliseconds since 1970.
    pub(crate) start_ms: i64,
    /// How many lines of play the book has; games share them.
    pub(crate) book_lines: usize,
    /// Which faults, and how many.
    pub(crate) faults: Faults,
}

/// One thing that happens in the stream.
#[derive(Debug)]
pub(crate) enum Step {
    /// A record to publish.
    Send(Sent),
    /// A game of which nothing more comes, but for what the note of a fault says.
    Over(Box<GameNote>),
}

/// A record to publish and what it is.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) record: Record,
    pub(crate) role: Role,
}

/// What a record is to whoever reads the topic.
#[derive(Debug)]
pub(crate) enum Role {
    /// A create or a move that will be applied.
    Plain,
    /// The end of this game.
    End {
        /// The game.
        game_id: Arc<str>,
    },
    /// Something that should not be there, or not there again.
    Fault(Box<Fault>),
}

/// What became of a game.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GameNote {
    #[serde(serialize_with = "text")]
    pub(crate) game_id: Arc<str>,
    #[serde(serialize_with = "text")]
    pub(crate) white: Arc<str>,
    #[serde(serialize_with = "text")]
    pub(crate) black: Arc<str>,
    pub(crate) mode: &'static str,
    pub(crate) time_control: &'static str,
    pub(crate) region: &'static str,
    pub(crate) started_at_ms: i64,
    pub(crate) ended_at_ms: Option<i64>,
    /// `win`, `draw`, `none`, or `live` for a game that does not end.
    pub(crate) result: &'static str,
    #[serde(serialize_with = "optional_text")]
    pub(crate) winner: Option<Arc<str>>,
    /// By what it ended; `abandoned` for one that just stopped, `cut_off` for one that was live when the stream ended.
    pub(crate) termination: &'static str,
    /// How many moves were played.
    pub(crate) move_count: usize,
    /// The ply that was never sent.
    pub(crate) missing_ply: Option<usize>,
    /// Whether some moves were sent out of order.
    pub(crate) reordered: bool,
}

/// Shared text, for serde without its feature for shared pointers.
fn text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn optional_text<S: serde::Serializer>(
    text: &Option<Arc<str>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

/// The stream; an iterator.
#[derive(Debug)]
pub(crate) struct Play {
    settings: Settings,
    book: Book,
    players: Players,
    /// For games.
    rng: ChaCha8Rng,
    /// For faults.
    chaos: ChaCha8Rng,
    slots: Vec<Option<Live>>,
    /// When each slot does its next thing.
    agenda: BinaryHeap<Reverse<(i64, usize)>>,
    /// Faults that come after a game's end.
    echoes: BinaryHeap<Reverse<Echo>>,
    /// How many of them there were.
    echo_count: u64,
    begun: u64,
    out: VecDeque<Step>,
}

impl Play {
    /// Makes the book and seats the first players.
    pub(crate) fn new(settings: Settings) -> Self {
        let mut play = Self {
            book: Book::new(settings.seed, settings.book_lines.max(1)),
            players: Players::new(settings.seed, settings.players.max(2)),
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
            chaos: ChaCha8Rng::seed_from_u64(settings.seed ^ 0x0fau64.rotate_left(32)),
            slots: Vec::new(),
            agenda: BinaryHeap::new(),
            echoes: BinaryHeap::new(),
            echo_count: 0,
            begun: 0,
            out: VecDeque::new(),
            settings,
        };
        for slot in 0..play.settings.live.max(1) {
            let at_ms = play.settings.start_ms + play.rng.random_range(0..FIRST_STARTS_MS);
            play.slots.push(None);
            play.seat(slot, at_ms);
        }
        play
    }

    /// Notes of the games that are live now, for a stream that is not read to its end.
    pub(crate) fn cut_off(&self) -> impl Iterator<Item = GameNote> + '_ {
        let begun = self.slots.iter().flatten().filter(|live| live.begun);
        begun.map(|live| live.note("live", "cut_off", None, None))
    }

    /// Whether everything that has happened has been taken: the place to cut a stream off.
    pub(crate) fn is_settled(&self) -> bool {
        self.out.is_empty()
    }

    /// Begins the next game in a slot, if there is to be another.
    fn seat(&mut self, slot: usize, at_ms: i64) {
        if self.settings.games.is_some_and(|games| self.begun >= games) {
            return;
        }
        self.begun += 1;
        let live = Live::new(&mut self.rng, &mut self.players, &self.book, at_ms);
        if let Some(seat) = self.slots.get_mut(slot) {
            *seat = Some(live);
            self.agenda.push(Reverse((at_ms, slot)));
        }
    }

    /// Does what is next in a slot.
    fn act(&mut self, slot: usize, at_ms: i64) {
        let Some(mut live) = self.slots.get_mut(slot).and_then(Option::take) else {
            return;
        };
        live.now_ms = at_ms;
        match self.advance(&mut live) {
            Some(next_ms) => {
                self.agenda.push(Reverse((next_ms, slot)));
                if let Some(seat) = self.slots.get_mut(slot) {
                    *seat = Some(live);
                }
            }
            None => {
                let pause_ms = self.rng.random_range(0..MAX_PAUSE_MS);
                self.seat(slot, at_ms + pause_ms);
            }
        }
    }
}

impl Iterator for Play {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.out.pop_front() {
                return Some(step);
            }
            let next_ms = self.agenda.peek().map(|Reverse((at_ms, _))| *at_ms);
            let echo = self
                .echoes
                .peek()
                .is_some_and(|Reverse(echo)| next_ms.is_none_or(|next_ms| echo.at_ms < next_ms));
            if echo && let Some(Reverse(echo)) = self.echoes.pop() {
                return Some(Step::Send(echo.sent));
            }
            let Reverse((at_ms, slot)) = self.agenda.pop()?;
            self.act(slot, at_ms);
        }
    }
}

#[cfg(test)]
mod tests;
