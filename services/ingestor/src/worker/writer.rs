//! The task that owns the writing session: claims and commits, one after the other, in the order they were sent.
//!
//! What the world causes is tried again for ever, here, with the same batch: its checkpoint's compare-and-set makes that safe.
//! A lost session ends the task; jobs that were waiting are dropped with it, for their owner forgets them anyway. A session
//! that had nothing to do is asked now and then whether it still stands: the owner of an idle partition would otherwise never
//! learn that the database was put back, and leave undone what that undid.

use std::time::Duration;

use store::ingest::{Batch, Claim, ClaimRefused, ClaimRequest, CommitError, Scope};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::ledger::Writer;
use crate::metrics;

/// How long a session may be silent before it is asked whether it still stands.
const MAX_SILENCE: Duration = Duration::from_secs(5);
/// The longest pause between two tries of a batch.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

pub(super) enum Job {
    Claim {
        request: ClaimRequest,
        epoch: u64,
    },
    Commit {
        batch: Box<Batch>,
        epoch: u64,
    },
    RecordStop {
        scope: Scope,
        reason: &'static str,
        detail: String,
    },
}

pub(super) type ClaimResult = Result<(Scope, Claim, i64), ClaimRefused>;
pub(super) type CommitResult = Result<(), CommitFailure>;

pub(super) enum CommitFailure {
    Fenced,
    Refused(String),
}

pub(super) enum Done {
    Claimed {
        partition: i32,
        epoch: u64,
        result: ClaimResult,
    },
    Committed {
        partition: i32,
        epoch: u64,
        next: i64,
        result: CommitResult,
    },
    SessionLost(String),
}

/// The handle to a writer task. Dropping it ends the task and its session.
#[derive(Debug)]
pub(super) struct WriterHandle {
    jobs: mpsc::UnboundedSender<Job>,
    done: mpsc::UnboundedReceiver<Done>,
    task: AbortHandle,
}

impl WriterHandle {
    pub(super) fn spawn(writer: impl Writer, pipeline: String) -> Self {
        // Unbounded, and yet bounded: the worker counts its batches on their way, and claims are one a partition.
        let (jobs, inbox) = mpsc::unbounded_channel();
        let (outbox, done) = mpsc::unbounded_channel();
        let task = tokio::spawn(work(writer, pipeline, inbox, outbox)).abort_handle();
        Self { jobs, done, task }
    }

    pub(super) fn send(&self, job: Job) {
        // A task that has ended has left `SessionLost` as its last word.
        let _ = self.jobs.send(job);
    }

    pub(super) async fn next_done(&mut self) -> Done {
        let done = self.done.recv().await;
        done.unwrap_or_else(|| Done::SessionLost("the writer task ended".into()))
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn work(
    mut writer: impl Writer,
    pipeline: String,
    mut jobs: mpsc::UnboundedReceiver<Job>,
    done: mpsc::UnboundedSender<Done>,
) {
    loop {
        let job = match tokio::time::timeout(MAX_SILENCE, jobs.recv()).await {
            Ok(Some(job)) => job,
            Ok(None) => return,
            Err(_silence) => match writer.check().await {
                Ok(()) => continue,
                Err(error) => {
                    // The worker may be gone.
                    let _ = done.send(Done::SessionLost(error.to_string()));
                    return;
                }
            },
        };
        let answer = match job {
            Job::Claim { request, epoch } => claim(&mut writer, request, epoch).await,
            Job::Commit { batch, epoch } => commit(&mut writer, &pipeline, &batch, epoch).await,
            Job::RecordStop {
                scope,
                reason,
                detail,
            } => {
                writer.record_stop(&scope, reason, &detail).await;
                continue;
            }
        };
        let lost = matches!(answer, Done::SessionLost(_));
        if done.send(answer).is_err() || lost {
            return;
        }
    }
}

async fn claim(writer: &mut impl Writer, request: ClaimRequest, epoch: u64) -> Done {
    let partition = request.scope.partition;
    match writer.claim(&request).await {
        Ok(Ok(claim)) => Done::Claimed {
            partition,
            epoch,
            result: Ok((request.scope, claim, request.first_offset)),
        },
        Ok(Err(refused)) => Done::Claimed {
            partition,
            epoch,
            result: Err(refused),
        },
        Err(error) => Done::SessionLost(error.to_string()),
    }
}

async fn commit(writer: &mut impl Writer, pipeline: &str, batch: &Batch, epoch: u64) -> Done {
    let (partition, next) = (batch.scope.partition, batch.next);
    let answer = |result| Done::Committed {
        partition,
        epoch,
        next,
        result,
    };
    let began = Instant::now();
    let mut backoff = Duration::from_millis(100);
    loop {
        let error = match writer.commit(batch).await {
            Ok(committed) => {
                metrics::committed(pipeline, batch, began.elapsed());
                for game in &committed.split {
                    tracing::warn!(partition, game.id = %game, "game was finished from another partition: split key");
                }
                return answer(Ok(()));
            }
            Err(error) => error,
        };
        match error {
            CommitError::Fenced => {
                // Told here: by now the partition may be revoked, and nobody waits for the answer any more.
                tracing::warn!(partition, batch.base, batch.next, "batch fenced");
                metrics::fenced(pipeline, partition);
                return answer(Err(CommitFailure::Fenced));
            }
            CommitError::Refused(error) => {
                return answer(Err(CommitFailure::Refused(error.to_string())));
            }
            CommitError::SessionLost(error) => return Done::SessionLost(error.to_string()),
            CommitError::MissingPartition(_)
            | CommitError::PartitionsNotReady(_)
            | CommitError::Retry(_) => {
                tracing::warn!(partition, %error, ?backoff, "batch rolled back; trying it again");
                metrics::retried(pipeline, partition);
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(MAX_BACKOFF);
            }
        }
    }
}
