//! The fold of one partition, from its claim on.
//!
//! ```text
//!            records below N                  records from N on
//! claim ──► replaying ──► settle(look-up) ──► live ──► close ──► Batch
//! ```
//!
//! While replaying there are no effects, counters or look-ups: memory is rebuilt and nothing else. At N, games that were
//! not loaded and stand in the directory are ghosts of finished ones and are dropped. From N on, every record gets one verdict,
//! and what a batch says is copied at its boundary, so that the fold may run ahead while it is being committed.
//!
//! A fold has no synchronisation of its own: one task owns it. Any error means that its memory is not to be trusted: drop it
//! and claim again.

mod closing;
mod record;
mod replay;

use std::collections::HashMap;

use domain::{Action, FinishedGame, GameEvent, GameId, LiveGame, LiveGameError, Reason, Verdict};
use events::Rejection;
use store::ingest::{Claim, DeadLetter, DirectoryEntry, Scope};
use stream::Record;
use uuid::Uuid;

use super::FoldPolicy;
use super::live_set::{LiveSet, Place};
use super::open_batch::{OpenBatch, explain};
use super::tombstones::Tombstones;

pub use record::{Decoded, decode};

/// Why a fold can't go on.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The directory knows an end at or above this fold's position: another owner is ahead.
    #[error("stale: game {game_id} ended at offset {end_offset}, which this owner has not reached")]
    Stale {
        /// The game.
        game_id: GameId,
        /// The offset of its end.
        end_offset: i64,
    },
    /// Too many unreadable records in a row. The batch up to the run can be closed and committed; the run can't.
    #[error(
        "{length} unreadable records in a row from offset {from_offset} on; the first: {first}"
    )]
    UnreadableRun {
        /// The first of them that is not committed.
        from_offset: i64,
        /// How many.
        length: u32,
        /// What is wrong with the first.
        first: String,
    },
    /// A snapshot can't be read.
    #[error("the snapshot of game {game_id} can't be read: {source}")]
    Snapshot {
        /// The game.
        game_id: GameId,
        /// Why.
        source: LiveGameError,
    },
}

/// The fold of one partition.
#[derive(Debug)]
pub struct PartitionFold {
    scope: Scope,
    token: Uuid,
    policy: FoldPolicy,
    /// N at the claim: effects begin here.
    resume_at: i64,
    /// The next offset to fold.
    position: i64,
    /// Where the open batch begins.
    base: i64,
    settled: bool,
    /// What the snapshots of loaded games cover, while replaying.
    covered: HashMap<u32, i64>,
    live: LiveSet,
    tombstones: Tombstones,
    /// Where the look-up that is under way found each record's game.
    found: Vec<Option<Place>>,
    open: OpenBatch,
}

impl PartitionFold {
    /// Takes over a claimed partition.
    ///
    /// # Errors
    /// [`FoldError::Snapshot`] when a live game can't be read.
    pub fn new(scope: Scope, claim: Claim, policy: FoldPolicy) -> Result<Self, FoldError> {
        let mut live = LiveSet::default();
        let mut covered = HashMap::new();
        for row in claim.live_games {
            let game = LiveGame::decode(&row.state).map_err(|source| FoldError::Snapshot {
                game_id: row.game_id.clone(),
                source,
            })?;
            covered.insert(live.insert(row.game_id, game, true), row.as_of_offset);
        }
        Ok(Self {
            scope,
            token: claim.token,
            policy,
            resume_at: claim.next_offset,
            position: claim.replay_from,
            base: claim.next_offset,
            settled: claim.replay_from == claim.next_offset,
            covered,
            live,
            tombstones: Tombstones::default(),
            found: Vec::new(),
            open: OpenBatch::default(),
        })
    }

    /// The next offset to fold.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Offsets still to be replayed.
    #[must_use]
    pub fn replay_left(&self) -> i64 {
        (self.resume_at - self.position).max(0)
    }

    /// Games in progress.
    #[must_use]
    pub fn live_games(&self) -> usize {
        self.live.len()
    }

