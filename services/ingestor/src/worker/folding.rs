//! From blocks to batches, and what becomes of batches.

use tokio::time::Instant;

use super::partition::{self, Partition};
use super::writer::{self, Job};
use super::{IN_FLIGHT, Worker};
use crate::games::CloseReason;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::stops::{Stop, StopReason};

impl<S: Ledger, L: Log> Worker<S, L> {
    pub(super) fn take_commit(
        &mut self,
        partition: i32,
        epoch: u64,
        next: i64,
        result: writer::CommitResult,
    ) {
        let Some(owned) = self.owned(partition, epoch) else {
            return;
        };
        owned.in_flight -= 1;
        match result {
            Ok(()) => {
                owned.fold.committed(next);
                let stop = if owned.in_flight == 0 {
                    owned.stop_after_commit.take()
                } else {
                    None
                };
                self.log.committed(partition, next);
                self.note_commit(partition, next);
                if let Some(stop) = stop {
                    self.stop(partition, stop);
                }
            }
            Err(writer::CommitFailure::Fenced) => self.forget(
                partition,
                &"fenced: the checkpoint is not where this owner left it",
            ),
            Err(writer::CommitFailure::Refused(detail)) => {
                self.stop(partition, Stop::new(StopReason::BatchRefused, detail))
            }
        }
    }

    /// Whether some partition has records it may fold now.
    pub(super) fn can_fold(&self) -> bool {
        self.sessions.is_some()
            && self
                .partitions
                .values()
                .any(|p| p.can_fold(self.in_flight < IN_FLIGHT))
    }

    /// Folds one block of each partition that may.
    pub(super) async fn fold_next(&mut self) {
        let room = self.in_flight < IN_FLIGHT;
        let ready: Vec<i32> = self
            .partitions
            .iter()
            .filter(|(_, p)| p.can_fold(room))
            .map(|(p, _)| *p)
            .collect();
        let now_ms = self.now_ms();
        for partition in ready {
            let Some(sessions) = &mut self.sessions else {
                return;
            };
            let Some(Partition::Owned(owned)) = self.partitions.get_mut(&partition) else {
                continue;
            };
            match owned.fold_block(&mut sessions.reader, now_ms).await {
                Ok(()) => {}
                Err(partition::FoldFailure::Lookup(error)) => return self.lose_sessions(&error),
                Err(partition::FoldFailure::Stale(why)) => self.forget(partition, &why),
                Err(partition::FoldFailure::StopAfterCommit(stop)) => {
                    self.stop_after_commit(partition, stop)
                }
                Err(partition::FoldFailure::Stop(stop)) => self.stop(partition, stop),
            }
        }
    }

    /// Commits what came before the records that stop a partition, then stops it.
    pub(super) fn stop_after_commit(&mut self, partition: i32, stop: Stop) {
        self.close(partition, CloseReason::Due);
        match self.partitions.get_mut(&partition) {
            Some(Partition::Owned(owned)) if owned.in_flight > 0 => {
                owned.stop_after_commit = Some(stop)
            }
            _ => self.stop(partition, stop),
        }
    }

    /// Closes the batches that are due, oldest first, while the writer has room.
    pub(super) fn close_due(&mut self) {
        let (now_ms, now) = (self.now_ms(), Instant::now());
        let idle_after = self.policy.idle_after;
        let mut due: Vec<(u64, i32, CloseReason)> = Vec::new();
        for (partition, slot) in &mut self.partitions {
            let Partition::Owned(owned) = slot else {
                continue;
            };
            if let Some(reason) = owned.close_reason(now_ms, now, idle_after) {
                due.push((
                    owned.fold.due_at_ms().unwrap_or(u64::MAX),
                    *partition,
                    reason,
                ));
            }
        }
        due.sort_unstable_by_key(|(due_at, partition, _)| (*due_at, *partition));
        for (_, partition, reason) in due {
            if self.in_flight >= IN_FLIGHT {
                return;
            }
            self.close(partition, reason);
        }
    }

    pub(super) fn close(&mut self, partition: i32, reason: CloseReason) {
        let now_ms = self.now_ms();
        let Some(sessions) = &self.sessions else {
            return;
        };
        let Some(Partition::Owned(owned)) = self.partitions.get_mut(&partition) else {
            return;
        };
        if let Some(batch) = owned.fold.close(reason, now_ms) {
            owned.in_flight += 1;
            self.in_flight += 1;
            sessions.writer.send(Job::Commit {
                batch: Box::new(batch),
                epoch: owned.epoch,
            });
        }
    }
}
