//! One worker: a share of the partitions, on one pair of database sessions.
//!
//! ```text
//!  inbox ──► partitions: claim ──► replay ──► fold ──► close
//!               ▲                               │ batches, at most two on their way
//!               │ fenced, session lost:         ▼
//!               └── forget, wait, claim ◄── writer task ──► database
//! ```
//!
//! The loop owns all state and never waits on the writer: it sends jobs and takes answers. While a batch is being committed the
//! next one is folded. When the writer has two batches under way, records are left in their blocks, their budget is not given
//! back, and the poll thread stops taking more of that partition: memory stays bounded and the group membership alive.
//!
//! Forgetting is the answer to every doubt. A partition whose batch was fenced, or whose session was lost, or whose directory
//! shows another owner ahead, drops its memory and is claimed again after one to five seconds, as long as it is assigned.

mod folding;
mod ownership;
mod partition;
mod progress;
mod standing;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use stream::{RecordBlock, TopicIdentity};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::games::{CloseReason, FoldPolicy};
use crate::ledger::Ledger;
use crate::log::Log;
use crate::stops::{Stop, StopReason};
use partition::{Jitter, Owned, Partition};
pub use progress::{PartitionProgress, Phase, Progress};
use standing::Standing;
use writer::{Done, WriterHandle};

/// Batches on their way to the database at a time.
const IN_FLIGHT: usize = 2;
/// How often progress is told.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// How often a stopped partition is claimed again, to see whether an operator has acted, unless configured otherwise.
pub const STOPPED_RETRY: Duration = Duration::from_secs(20);
/// How long a shutdown waits for its last batches.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(20);

/// What comes in from the consumer.
#[derive(Debug)]
pub enum WorkerEvent {
    /// The partition is this worker's now; the log it belongs to.
    Assigned(i32),
    /// The partition is no longer this worker's.
    Revoked(i32),
    /// Records of a started partition.
    Records(RecordBlock),
    /// A started partition can't be read on.
    OutOfRange {
        /// The partition.
        partition: i32,
        /// The epoch of its start.
        epoch: u64,
        /// What the client said.
        detail: String,
    },
    /// The topic's identity or partition count is not what it was: what every partition belongs to must be asked again.
    TopicChanged,
}

type Opened<S> = Result<(<S as Ledger>::Writer, <S as Ledger>::Reader), StoreError>;

/// What a worker is made of.
#[derive(Debug)]
pub struct Worker<S: Ledger, L: Log> {
    pipeline: String,
    policy: FoldPolicy,
    stopped_retry: Duration,
    ledger: Arc<S>,
    log: L,
    progress: Arc<Progress>,
    began: Instant,
    identity: Option<TopicIdentity>,
    partitions: BTreeMap<i32, Partition>,
    standing: BTreeMap<i32, Standing>,
    sessions: Option<Sessions<S>>,
    opening: Option<AbortOnDropHandle<Opened<S>>>,
    reconnect_at: Option<Instant>,
    epochs: u64,
    in_flight: usize,
    reported_at: Instant,
    jitter: Jitter,
}

#[derive(Debug)]
struct Sessions<S: Ledger> {
    writer: WriterHandle,
    reader: S::Reader,
}

