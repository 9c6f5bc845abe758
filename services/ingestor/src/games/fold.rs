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

use std::collections::HashMap;

use domain::{
    Action, EventTime, FinishedGame, GameEvent, GameId, LiveGame, LiveGameError, Reason, Verdict,
};
use events::Rejection;
use store::ingest::{Batch, Claim, DeadLetter, DirectoryEntry, LiveSnapshot, RecordCopy, Scope};
use stream::{Record, RecordBlock};
use uuid::Uuid;

use super::live_set::LiveSet;
use super::open_batch::{OpenBatch, explain};
use super::tombstones::Tombstones;
use super::{CloseReason, FoldPolicy};

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

/// A record with what it says.
#[derive(Debug)]
pub struct Decoded<'a> {
    record: Record<'a>,
    event: Result<GameEvent<'a>, Rejection>,
}

/// Decodes the records of a block from `position` on: what was read before is passed over.
#[must_use]
pub fn decode(block: &RecordBlock, position: i64) -> Vec<Decoded<'_>> {
    let new = block.records().filter(|record| record.offset() >= position);
    new.map(|record| Decoded {
        record,
        event: events::decode(record.key(), record.value()),
    })
    .collect()
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

    /// Folds the records below N, without effects, and takes them from the front of `records`.
    ///
    /// # Errors
    /// [`FoldError::Snapshot`] when a loaded game turns out to be damaged.
    pub fn replay(&mut self, records: &mut Vec<Decoded<'_>>, now_ms: u64) -> Result<(), FoldError> {
        if self.position >= self.resume_at {
            return Ok(());
        }
        let below = records.partition_point(|decoded| decoded.record.offset() < self.resume_at);
        for decoded in records.drain(..below) {
            let offset = decoded.record.offset();
            self.position = offset + 1;
            if let Ok(event) = &decoded.event {
                self.replay_event(offset, event, now_ms)?;
            }
        }
        if !records.is_empty() {
            self.position = self.resume_at;
        }
        Ok(())
    }

    fn replay_event(
        &mut self,
        offset: i64,
        event: &GameEvent<'_>,
        now_ms: u64,
    ) -> Result<(), FoldError> {
        let Some(slot) = self.live.find(&event.game_id) else {
            if let Action::Create(new) = &event.action
                && let Ok(id) = GameId::parse(&event.game_id)
            {
                let slot = self.live.insert(id, LiveGame::begin(new, event.at), false);
                self.live.touch(slot, offset, now_ms);
            }
            return Ok(());
        };
        if self
            .covered
            .get(&slot)
            .is_some_and(|as_of| offset <= *as_of)
        {
            return Ok(());
        }
        let (verdict, finished) = self.apply(slot, event)?;
        if verdict == Verdict::Applied {
            self.live.touch(slot, offset, now_ms);
        }
        if finished.is_some() {
            self.live.remove(slot);
            self.covered.remove(&slot);
        }
        Ok(())
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

    /// The games to look up before anything at or above N is folded, once the replay has reached N.
    #[must_use]
    pub fn ghosts_to_look_up(&self) -> Option<Vec<&str>> {
        if self.settled || self.position < self.resume_at {
            return None;
        }
        Some(
            self.live
                .without_row()
                .into_iter()
                .filter_map(|slot| Some(self.live.get(slot)?.id.as_str()))
                .collect(),
        )
    }

    /// Drops the games that the replay brought back although they have ended.
    ///
    /// # Errors
    /// [`FoldError::Stale`] when one of them ended above N.
    pub fn settle(&mut self, ended: &HashMap<GameId, DirectoryEntry>) -> Result<(), FoldError> {
        for (id, entry) in ended {
            self.refuse_newer(id, entry, self.resume_at)?;
            if self.is_mine(entry)
                && let Some(slot) = self.live.find(id.as_str())
            {
                self.live.remove(slot);
            }
        }
        self.covered = HashMap::new();
        self.settled = true;
        Ok(())
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
        let ids = records
            .iter()
            .filter_map(|decoded| Some(decoded.event.as_ref().ok()?.game_id.as_ref()));
        let mut unknown: Vec<&str> = ids
            .filter(|id| self.live.find(id).is_none() && self.tombstones.get(id).is_none())
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Folds records at or above N, given the directory's answer to [`Self::begin_look_up`].
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
        let folded = records
            .iter()
            .try_for_each(|decoded| self.fold_record(decoded, ended, now_ms));
        self.tombstones.end_look_up();
        folded
    }

    fn fold_record(
        &mut self,
        decoded: &Decoded<'_>,
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
                self.open.add_dead_letter(letter(record, rejection));
                Ok(())
            }
            Ok(event) => {
                self.open.end_run();
                let verdict = self.judge(record, event, ended, now_ms)?;
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
        let length = self
            .open
            .add_unreadable(letter(record, rejection), self.policy.unreadable_run_bytes);
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
                record: copy(record),
            }),
            other => self.open.count(other),
        }
    }

    /// The one decision about a readable record, with its effect on memory and on the open batch.
    fn judge(
        &mut self,
        record: &Record<'_>,
        event: &GameEvent<'_>,
        ended: &HashMap<GameId, DirectoryEntry>,
        now_ms: u64,
    ) -> Result<Verdict, FoldError> {
        let id = event.game_id.as_ref();
        if let Some(slot) = self.live.find(id) {
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
            self.open.add_finished(finished, copy(record));
        }
    }

    /// Whether the open batch has reached its size or its age.
    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.is_full() || self.due_at_ms().is_some_and(|due| now_ms >= due)
    }

    /// Whether the open batch has reached its size.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.open.records() >= i64::from(self.policy.batch_records)
            || self.open.bytes() >= self.policy.batch_bytes
    }

    /// When the open batch reaches its age, if it has records.
    #[must_use]
    pub fn due_at_ms(&self) -> Option<u64> {
        let linger_ms = u64::try_from(self.policy.batch_linger.as_millis()).unwrap_or(u64::MAX);
        self.open
            .opened_ms
            .map(|opened| opened.saturating_add(linger_ms))
    }

    /// Whether there is anything that an idle partition should write.
    pub fn has_unwritten(&mut self) -> bool {
        let gathered = self.open.opened_ms.is_some() || self.open.held_from().is_some();
        self.settled && (gathered || self.live.oldest_dirty().is_some())
    }

    /// Closes the open batch; `None` when there is nothing to commit.
    pub fn close(&mut self, reason: CloseReason, now_ms: u64) -> Option<Batch> {
        if !self.settled {
            return None;
        }
        if reason.writes_everything() {
            self.open.settle_run();
        }
        let next = self.open.held_from().unwrap_or(self.position);
        let snapshots = self.take_snapshots(next, reason, now_ms);
        let replay_from = self.live.oldest_dirty().map_or(next, |(offset, ..)| offset);
        let OpenBatch {
            counts,
            finished,
            ended_rows,
            dead_letters,
            ..
        } = self.open.take();
        self.tombstones.close_batch(next);
        let base = std::mem::replace(&mut self.base, next);
        let (scope, token) = (self.scope.clone(), self.token);
        let batch = Batch {
            scope,
            token,
            base,
            next,
            replay_from,
            counts,
            finished,
            snapshots,
            ended_rows,
            dead_letters,
        };
        (!batch.is_empty()).then_some(batch)
    }

    /// Everything below `next` is committed.
    pub fn committed(&mut self, next: i64) {
        self.tombstones.commit(next);
    }

    fn take_snapshots(&mut self, next: i64, reason: CloseReason, now_ms: u64) -> Vec<LiveSnapshot> {
        let mut snapshots = Vec::new();
        for slot in self.live.take_touched() {
            let due = self.live.get(slot).is_some_and(|tracked| {
                let plies = tracked.game.applied_plies() - tracked.plies_at_snapshot;
                tracked.first_uncovered.is_some()
                    && (!tracked.has_row || plies >= self.policy.snapshot_plies)
            });
            if due {
                self.snapshot_into(slot, &mut snapshots);
            }
        }
        let age_ms = u64::try_from(self.policy.snapshot_age.as_millis()).unwrap_or(u64::MAX);
        while let Some((offset, since_ms, slot)) = self.live.oldest_dirty() {
            let far = next - offset >= self.policy.max_replay_offsets;
            let old = now_ms.saturating_sub(since_ms) >= age_ms;
            if !(far || old || reason.writes_everything()) {
                break;
            }
            self.snapshot_into(slot, &mut snapshots);
        }
        snapshots
    }

    fn snapshot_into(&mut self, slot: u32, snapshots: &mut Vec<LiveSnapshot>) {
        if let Some((game_id, state)) = self.live.snapshot(slot) {
            snapshots.push(LiveSnapshot { game_id, state });
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

fn letter(record: &Record<'_>, rejection: &Rejection) -> DeadLetter {
    DeadLetter {
        reason: rejection.reason,
        detail: rejection.detail.clone(),
        game_id: rejection.game_id.clone(),
        record: copy(record),
    }
}

fn copy(record: &Record<'_>) -> RecordCopy {
    // A producer's clock may name a year that Postgres has no time for; such a timestamp is left out.
    let recorded_at = record
        .timestamp_ms()
        .and_then(|ms| EventTime::from_ms(ms).ok());
    RecordCopy {
        offset: record.offset(),
        recorded_at: recorded_at.map(EventTime::to_datetime),
        key: record.key().map(<[u8]>::to_vec),
        value: record.value().map(<[u8]>::to_vec),
        headers: record
            .headers()
            .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