    /// Bytes that the games in progress take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.live.memory_bytes()
    }

    fn apply(
        &mut self,
        slot: u32,
        event: &GameEvent<'_>,
    ) -> Result<(Verdict, Option<Box<FinishedGame>>), FoldError> {
        let Some(tracked) = self.live.get_mut(slot) else {
            return Ok((Verdict::DeadLetter(Reason::Orphan), None));
        };
        let applied = tracked.game.apply(&event.game_id, event.at, &event.action);
        applied.map_err(|source| FoldError::Snapshot {
            game_id: tracked.id.clone(),
            source,
        })
    }

    fn is_mine(&self, entry: &DirectoryEntry) -> bool {
        entry.topic_id == self.scope.topic_id && entry.partition == self.scope.partition
    }

    fn refuse_newer(
        &self,
        id: &GameId,
        entry: &DirectoryEntry,
        position: i64,
    ) -> Result<(), FoldError> {
        if self.is_mine(entry) && entry.end_offset >= position {
            return Err(FoldError::Stale {
                game_id: id.clone(),
                end_offset: entry.end_offset,
            });
        }
        Ok(())
    }

    /// The games of these records that must be looked up before they are folded. A look-up is under way until [`Self::fold`].
    pub fn begin_look_up<'r>(&mut self, records: &'r [Decoded<'_>]) -> Vec<&'r str> {
        self.tombstones.begin_look_up();
        self.found.clear();
        let mut unknown: Vec<&str> = Vec::new();
        for decoded in records {
            let id = decoded.event.as_ref().ok().map(|e| e.game_id.as_ref());
            let place = id.and_then(|id| self.live.place(id));
            unknown.extend(id.filter(|id| place.is_none() && self.tombstones.get(id).is_none()));
            self.found.push(place);
        }
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Folds records at or above N, the same that were given to [`Self::begin_look_up`], with the directory's answer to it.
    ///
    /// # Errors
    /// [`FoldError`]; after [`FoldError::UnreadableRun`] the batch up to the run may still be closed.
    pub fn fold(
        &mut self,
        records: &[Decoded<'_>],
        ended: &HashMap<GameId, DirectoryEntry>,
        now_ms: u64,
    ) -> Result<(), FoldError> {
        for (id, entry) in ended {
            self.refuse_newer(id, entry, self.position)?;
        }
        let found = std::mem::take(&mut self.found);
        let mut found = found.into_iter();
        let folded = records.iter().try_for_each(|decoded| {
            let place = found.next().flatten();
            self.fold_record(decoded, place, ended, now_ms)
        });
        self.tombstones.end_look_up();
        folded
    }

    fn fold_record(
        &mut self,
        decoded: &Decoded<'_>,
        place: Option<Place>,
        ended: &HashMap<GameId, DirectoryEntry>,
        now_ms: u64,
    ) -> Result<(), FoldError> {
        let Decoded { record, event } = decoded;
        self.position = record.offset() + 1;
        self.open.opened_ms.get_or_insert(now_ms);
        match event {
            Err(rejection) if rejection.reason.is_unreadable() => {
                self.hold_unreadable(record, rejection)
            }
            Err(rejection) => {
                self.open.end_run();
                self.open.add_dead_letter(record::letter(record, rejection));
                Ok(())
            }
            Ok(event) => {
                self.open.end_run();
                let verdict = self.judge(record, event, place, ended, now_ms)?;
                self.note(verdict, record, event);
                Ok(())
            }
        }
    }

    fn hold_unreadable(
        &mut self,
        record: &Record<'_>,
        rejection: &Rejection,
    ) -> Result<(), FoldError> {
        let length = self.open.add_unreadable(
            record::letter(record, rejection),
            self.policy.unreadable_run_bytes,
        );
        if length < self.policy.unreadable_run {
            return Ok(());
        }
        let from_offset = self.open.held_from().unwrap_or(self.position);
        Err(FoldError::UnreadableRun {
            from_offset,
            length,
            first: rejection.to_string(),
        })
    }

    fn note(&mut self, verdict: Verdict, record: &Record<'_>, event: &GameEvent<'_>) {
        match verdict {
            Verdict::DeadLetter(reason) => self.open.add_dead_letter(DeadLetter {
                reason,
                detail: explain(reason).to_owned(),
                game_id: GameId::parse(&event.game_id).ok(),
                record: record::copy(record),
            }),
            other => self.open.count(other),
        }
    }

    /// The one decision about a readable record, with its effect on memory and on the open batch.
    fn judge(
        &mut self,
        record: &Record<'_>,
        event: &GameEvent<'_>,
        place: Option<Place>,
        ended: &HashMap<GameId, DirectoryEntry>,
        now_ms: u64,
    ) -> Result<Verdict, FoldError> {
        let id = event.game_id.as_ref();
        let known = place.and_then(|place| self.live.still_at(place));
        if let Some(slot) = known.or_else(|| self.live.find(id)) {
            let (verdict, finished) = self.apply(slot, event)?;
            if let Some(finished) = finished {
                self.finish(slot, finished, record);
            } else if verdict == Verdict::Applied {
                self.live.touch(slot, record.offset(), now_ms);
            }
            return Ok(verdict);
        }
        let end = self
            .tombstones
            .get(id)
            .or_else(|| ended.get(id).map(|entry| entry.end.as_str()));
        if let Some(end) = end {
            return Ok(after_the_end(end, &event.action));
        }
        match (&event.action, GameId::parse(id)) {
            (Action::Create(new), Ok(id)) => {
                let slot = self.live.insert(id, LiveGame::begin(new, event.at), false);
                self.live.touch(slot, record.offset(), now_ms);
                Ok(Verdict::Applied)
            }
            _ => Ok(Verdict::DeadLetter(Reason::Orphan)),
        }
    }

    fn finish(&mut self, slot: u32, finished: Box<FinishedGame>, record: &Record<'_>) {
        if let Some(tracked) = self.live.remove(slot) {
            if tracked.has_row {
                self.open.ended_rows.push(tracked.id.clone());
            }
            self.tombstones
                .add(tracked.id, finished.end_fingerprint.clone());
            self.open.add_finished(finished, record::copy(record));
        }
    }
}

/// What an event of a finished game is, judged from its end's fingerprint alone.
fn after_the_end(end: &str, action: &Action<'_>) -> Verdict {
    match action {
        Action::End(again) if again.fingerprint() == end => Verdict::Duplicate,
        Action::End(_) => Verdict::DeadLetter(Reason::Conflict),
        Action::Create(_) | Action::Move { .. } => Verdict::Late,
    }
}

#[cfg(test)]
mod tests;
