//! What the fold has gathered since the last batch was closed.
//!
//! Unreadable records are held back at the batch's end while they come in a row: a run that grows too long must stay
//! uncommitted, so that a build that can read them judges them again. A readable record settles the run behind it.

use domain::{FinishedGame, GameId, Reason, Verdict};
use store::ingest::{Counts, DeadLetter, Finished, RecordCopy};

/// A batch being gathered.
#[derive(Debug, Default)]
pub(crate) struct OpenBatch {
    pub(crate) counts: Counts,
    pub(crate) finished: Vec<Finished>,
    pub(crate) ended_rows: Vec<GameId>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// When the first record came.
    pub(crate) opened_ms: Option<u64>,
    bytes: usize,
    run: Vec<DeadLetter>,
    run_bytes: usize,
    /// Unreadable records in a row, those already settled included.
    run_length: u32,
}

impl OpenBatch {
    pub(crate) fn records(&self) -> i64 {
        self.counts.records()
    }

    /// Bytes of rows gathered, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.run_bytes
    }

    pub(crate) fn count(&mut self, verdict: Verdict) {
        self.counts.add(verdict);
    }

    /// A readable record came: whatever run there was is over.
    pub(crate) fn end_run(&mut self) {
        if self.run_length > 0 {
            self.settle_run();
            self.run_length = 0;
        }
    }

    /// Takes the run's records into the batch; the run goes on being counted.
    pub(crate) fn settle_run(&mut self) {
        for letter in self.run.drain(..) {
            self.counts.add(Verdict::DeadLetter(letter.reason));
            self.dead_letters.push(letter);
        }
        self.bytes += std::mem::take(&mut self.run_bytes);
    }

    /// Adds an unreadable record; the number of them in a row.
    pub(crate) fn add_unreadable(&mut self, letter: DeadLetter, max_bytes: usize) -> u32 {
        self.run_bytes += size(&letter);
        self.run.push(letter);
        self.run_length += 1;
        if self.run_bytes > max_bytes {
            self.settle_run();
        }
        self.run_length
    }

    /// The offset of the first record held back.
    pub(crate) fn held_from(&self) -> Option<i64> {
        self.run.first().map(|letter| letter.record.offset)
    }

    pub(crate) fn add_dead_letter(&mut self, letter: DeadLetter) {
        self.counts.add(Verdict::DeadLetter(letter.reason));
        self.bytes += size(&letter);
        self.dead_letters.push(letter);
    }

    pub(crate) fn add_finished(&mut self, game: Box<FinishedGame>, end: RecordCopy) {
        self.bytes += 1_024 + game.moves.as_bytes().len();
        self.finished.push(Finished { game, end });
    }

    /// What was gathered; the run stays.
    pub(crate) fn take(&mut self) -> Self {
        let rest = Self {
            run: std::mem::take(&mut self.run),
            run_bytes: std::mem::take(&mut self.run_bytes),
            run_length: self.run_length,
            ..Self::default()
        };
        std::mem::replace(self, rest)
    }
}

fn size(letter: &DeadLetter) -> usize {
    let record = &letter.record;
    let headers: usize = record
        .headers
        .iter()
        .map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len))
        .sum();
    256 + headers
        + record.key.as_ref().map_or(0, Vec::len)
        + record.value.as_ref().map_or(0, Vec::len)
}

/// What is wrong, for the person who reads the dead letter.
pub(crate) fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::Conflict => "it contradicts an event of this game that was accepted before",
        Reason::Orphan => "no GameCreated of this game came before it",
        Reason::GapOverflow => "the game already holds 64 moves that wait for a missing one",
        Reason::Invalid => "the game can't take it: a player or a time that is not of this game",
        Reason::SplitKey => "the game was finished from another partition",
        Reason::Undecodable | Reason::Unsupported | Reason::KeyMismatch => "see the reason",
    }
}