impl<S: Ledger, L: Log> Worker<S, L> {
    /// A worker without partitions.
    pub fn new(
        pipeline: &str,
        policy: FoldPolicy,
        ledger: S,
        log: L,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            policy,
            stopped_retry: STOPPED_RETRY,
            ledger: Arc::new(ledger),
            log,
            progress,
            began: Instant::now(),
            identity: None,
            partitions: BTreeMap::new(),
            standing: BTreeMap::new(),
            sessions: None,
            opening: None,
            reconnect_at: None,
            epochs: 0,
            in_flight: 0,
            reported_at: Instant::now(),
            jitter: Jitter::seeded(rand::random()),
        }
    }

    /// Draws its pauses from `seed`, so that a run can be repeated.
    #[must_use]
    pub fn with_jitter_seed(mut self, seed: u64) -> Self {
        self.jitter = Jitter::seeded(seed);
        self
    }

    /// Looks so often whether a stopped partition still has to be.
    #[must_use]
    pub fn with_stopped_retry(mut self, stopped_retry: Duration) -> Self {
        self.stopped_retry = stopped_retry;
        self
    }

    /// Works until `shutdown`, then writes every live game of its partitions and ends.
    pub async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<WorkerEvent>,
        shutdown: CancellationToken,
    ) {
        loop {
            let deadline = self.next_deadline();
            let idle = !self.can_fold();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                done = next_done(self.sessions.as_mut()) => self.take_done(done),
                opened = next_opened::<S>(self.opening.as_mut()) => self.take_sessions(opened),
                event = inbox.recv() => match event {
                    Some(event) => self.take_event(event),
                    None => break,
                },
                () = tokio::time::sleep_until(deadline), if idle => {}
                () = tokio::task::yield_now(), if !idle => {}
            }
            self.connect_if_due();
            self.claim_due().await;
            self.fold_next().await;
            self.close_due();
            self.report();
        }
        self.finish().await;
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn take_event(&mut self, event: WorkerEvent) {
        match event {
            WorkerEvent::Assigned(partition) => {
                // The log may have changed while nobody here was reading it.
                self.identity = None;
                self.partitions.insert(partition, Partition::claim_now());
                self.standing.insert(partition, Standing::default());
                tracing::info!(partition, "assigned");
            }
            WorkerEvent::Revoked(partition) => {
                self.partitions.remove(&partition);
                self.standing.remove(&partition);
                self.progress.remove(partition);
                tracing::info!(partition, "revoked");
            }
            WorkerEvent::Records(block) => self.take_block(block),
            WorkerEvent::OutOfRange {
                partition,
                epoch,
                detail,
            } => {
                if self.owned(partition, epoch).is_some() {
                    self.stop(partition, Stop::new(StopReason::LogGap, detail));
                    // It may be another log altogether; the next claim asks.
                    self.identity = None;
                }
            }
            WorkerEvent::TopicChanged => {
                self.identity = None;
                let owned: Vec<i32> = self.partitions.keys().copied().collect();
                for partition in owned {
                    self.forget(partition, &"the topic has changed");
                }
            }
        }
    }

    fn take_block(&mut self, block: RecordBlock) {
        let partition = block.partition();
        if self.owned(partition, block.epoch()).is_none() {
            return;
        }
        if let Some(standing) = self.standing.get_mut(&partition) {
            standing.read(&block);
        }
        if let Some(owned) = self.owned(partition, block.epoch()) {
            owned.blocks.push_back(block);
            owned.last_record_at = Instant::now();
        }
    }

    /// The partition, if it is owned and this is the epoch of its current start.
    fn owned(&mut self, partition: i32, epoch: u64) -> Option<&mut Owned> {
        match self.partitions.get_mut(&partition) {
            Some(Partition::Owned(owned)) if owned.epoch == epoch => Some(owned),
            _ => None,
        }
    }

    fn take_done(&mut self, done: Done) {
        match done {
            Done::Claimed {
                partition,
                epoch,
                result,
            } => self.take_claim(partition, epoch, result),
            Done::Committed {
                partition,
                epoch,
                next,
                result,
            } => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.take_commit(partition, epoch, next, result);
            }
            Done::SessionLost(why) => self.lose_sessions(&why),
        }
    }

    /// When the loop must wake even if nothing comes in.
    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let soonest = now + Duration::from_millis(1);
        let mut deadline = now + Duration::from_secs(1);
        if let (None, None, Some(at)) = (&self.sessions, &self.opening, self.reconnect_at) {
            deadline = deadline.min(at.max(soonest));
        }
        for slot in self.partitions.values() {
            let at = match slot {
                Partition::ToClaim { at } | Partition::Stopped { retry_at: at } => {
                    self.sessions.as_ref().map(|_can_claim| *at)
                }
                Partition::Owned(owned)
                    if self.in_flight < IN_FLIGHT && owned.stop_after_commit.is_none() =>
                {
                    owned
                        .fold
                        .due_at_ms()
                        .map(|ms| self.began + Duration::from_millis(ms))
                }
                _ => None,
            };
            deadline = at.map_or(deadline, |at| deadline.min(at.max(soonest)));
        }
        deadline
    }

    /// Tells how far the partitions are, a few times a second.
    fn report(&mut self) {
        if self.reported_at.elapsed() < REPORT_EVERY {
            return;
        }
        self.reported_at = Instant::now();
        let commits_full = self.in_flight >= IN_FLIGHT;
        for (partition, slot) in &self.partitions {
            if let Some(standing) = self.standing.get(partition) {
                self.progress
                    .set(*partition, slot.progress(standing, commits_full));
            }
        }
    }

    /// Writes every live game, so that the next owner replays nothing, and waits for the answers.
    async fn finish(mut self) {
        let deadline = Instant::now() + SHUTDOWN_WAIT;
        let owned: Vec<i32> = self.partitions.keys().copied().collect();
        for partition in owned {
            while self.in_flight >= IN_FLIGHT && self.wait_done(deadline).await {}
            self.close(partition, CloseReason::Shutdown);
        }
        while self.in_flight > 0 && self.wait_done(deadline).await {}
        tracing::info!(unfinished_batches = self.in_flight, "worker ended");
    }

    async fn wait_done(&mut self, deadline: Instant) -> bool {
        let done = tokio::time::timeout_at(deadline, next_done(self.sessions.as_mut())).await;
        done.map(|done| self.take_done(done)).is_ok()
    }
}

async fn next_done<S: Ledger>(sessions: Option<&mut Sessions<S>>) -> Done {
    match sessions {
        Some(sessions) => sessions.writer.next_done().await,
        None => std::future::pending().await,
    }
}

async fn next_opened<S: Ledger>(opening: Option<&mut AbortOnDropHandle<Opened<S>>>) -> Opened<S> {
    match opening {
        Some(opening) => match opening.await {
            Ok(opened) => opened,
            // Nobody else aborts it: it panicked, and so does the worker.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
        None => std::future::pending().await,
    }
}
