//! What one transaction writes: plain data, built by the fold, carried to the database whole.

use chrono::{DateTime, Utc};
use domain::{FinishedGame, GameId, Reason, Verdict};
use uuid::Uuid;

/// Which partition's checkpoint a batch moves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The pipeline, such as `games`.
    pub pipeline: String,
    /// The topic's name.
    pub topic: String,
    /// The topic's id: a topic made again under the same name has another one.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
}

/// Everything that becomes true together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Whose checkpoint moves.
    pub scope: Scope,
    /// The token of the claim that the batch was folded under.
    pub token: Uuid,
    /// `next_offset` before: the batch is refused when the checkpoint stands elsewhere.
    pub base: i64,
    /// `next_offset` after. Equal to `base` when only snapshots are written.
    pub next: i64,
    /// `replay_from` after.
    pub replay_from: i64,
    /// What became of the records between `base` and `next`.
    pub counts: Counts,
    /// Games that ended, in log order.
    pub finished: Vec<Finished>,
    /// Games whose state is written, with everything up to the batch's end.
    pub snapshots: Vec<LiveSnapshot>,
    /// Games that ended and have a row in `live_games`.
    pub ended_rows: Vec<GameId>,
    /// Records set aside.
    pub dead_letters: Vec<DeadLetter>,
}

impl Batch {
    /// The offset of the last record that the batch's snapshots cover.
    #[must_use]
    pub fn as_of_offset(&self) -> i64 {
        self.next - 1
    }

    /// Whether the batch would change nothing but the time of its commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base == self.next && self.snapshots.is_empty()
    }
}

/// How many records got which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that changed a game.
    pub applied: i64,
    /// Records that said again what was accepted.
    pub duplicates: i64,
    /// Records for a game that had ended.
    pub late: i64,
    /// Records set aside, by [`Reason::ALL`]'s order.
    pub dead: [i64; Reason::ALL.len()],
}

impl Counts {
    /// Counts one record.
    pub fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Applied => self.applied += 1,
            Verdict::Duplicate => self.duplicates += 1,
            Verdict::Late => self.late += 1,
            Verdict::DeadLetter(reason) => *self.dead_mut(reason) += 1,
        }
    }

    /// How many records were set aside for this reason.
    #[must_use]
    pub fn dead(&self, reason: Reason) -> i64 {
        self.dead[reason as usize]
    }

    pub(crate) fn dead_mut(&mut self, reason: Reason) -> &mut i64 {
        &mut self.dead[reason as usize]
    }

    /// All records counted.
    #[must_use]
    pub fn records(&self) -> i64 {
        self.applied + self.duplicates + self.late + self.dead.iter().sum::<i64>()
    }
}

/// A game that ended, and the record that ended it.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The game.
    pub game: Box<FinishedGame>,
    /// Its end's record, kept in case another partition ended the game first.
    pub end: RecordCopy,
}

/// The state of a game in progress at the batch's end.
#[derive(Debug, Clone)]
pub struct LiveSnapshot {
    /// The game.
    pub game_id: GameId,
    /// [`domain::LiveGame::encode`]'s bytes.
    pub state: Vec<u8>,
}

/// A record set aside.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Why.
    pub reason: Reason,
    /// What exactly is wrong, for a person.
    pub detail: String,
    /// The game it names, where that can be read.
    pub game_id: Option<GameId>,
    /// The record itself.
    pub record: RecordCopy,
}

/// A record as it came.
#[derive(Debug, Clone, Default)]
pub struct RecordCopy {
    /// Its offset.
    pub offset: i64,
    /// Its own timestamp.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}
