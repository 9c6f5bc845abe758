//! An owned partition: blocks come in, batches go out, one on its way while the next is filled.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use archive::{Chain, TopicId};
use stream::RecordBlock;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Left, Owner, OwnerEvent};
use crate::log::Log;
use crate::metrics;
use crate::raw::commit::{Commit, Outcome};
use crate::raw::memory::MemoryShare;
use crate::raw::{ClosedBatch, PartitionWriter};

/// How long a shutdown waits for its last batch.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(20);
/// The longest an owner sleeps while something might have become due.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// The same while it has blocks that it can't take.
const ROOM_SLEEP: Duration = Duration::from_millis(20);

type CommitFuture = Pin<Box<dyn Future<Output = archive::Result<Outcome>> + Send>>;

/// A claimed partition in the making of its files.
pub(super) struct Held {
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
    /// Archives the partition until there is a doubt about it, or shutdown.
    pub(super) async fn hold(
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
    /// A partition that was claimed just now.
    pub(super) fn new(
        chain: Chain,
        writer: PartitionWriter,
        share: MemoryShare,
        epoch: u64,
        log_end: i64,
    ) -> Self {
        Self {
            chain,
            writer,
            share,
            epoch,
            log_end,
            blocks: VecDeque::new(),
            commit: None,
            commit_began: Instant::now(),
            cut_off: None,
        }
    }

    /// Whether a block may be taken now.
    fn can_take(&self) -> bool {
        let waits =
            self.share.is_exceeded() || (self.writer.is_committing() && self.writer.is_full());
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
        // Others make room without telling.
        let longest = if self.blocks.is_empty() {
            LONGEST_SLEEP
        } else {
            ROOM_SLEEP
        };
        let soon = Instant::now() + longest;
        match self.writer.due_at_ms() {
            Some(due) if !self.writer.is_committing() => {
                soon.min(began + Duration::from_millis(due))
            }
            _ => soon,
        }
    }
}
