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

mod partition;
mod progress;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stream::{RecordBlock, TopicIdentity};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::games::{CloseReason, FoldPolicy};
use crate::ledger::Ledger;
use crate::log::Log;
use crate::metrics;
use partition::{Jitter, Owned, Partition, Stop};
pub use progress::{PartitionProgress, Phase, Progress};
use writer::{Done, Job, WriterHandle};

/// Batches on their way to the database at a time.
const IN_FLIGHT: usize = 2;
/// How often progress is told.
const REPORT_EVERY: Duration = Duration::from_millis(250);
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
}

/// What a worker is made of.
#[derive(Debug)]
pub struct Worker<S: Ledger, L: Log> {
    pipeline: String,
    policy: FoldPolicy,
    ledger: S,
    log: L,
    progress: Arc<Progress>,
    began: Instant,
    identity: Option<TopicIdentity>,
    partitions: BTreeMap<i32, Partition>,
    sessions: Option<Sessions<S>>,
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
            ledger,
            log,
            progress,
            began: Instant::now(),
            identity: None,
            partitions: BTreeMap::new(),
            sessions: None,
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
                event = inbox.recv() => match event {
                    Some(event) => self.take_event(event),
                    None => break,
                },
                () = tokio::time::sleep_until(deadline), if idle => {}
                () = tokio::task::yield_now(), if !idle => {}
            }
            self.connect_if_due().await;
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
                tracing::info!(partition, "assigned");
            }
            WorkerEvent::Revoked(partition) => {
                self.partitions.remove(&partition);
                self.progress.remove(partition);
                tracing::info!(partition, "revoked");
            }
            WorkerEvent::Records(block) => {
                if let Some(owned) = self.owned(block.partition(), block.epoch()) {
                    owned.blocks.push_back(block);
                    owned.last_record_at = Instant::now();
                }
            }
            WorkerEvent::OutOfRange {
                partition,
                epoch,
                detail,
            } => {
                if self.owned(partition, epoch).is_some() {
                    self.stop(partition, Stop::log_gap(detail));
                }
            }
        }
    }

    /// The partition, if it is owned and this is the epoch of its current start.
    fn owned(&mut self, partition: i32, epoch: u64) -> Option<&mut Owned> {
        match self.partitions.get_mut(&partition) {
            Some(Partition::Owned(owned)) if owned.epoch == epoch => Some(owned),
            _ => None,
        }
    }

    /// Forgets what is known of a partition and claims it again later.
    fn forget(&mut self, partition: i32, why: &dyn std::fmt::Display) {
        if let Some(slot) = self.partitions.get_mut(&partition) {
            tracing::warn!(partition, reason = %why, "forgetting the partition's memory; it will be claimed again");
            *slot = Partition::claim_in(self.jitter.pause());
            self.log.stop(partition);
        }
    }

    fn stop(&mut self, partition: i32, stop: Stop) {
        tracing::error!(partition, reason = stop.reason, detail = %stop.detail, "partition stopped; {}", stop.remedy());
        metrics::stopped(&self.pipeline, partition, stop.reason);
        self.log.stop(partition);
        if let (Some(sessions), Some(identity)) = (&self.sessions, &self.identity) {
            let scope = partition::scope(&self.pipeline, self.log.topic(), identity, partition);
            sessions.writer.send(Job::RecordStop {
                scope,
                reason: stop.reason,
                detail: stop.detail.clone(),
            });
        }
        if let Some(slot) = self.partitions.get_mut(&partition) {
            *slot = Partition::stopped(stop);
        }
    }

    fn lose_sessions(&mut self, why: &dyn std::fmt::Display) {
        if self.sessions.take().is_none() {
            return;
        }
        tracing::warn!(reason = %why, "database sessions lost");
        metrics::session_lost(&self.pipeline);
        self.in_flight = 0;
        self.reconnect_at = Some(Instant::now() + self.jitter.pause());
        let owned: Vec<i32> = self
            .partitions
            .iter()
            .filter(|(_, p)| p.holds_session())
            .map(|(p, _)| *p)
            .collect();
        for partition in owned {
            self.forget(partition, &"the session that owned it is gone");
        }
    }

    async fn connect_if_due(&mut self) {
        let wanted = !self.partitions.is_empty();
        if self.sessions.is_some()
            || !wanted
            || self.reconnect_at.is_some_and(|at| at > Instant::now())
        {
            return;
        }
        match self.ledger.open().await {
            Ok((writer, reader)) => {
                self.reconnect_at = None;
                self.sessions = Some(Sessions {
                    writer: WriterHandle::spawn(writer, self.pipeline.clone()),
                    reader,
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no database session; trying again");
                self.reconnect_at = Some(Instant::now() + self.jitter.pause());
            }
        }
    }

    /// Sends claims for the partitions whose time has come.
    async fn claim_due(&mut self) {
        let Some(sessions) = &self.sessions else {
            return;
        };
        let now = Instant::now();
        for (partition, slot) in &mut self.partitions {
            if slot.claim_at().is_none_or(|at| at > now) {
                continue;
            }
            match partition::claim_request(
                &self.pipeline,
                &self.log,
                &mut self.identity,
                *partition,
            )
            .await
            {
                Ok(request) => {
                    self.epochs += 1;
                    *slot = Partition::Claiming { epoch: self.epochs };
                    sessions.writer.send(Job::Claim {
                        request,
                        epoch: self.epochs,
                    });
                }
                Err(error) => {
                    tracing::warn!(partition, %error, "can't claim yet");
                    *slot = Partition::claim_in(self.jitter.pause());
                }
            }
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

    fn take_claim(&mut self, partition: i32, epoch: u64, result: writer::ClaimResult) {
        match self.partitions.get(&partition) {
            Some(Partition::Claiming { epoch: current }) if *current == epoch => {}
            _ => return,
        }
        let owned = match result {
            Ok((scope, claim, first_offset)) => {
                Owned::begin(scope, claim, first_offset, self.policy.clone(), epoch)
            }
            Err(refused) => Err(Stop::refused(&refused)),
        };
        match owned {
            Ok(owned) => {
                tracing::info!(
                    partition,
                    live_games = owned.fold.live_games(),
                    replay_records = owned.fold.replay_left(),
                    position = owned.fold.position(),
                    "claimed"
                );
                metrics::claimed(&self.pipeline, partition, owned.fold.replay_left());
                self.log.start(partition, owned.fold.position(), epoch);
                self.partitions
                    .insert(partition, Partition::Owned(Box::new(owned)));
            }
            Err(stop) => self.stop(partition, stop),
        }
    }

    fn take_commit(&mut self, partition: i32, epoch: u64, next: i64, result: writer::CommitResult) {
        let Some(owned) = self.owned(partition, epoch) else {
            return;
        };
        owned.in_flight -= 1;
        match result {
            Ok(()) => {
                owned.fold.committed(next);
                owned.committed = next;
                let stop = if owned.in_flight == 0 {
                    owned.stop_after_commit.take()
                } else {
                    None
                };
                self.log.committed(partition, next);
                if let Some(stop) = stop {
                    self.stop(partition, stop);
                }
            }
            Err(writer::CommitFailure::Fenced) => {
                metrics::fenced(&self.pipeline, partition);
                self.forget(
                    partition,
                    &"fenced: the checkpoint is not where this owner left it",
                );
            }
            Err(writer::CommitFailure::Refused(detail)) => {
                self.stop(partition, Stop::refused_batch(detail))
            }
        }
    }

    /// Whether some partition has records it may fold now.
    fn can_fold(&self) -> bool {
        self.sessions.is_some()
            && self
                .partitions
                .values()
                .any(|p| p.can_fold(self.in_flight < IN_FLIGHT))
    }

    /// Folds one block of each partition that may.
    async fn fold_next(&mut self) {
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
    fn stop_after_commit(&mut self, partition: i32, stop: Stop) {
        self.close(partition, CloseReason::Due);
        match self.partitions.get_mut(&partition) {
            Some(Partition::Owned(owned)) if owned.in_flight > 0 => {
                owned.stop_after_commit = Some(stop)
            }
            _ => self.stop(partition, stop),
        }
    }

    /// Closes the batches that are due, oldest first, while the writer has room.
    fn close_due(&mut self) {
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

    fn close(&mut self, partition: i32, reason: CloseReason) {
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

    /// When the loop must wake even if nothing comes in.
    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let mut deadline = now + Duration::from_secs(1);
        let began = self.began;
        for slot in self.partitions.values() {
            let at = match slot {
                Partition::ToClaim { at } | Partition::Stopped { retry_at: at, .. } => Some(
                    self.reconnect_at
                        .map_or(*at, |reconnect| reconnect.max(*at)),
                ),
                Partition::Owned(owned) if self.in_flight < IN_FLIGHT => owned
                    .fold
                    .due_at_ms()
                    .map(|ms| began + Duration::from_millis(ms)),
                _ => None,
            };
            deadline = at.map_or(deadline, |at| {
                deadline.min(at.max(now + Duration::from_millis(1)))
            });
        }
        deadline
    }

    /// Tells how far the partitions are, a few times a second.
    fn report(&mut self) {
        if self.reported_at.elapsed() < REPORT_EVERY {
            return;
        }
        self.reported_at = Instant::now();
        for (partition, slot) in &self.partitions {
            self.progress.set(
                *partition,
                slot.progress(self.log.high_watermark(*partition)),
            );
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
