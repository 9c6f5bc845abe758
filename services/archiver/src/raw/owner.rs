//! The owner of one partition: claims it, archives it, and forgets it at every doubt.
//!
//! One task a partition. Everything it knows comes from the chain, so forgetting costs only the records of its open batch, which
//! are read again. While a batch is on its way the next one is filled; when that is full too, blocks wait, their budget is not
//! given back, and the poll thread stops taking more of the partition. Dropping the task is the same as being killed.

mod held;

use std::sync::Arc;
use std::time::Duration;

use archive::{ArchiveStore, Chain, ChainId, Head, TopicId, TopicName};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use stream::RecordBlock;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::commit::WriterId;
use super::memory::MemoryBudget;
use super::progress::{Phase, Progress};
use super::{PartitionWriter, RawPolicy};
use crate::log::Log;
use crate::metrics;
use held::Held;

/// How often a stopped partition looks whether an operator has acted.
const STOP_RETRY: Duration = Duration::from_secs(20);

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
        Held::new(chain, writer, self.memory.share(), epoch, log_end)
    }
}
