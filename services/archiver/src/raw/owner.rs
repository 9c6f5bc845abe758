//! The owner of one partition: claims it, archives it, and forgets it at every doubt.
//!
//! One task a partition. Everything it knows comes from the chain, so forgetting costs only the records of its open batch, which
//! are read again. While a batch is on its way the next one is filled; when that is full too, blocks wait, their budget is not
//! given back, and the poll thread stops taking more of the partition. Dropping the task is the same as being killed.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use archive::{ArchiveStore, Chain, ChainId, Head, TopicId, TopicName};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use stream::RecordBlock;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::commit::{Commit, Outcome, WriterId};
use super::memory::{MemoryBudget, MemoryShare};
use super::progress::{Phase, Progress};
use super::{ClosedBatch, PartitionWriter, RawPolicy};
use crate::log::Log;
use crate::metrics;

/// How often a stopped partition looks whether an operator has acted.
const STOP_RETRY: Duration = Duration::from_secs(20);
/// How long a shutdown waits for its last batch.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(20);
/// The longest an owner sleeps while something might have become due.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What comes in from the consumer about a partition.
#[derive(Debug)]
pub enum OwnerEvent {
    /// Records of a start.
    Records(RecordBlock),
    /// The partition can't be read on from where it is.
    OutOfRange {
        /// The epoch of its start.
        epoch: u64,
        /// What the client said.
        detail: String,
    },
}

/// Why a partition waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The reason's name in metrics.
    pub reason: &'static str,
    /// What exactly is the matter.
    pub detail: String,
}

impl Stop {
    /// What an operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self.reason {
            "log_gap" => {
                "records were removed before they were archived: raise the topic's retention, then `archiver accept-gap`"
            }
            "log_rewound" => {
                "the log ends before the archive does: it lost records that were acknowledged; see docs/ARCHIVE.md"
            }
            _ => {
                "a manifest is damaged: `archiver verify` names it; restore it from the bucket's versions"
            }
        }
    }
}

/// What an owner is made of.
#[derive(Debug)]
pub struct Owner<L> {
    /// The log.
    pub log: L,
    /// The archive.
    pub store: ArchiveStore,
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: i32,
    /// The figures.
    pub policy: Arc<RawPolicy>,
    /// The memory that all owners share.
    pub memory: MemoryBudget,
    /// Where progress is told.
    pub progress: Progress,
    /// Who writes.
    pub writer: WriterId,
    /// Where its pauses come from.
    pub seed: u64,
}

/// What a claim found.
struct Claimed {
    chain: Chain,
    head: Head,
    first: i64,
    /// The end of the log at the time: what an owner before this one may have left lies below it.
    log_end: i64,
}

/// Why a claim or a hold ended.
enum Left {
    Forget(String),
    Stop(Stop),
    Shutdown,
}

type CommitFuture = Pin<Box<dyn Future<Output = archive::Result<Outcome>> + Send>>;

/// A claimed partition in the making of its files.
struct Held {
    chain: Chain,
    writer: PartitionWriter,
    share: MemoryShare,
    epoch: u64,
    log_end: i64,
    blocks: VecDeque<(RecordBlock, usize)>,
    commit: Option<CommitFuture>,
    commit_began: Instant,
    /// Why nothing more can be read: what was read is archived first, so that the gap is no wider than it has to be.
    cut_off: Option<String>,
}

