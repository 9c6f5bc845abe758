//! A transaction that moves a checkpoint: from its client's side until COMMIT is sent, then the server's alone.

use std::time::Duration;

use store::ingest::Batch;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::changes::Change;
use super::{Phase, Server, StoreBug, Transaction};

/// Why a statement gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The session is gone.
    Lost,
    /// The statement failed, the session lives.
    Error,
}

/// A transaction, from its client's side. Dropping it before COMMIT was sent leaves it to the server.
#[derive(Debug)]
pub(crate) struct Open {
    server: Server,
    id: u64,
    session: u64,
    partition: i32,
    sent: bool,
}

impl Server {
    /// Begins a transaction that wants a partition's checkpoint.
    pub(crate) fn begin(&self, session: u64, partition: i32) -> Option<Open> {
        let mut state = self.state();
        state.sessions.contains(&session).then(|| {
            let id = state.next_id();
            Open {
                server: self.clone(),
                id,
                session,
                partition,
                sent: false,
            }
        })
    }
}

impl Open {
    /// Waits for the lock of the checkpoint's row, at most for so long.
    pub(crate) async fn lock(&self, at_most: Duration) -> Result<(), Failed> {
        let deadline = Instant::now() + at_most;
        loop {
            {
                let mut state = self.server.state();
                if !state.sessions.contains(&self.session) {
                    return Err(Failed::Lost);
                }
                if !state.is_locked(self.partition) {
                    let transaction = Transaction {
                        session: self.session,
                        partition: self.partition,
                        phase: Phase::Open,
                        since: Instant::now(),
                    };
                    state.transactions.insert(self.id, transaction);
                    return Ok(());
                }
            }
            if Instant::now() >= deadline {
                return Err(Failed::Error);
            }
            let pause = self.server.dice.roll(|random| random.ms(1, 40));
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether the checkpoint is the batch's owner's, where the owner left it.
    pub(crate) fn compare(&self, batch: &Batch) -> bool {
        let state = self.server.state();
        let Some(checkpoint) = state.tables.checkpoints.get(&self.partition) else {
            return false;
        };
        let token = checkpoint.token == batch.token || self.server.has(StoreBug::TokenNotChecked);
        let offset = checkpoint.next == batch.base || self.server.has(StoreBug::OffsetNotChecked);
        token && offset
    }

    pub(crate) fn rollback(mut self) {
        self.sent = true;
        self.server.state().transactions.remove(&self.id);
    }

    /// Sends COMMIT. From here on the server decides; the answer may never come.
    pub(crate) fn commit(mut self, change: Change, fate: Fate) -> oneshot::Receiver<bool> {
        self.sent = true;
        let (answer, answered) = oneshot::channel();
        if let Some(transaction) = self.server.state().transactions.get_mut(&self.id) {
            transaction.phase = Phase::Committing;
        }
        let (server, id) = (self.server.clone(), self.id);
        tokio::spawn(async move {
            tokio::time::sleep(fate.after).await;
            let applied = server.decide(id, change, fate.applied);
            if fate.answered {
                // Nobody may be waiting any more.
                let _ = answer.send(applied);
            }
        });
        answered
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.sent {
            return;
        }
        if let Some(transaction) = self.server.state().transactions.get_mut(&self.id) {
            transaction.phase = Phase::Orphaned;
        }
    }
}

/// What becomes of a COMMIT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) after: Duration,
    pub(crate) applied: bool,
    pub(crate) answered: bool,
}
