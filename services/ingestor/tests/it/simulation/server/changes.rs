//! What statements read and what a COMMIT makes true, judged at once.

use std::sync::Arc;

use store::ingest::Batch;
use uuid::Uuid;

use super::super::tables::{Checkpoint, DirectoryRow, LiveRow, Tables};
use super::{Server, StoreBug};

/// What a claim found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) token: Uuid,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) live: Vec<(Arc<str>, LiveRow)>,
}

/// What a COMMIT makes true.
#[derive(Debug)]
pub(crate) enum Change {
    Batch(Box<Batch>),
    /// A batch whose compare-and-set hit no row, and that was sent all the same.
    RowsOnly(Box<Batch>),
    Claim {
        partition: i32,
        token: Uuid,
        first_offset: i64,
    },
}

impl Server {
    /// A new token, as a claim draws it.
    pub(crate) fn token(&self) -> Uuid {
        let half = || u128::from(self.dice.roll(|random| random.number()));
        Uuid::from_u128(half() << 64 | half())
    }

    /// What a claim reads, under the lock.
    pub(crate) fn read_claim(&self, partition: i32, first_offset: i64) -> Found {
        let state = self.state();
        let checkpoint = state.tables.checkpoints.get(&partition).cloned();
        let mut token = self.token();
        let checkpoint = checkpoint.unwrap_or(Checkpoint {
            token,
            owner: 0,
            next: first_offset,
            replay_from: first_offset,
            tally: Default::default(),
        });
        if self.has(StoreBug::ClaimKeepsToken) {
            token = checkpoint.token;
        }
        Found {
            token,
            checkpoint,
            live: live_rows(&state.tables, partition),
        }
    }

    pub(crate) fn live_rows(&self, partition: i32) -> Vec<(Arc<str>, LiveRow)> {
        live_rows(&self.state().tables, partition)
    }

    pub(crate) fn look_up(&self, id: &str) -> Option<Arc<DirectoryRow>> {
        self.state().tables.directory.get(id).cloned()
    }

    /// Writes something ahead of its transaction, as a store with [`StoreBug`] would.
    pub(crate) fn write_ahead(&self, batch: &Batch) {
        let mut state = self.state();
        let partition = batch.scope.partition;
        if self.has(StoreBug::DeadLettersOutsideTransaction) {
            // ON CONFLICT DO NOTHING, or a second try would be refused.
            let dead = state.tables.dead.entry(partition).or_default();
            let new =
                |letter: &&store::ingest::DeadLetter| !dead.contains_key(&letter.record.offset);
            let letters: Vec<_> = batch.dead_letters.iter().filter(new).cloned().collect();
            let _ = state.tables.write_dead(partition, &letters);
        }
        if self.has(StoreBug::SnapshotsOutsideTransaction) {
            let snapshots = Batch {
                finished: Vec::new(),
                dead_letters: Vec::new(),
                ended_rows: Vec::new(),
                ..batch.clone()
            };
            let _ = state.tables.write(&snapshots, false);
        }
        if self.has(StoreBug::CheckpointFirst) {
            let _ = state.tables.advance(batch);
        }
    }

    /// Does a COMMIT, if its transaction still stands. Whether it is applied.
    pub(super) fn decide(&self, id: u64, change: Change, apply: bool) -> bool {
        let mut state = self.state();
        let session = match state.transactions.remove(&id) {
            Some(transaction) if apply => transaction.session,
            _ => return false,
        };
        let mut tables = state.tables.clone();
        let partition = match &change {
            Change::Batch(batch) | Change::RowsOnly(batch) => batch.scope.partition,
            Change::Claim { partition, .. } => *partition,
        };
        let before = tables.checkpoints.get(&partition).map(|c| c.next);
        let outcome = self.apply(&mut tables, session, &change);
        let checked = outcome.and_then(|()| self.judge.check(&tables, partition));
        if let (Err(what), None) = (checked, &state.failure) {
            state.failure = Some(what);
        }
        let after = tables.checkpoints.get(&partition).map(|c| c.next);
        if let (Some(before), Some(after)) = (before, after)
            && after < before
            && state.failure.is_none()
        {
            state.failure = Some(format!(
                "N of partition {partition} went back from {before} to {after}"
            ));
        }
        match &change {
            Change::Claim { token, .. } => {
                state.reached.insert(*token, after.unwrap_or_default());
            }
            Change::Batch(batch) => {
                state.reached.insert(batch.token, batch.next);
            }
            Change::RowsOnly(_) => {}
        }
        state.tables = tables;
        if self.dice.roll(|random| random.chance(40)) {
            let earlier = state.tables.clone();
            if state.history.len() >= 24 {
                state.history.remove(0);
            }
            state.history.push(earlier);
        }
        true
    }

    fn apply(&self, tables: &mut Tables, session: u64, change: &Change) -> Result<(), String> {
        let keep = self.has(StoreBug::LiveRowKept);
        match change {
            Change::Batch(batch) => {
                let partition = batch.scope.partition;
                self.trace.note(
                    "committed",
                    [
                        ("partition", i64::from(partition)),
                        ("base", batch.base),
                        ("next", batch.next),
                        ("replay_from", batch.replay_from),
                        ("games", batch.finished.len().cast_signed() as i64),
                        ("snapshots", batch.snapshots.len().cast_signed() as i64),
                        ("dead", batch.dead_letters.len().cast_signed() as i64),
                    ],
                );
                self.counts.add("commits");
                if batch.base == batch.next {
                    self.counts.add("commits of snapshots alone");
                }
                let owner = tables.checkpoints.get(&partition).map(|c| c.owner);
                if owner != Some(session) {
                    return Err(format!(
                        "somebody commits to partition {partition} who is not its last owner"
                    ));
                }
                if !self.has(StoreBug::CheckpointFirst) {
                    tables.advance(batch)?;
                }
                tables.write(batch, keep)
            }
            Change::RowsOnly(batch) => {
                self.trace.note(
                    "rows committed without CAS",
                    [("partition", i64::from(batch.scope.partition))],
                );
                tables.write(batch, keep)
            }
            Change::Claim {
                partition,
                token,
                first_offset,
            } => {
                let checkpoint = tables.checkpoints.entry(*partition).or_insert(Checkpoint {
                    token: *token,
                    owner: session,
                    next: *first_offset,
                    replay_from: *first_offset,
                    tally: Default::default(),
                });
                checkpoint.token = *token;
                checkpoint.owner = session;
                Ok(())
            }
        }
    }
}

fn live_rows(tables: &Tables, partition: i32) -> Vec<(Arc<str>, LiveRow)> {
    let rows = tables.live.get(&partition).into_iter().flatten();
    rows.map(|(id, row)| (id.clone(), row.clone())).collect()
}