impl<L: Log + Clone> Owner<L> {
    /// Archives the partition until `shutdown`, then closes what is open and ends. Dropping it revokes the partition.
    pub async fn run(self, mut inbox: UnboundedReceiver<OwnerEvent>, shutdown: CancellationToken) {
        let mut jitter = StdRng::seed_from_u64(self.seed);
        loop {
            let epoch = self.writer.next_epoch();
            let left = match self.claim(&shutdown).await {
                Ok(claimed) => {
                    let held = self.begin(claimed, epoch);
                    self.hold(held, &mut inbox, &shutdown).await
                }
                Err(left) => left,
            };
            self.log.stop(self.partition);
            let pause = match left {
                Left::Shutdown => return,
                Left::Forget(why) => {
                    tracing::warn!(topic = %self.topic, partition = self.partition, reason = why, "forgetting the partition's open batch; it will be claimed again");
                    self.tell(|progress| progress.phase = Phase::Claiming);
                    Duration::from_millis(jitter.random_range(1_000..5_000))
                }
                Left::Stop(stop) => {
                    self.stopped(&stop);
                    STOP_RETRY
                }
            };
            let wake = Instant::now() + pause;
            // What still comes of the old start gives its memory back at once.
            loop {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep_until(wake) => break,
                    event = inbox.recv() => if event.is_none() { return },
                }
            }
        }
    }

    fn tell(&self, change: impl FnOnce(&mut super::PartitionProgress)) {
        self.progress
            .update(self.topic.as_str(), self.partition, change);
    }

    fn stopped(&self, stop: &Stop) {
        tracing::error!(topic = %self.topic, partition = self.partition, reason = stop.reason, detail = %stop.detail, "partition stopped; {}", stop.remedy());
        metrics::stopped(&self.topic, self.partition, stop.reason);
        self.tell(|progress| {
            progress.phase = Phase::Stopped;
            progress.stopped = Some(stop.reason);
        });
    }

    /// Reads where the partition's chain ends, and whether the log goes on from there.
    async fn claim(&self, shutdown: &CancellationToken) -> Result<Claimed, Left> {
        let claim = async {
            let doubt = |error: &dyn std::fmt::Display| Left::Forget(error.to_string());
            let identity = self.log.identity().await.map_err(|error| doubt(&error))?;
            let topic_id = TopicId::parse(&identity.topic_id).map_err(|error| doubt(&error))?;
            let id = ChainId {
                topic: self.topic.clone(),
                topic_id,
                partition: self.partition,
            };
            let chain = Chain::new(self.store.clone(), id);
            let head = chain.head().await.map_err(|error| self.unreadable(error))?;
            let watermarks = self.log.watermarks(self.partition).await;
            let (first, log_end) = watermarks.map_err(|error| doubt(&error))?;
            Ok(Claimed {
                chain,
                head,
                first,
                log_end,
            })
        };
        let claimed = tokio::select! {
            biased;
            claimed = claim => claimed?,
            () = shutdown.cancelled() => return Err(Left::Shutdown),
        };
        let Some(end) = claimed.head.end else {
            return Ok(claimed);
        };
        if claimed.first > end {
            let detail = format!(
                "the archive ends at offset {end}, the log begins at {}",
                claimed.first
            );
            return Err(Left::Stop(Stop {
                reason: "log_gap",
                detail,
            }));
        }
        if claimed.log_end < end {
            let detail = format!(
                "the archive ends at offset {end}, the log at {}",
                claimed.log_end
            );
            return Err(Left::Stop(Stop {
                reason: "log_rewound",
                detail,
            }));
        }
        Ok(claimed)
    }

    /// What a chain that can't be read means: trouble that passes, or a damage that an operator has to mend.
    fn unreadable(&self, error: archive::ArchiveError) -> Left {
        if error.is_damage() {
            let detail = error.to_string();
            return Left::Stop(Stop {
                reason: "damaged_chain",
                detail,
            });
        }
        self.tell(|progress| progress.trouble = Some(error.to_string()));
        Left::Forget(error.to_string())
    }

    fn begin(&self, claimed: Claimed, epoch: u64) -> Held {
        let Claimed {
            chain,
            head,
            first,
            log_end,
        } = claimed;
        let id = chain.id().clone();
        let writer = PartitionWriter::new(id, Arc::clone(&self.policy), head, first);
        let position = writer.position();
        tracing::info!(topic = %self.topic, partition = self.partition, position, behind = log_end - position, "claimed");
        self.tell(|progress| {
            progress.phase = Phase::Owned;
            progress.archived_to = Some(position);
            (progress.trouble, progress.stopped) = (None, None);
        });
        self.log.start(self.partition, position, epoch);
        Held {
            chain,
            writer,
            share: self.memory.share(),
            epoch,
            log_end,
            blocks: VecDeque::new(),
            commit: None,
            commit_began: Instant::now(),
            cut_off: None,
        }
    }

    async fn hold(
        &self,
        mut held: Held,
        inbox: &mut UnboundedReceiver<OwnerEvent>,
        shutdown: &CancellationToken,
    ) -> Left {
        let began = Instant::now();
        let now_ms = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        loop {
            let idle = !held.can_take();
            let wake = held.wake_at(began);
            let stepped = tokio::select! {
                biased;
                () = shutdown.cancelled() => return self.finish(held).await,
                outcome = committed(&mut held.commit) => self.take_outcome(&mut held, outcome),
                event = inbox.recv() => held.take_event(event),
                () = tokio::time::sleep_until(wake), if idle => Ok(()),
                () = tokio::task::yield_now(), if !idle => Ok(()),
            };
            if let Err(left) = stepped.and_then(|()| self.step(&mut held, now_ms())) {
                return left;
            }
        }
    }

    /// Takes a block, and closes the batch if it is time.
    fn step(&self, held: &mut Held, now_ms: u64) -> Result<(), Left> {
        let broken = |error: archive::ArchiveError| Left::Forget(error.to_string());
        if held.can_take() {
            held.take_block(now_ms).map_err(broken)?;
            metrics::taken(&self.topic, self.partition, held.writer.position());
        }
        held.share.set(held.writer.memory_bytes());
        let cut_off = held.cut_off.is_some() && held.blocks.is_empty();
        let due = held.writer.is_due(now_ms)
            || cut_off
            || (held.writer.has_open_batch() && held.share.should_yield());
        if due && let Some(batch) = held.writer.close().map_err(broken)? {
            held.share.set(held.writer.memory_bytes());
            held.commit_began = Instant::now();
            held.commit = Some(self.commit(held, batch));
        }
        match &held.cut_off {
            Some(detail) if cut_off && held.commit.is_none() => {
                Err(Left::Forget(format!("the log can't be read on: {detail}")))
            }
            _ => Ok(()),
        }
    }

    fn commit(&self, held: &Held, batch: ClosedBatch) -> CommitFuture {
        let (chain, writer, log) = (held.chain.clone(), self.writer.clone(), self.log.clone());
        let (progress, sweep) = (self.progress.clone(), batch.start < held.log_end);
        metrics::closed(chain.id(), &batch);
        Box::pin(async move {
            let id = chain.id().clone();
            let same_log = || async {
                let identity = log.identity().await.ok()?;
                Some(TopicId::parse(&identity.topic_id).ok()? == id.topic_id)
            };
            let trouble = |error: Option<&archive::ArchiveError>| {
                metrics::store_failed(&id, error.is_some());
                progress.update(id.topic.as_str(), id.partition, |progress| {
                    progress.trouble = error.map(ToString::to_string);
                });
            };
            let (chain, writer, trouble) = (&chain, &writer, &trouble);
            Commit {
                chain,
                writer,
                batch,
                same_log,
                sweep,
                trouble,
            }
            .run()
            .await
        })
    }

    fn take_outcome(&self, held: &mut Held, outcome: archive::Result<Outcome>) -> Result<(), Left> {
        held.commit = None;
        match outcome {
            Ok(Outcome::Committed(head)) => {
                let end = head.end;
                held.writer.committed(head);
                metrics::committed(held.chain.id(), held.commit_began.elapsed());
                self.tell(|progress| progress.archived_to = end);
                self.log.committed(self.partition, end.unwrap_or(0));
                Ok(())
            }
            Ok(Outcome::Fenced) => {
                metrics::fenced(&self.topic, self.partition);
                Err(Left::Forget(
                    "fenced: another archiver has written this place of the chain".to_owned(),
                ))
            }
            Ok(Outcome::AnotherLog) => Err(Left::Forget(
                "the topic was deleted and made again".to_owned(),
            )),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    /// Closes what is open, so that the next owner reads nothing twice, and waits for the answers.
    async fn finish(&self, mut held: Held) -> Left {
        let last = async {
            if held.commit.is_some() {
                let outcome = committed(&mut held.commit).await;
                self.take_outcome(&mut held, outcome)?;
            }
            let closed = held.writer.close();
            if let Some(batch) = closed.map_err(|error| Left::Forget(error.to_string()))? {
                held.commit = Some(self.commit(&held, batch));
                let outcome = committed(&mut held.commit).await;
                self.take_outcome(&mut held, outcome)?;
            }
            Ok::<(), Left>(())
        };
        if !matches!(tokio::time::timeout(SHUTDOWN_WAIT, last).await, Ok(Ok(()))) {
            tracing::warn!(topic = %self.topic, partition = self.partition, "the last batch was not archived; it is read again");
        }
        Left::Shutdown
    }
}

async fn committed(commit: &mut Option<CommitFuture>) -> archive::Result<Outcome> {
    match commit {
        Some(commit) => commit.await,
        None => std::future::pending().await,
    }
}

impl Held {
    /// Whether a block may be taken now.
    fn can_take(&self) -> bool {
        let waits =
            self.writer.is_committing() && (self.writer.is_full() || self.share.is_exceeded());
        !self.blocks.is_empty() && !waits
    }

    fn take_event(&mut self, event: Option<OwnerEvent>) -> Result<(), Left> {
        match event {
            Some(OwnerEvent::Records(block)) if block.epoch() == self.epoch => {
                self.blocks.push_back((block, 0));
                Ok(())
            }
            Some(OwnerEvent::OutOfRange { epoch, detail }) if epoch == self.epoch => {
                self.cut_off = Some(detail);
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(Left::Shutdown),
        }
    }

    fn take_block(&mut self, now_ms: u64) -> archive::Result<()> {
        let Some((block, from)) = self.blocks.front_mut() else {
            return Ok(());
        };
        let done = self.writer.take(block, *from, now_ms)?;
        if done == block.len() {
            self.blocks.pop_front();
        } else {
            *from = done;
        }
        Ok(())
    }

    /// When the owner must look even if nothing comes in.
    fn wake_at(&self, began: Instant) -> Instant {
        let soon = Instant::now() + LONGEST_SLEEP;
        match self.writer.due_at_ms() {
            Some(due) if !self.writer.is_committing() => {
                soon.min(began + Duration::from_millis(due))
            }
            _ => soon,
        }
    }
}
