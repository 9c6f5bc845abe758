//! From gathered effects to a batch: when it is due, which live games it writes, and from where a successor would replay.

use store::ingest::{Batch, LiveSnapshot};

use super::PartitionFold;
use crate::games::CloseReason;
use crate::games::open_batch::OpenBatch;

impl PartitionFold {
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
