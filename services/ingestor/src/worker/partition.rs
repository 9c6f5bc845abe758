//! One assigned partition as its worker sees it.
//!
//! ```text
//! to claim ──► claiming ──► owned ──► to claim     (fenced, stale, session lost)
//!    ▲             │           │
//!    └─────────────┘           └────► stopped      (for an operator)
//! ```

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use store::StoreError;
use store::ingest::{Claim, ClaimRequest, Scope};
use stream::{RecordBlock, StreamError, TopicIdentity};
use tokio::time::Instant;

use crate::games::{CloseReason, FoldError, FoldPolicy, PartitionFold, decode};
use crate::ledger::Reader;
use crate::log::Log;
use crate::stops::{Stop, StopReason};

use super::progress::{PartitionProgress, Phase};
use super::standing::Standing;

#[derive(Debug)]
pub(super) enum Partition {
    ToClaim { at: Instant },
    Claiming { epoch: u64 },
    Owned(Box<Owned>),
    Stopped { retry_at: Instant },
}

/// A claimed partition.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) fold: PartitionFold,
    pub(super) epoch: u64,
    pub(super) blocks: VecDeque<RecordBlock>,
    pub(super) last_record_at: Instant,
    pub(super) in_flight: usize,
    pub(super) stop_after_commit: Option<Stop>,
}

pub(super) enum FoldFailure {
    Lookup(StoreError),
    Stale(String),
    StopAfterCommit(Stop),
    Stop(Stop),
}

impl From<FoldError> for FoldFailure {
    fn from(error: FoldError) -> Self {
        let detail = error.to_string();
        match error {
            FoldError::Stale { .. } => Self::Stale(detail),
            FoldError::UnreadableRun { .. } => {
                Self::StopAfterCommit(Stop::new(StopReason::UnreadableRun, detail))
            }
            FoldError::Snapshot { .. } => {
                Self::Stop(Stop::new(StopReason::DamagedSnapshot, detail))
            }
        }
    }
}

/// Pauses of one to five seconds, so that owners that lost at the same time do not come back at the same time.
#[derive(Debug)]
pub(super) struct Jitter(StdRng);

impl Jitter {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub(super) fn pause(&mut self) -> Duration {
        Duration::from_millis(self.0.random_range(1_000..5_000))
    }
}

pub(super) fn scope(
    pipeline: &str,
    topic: &str,
    identity: &TopicIdentity,
    partition: i32,
) -> Scope {
    Scope {
        pipeline: pipeline.to_owned(),
        topic: topic.to_owned(),
        topic_id: identity.topic_id.clone(),
        partition,
    }
}

/// Asks the log what a claim must name.
pub(super) async fn claim_request(
    pipeline: &str,
    log: &impl Log,
    identity: &mut Option<TopicIdentity>,
    partition: i32,
) -> Result<ClaimRequest, StreamError> {
    let known = match identity.take() {
        Some(known) => known,
        None => log.identity().await?,
    };
    let identity = identity.insert(known);
    let first_offset = log.first_offset(partition).await?;
    Ok(ClaimRequest {
        scope: scope(pipeline, log.topic(), identity, partition),
        cluster_id: identity.cluster_id.clone(),
        partition_count: identity.partition_count,
        first_offset,
    })
}

impl Owned {
    /// Takes over a claimed partition whose oldest record is at `first_offset`.
    pub(super) fn begin(
        scope: Scope,
        claim: Claim,
        first_offset: i64,
        policy: FoldPolicy,
        epoch: u64,
    ) -> Result<Self, Stop> {
        let (committed, replay_from) = (claim.next_offset, claim.replay_from);
        if first_offset > replay_from {
            let detail = format!(
                "the log begins at offset {first_offset}, but offsets from {replay_from} on are needed (the next new one is {committed})"
            );
            return Err(Stop::new(StopReason::LogGap, detail));
        }
        let fold = PartitionFold::new(scope, claim, policy)
            .map_err(|error| Stop::new(StopReason::DamagedSnapshot, error))?;
        Ok(Self {
            fold,
            epoch,
            blocks: VecDeque::new(),
            last_record_at: Instant::now(),
            in_flight: 0,
            stop_after_commit: None,
        })
    }

    /// Folds the oldest block.
    pub(super) async fn fold_block(
        &mut self,
        reader: &mut impl Reader,
        now_ms: u64,
    ) -> Result<(), FoldFailure> {
        let Some(block) = self.blocks.pop_front() else {
            return self.settle(reader).await;
        };
        let mut records = decode(&block, self.fold.position());
        self.fold.replay(&mut records, now_ms)?;
        self.settle(reader).await?;
        if records.is_empty() {
            return Ok(());
        }
        let unknown = self.fold.begin_look_up(&records);
        let ended = if unknown.is_empty() {
            HashMap::new()
        } else {
            reader
                .look_up(&unknown)
                .await
                .map_err(FoldFailure::Lookup)?
        };
        Ok(self.fold.fold(&records, &ended, now_ms)?)
    }

    /// Ends the replay once it has reached N.
    async fn settle(&mut self, reader: &mut impl Reader) -> Result<(), FoldFailure> {
        let Some(ghosts) = self.fold.ghosts_to_look_up() else {
            return Ok(());
        };
        let ended = reader.look_up(&ghosts).await.map_err(FoldFailure::Lookup)?;
        Ok(self.fold.settle(&ended)?)
    }

    /// Whether the open batch should be closed now, and as what.
    pub(super) fn close_reason(
        &mut self,
        now_ms: u64,
        now: Instant,
        idle_after: Duration,
    ) -> Option<CloseReason> {
        if self.stop_after_commit.is_some() {
            return None;
        }
        if self.fold.is_due(now_ms) {
            return Some(CloseReason::Due);
        }
        let idle = self.blocks.is_empty() && now.duration_since(self.last_record_at) >= idle_after;
        (idle && self.fold.has_unwritten()).then_some(CloseReason::Idle)
    }
}

impl Partition {
    pub(super) fn claim_now() -> Self {
        Self::ToClaim { at: Instant::now() }
    }

    /// Stopped for an operator; whether it still has to be is looked at now and then.
    pub(super) fn stopped(look_again: Duration) -> Self {
        Self::Stopped {
            retry_at: Instant::now() + look_again,
        }
    }

    /// When it wants to be claimed.
    pub(super) fn claim_at(&self) -> Option<Instant> {
        match self {
            Self::ToClaim { at } | Self::Stopped { retry_at: at } => Some(*at),
            Self::Claiming { .. } | Self::Owned(_) => None,
        }
    }

    pub(super) fn claim_in(pause: Duration) -> Self {
        Self::ToClaim {
            at: Instant::now() + pause,
        }
    }

    /// Whether its memory hangs on the session.
    pub(super) fn holds_session(&self) -> bool {
        matches!(self, Self::Claiming { .. } | Self::Owned(_))
    }

    /// Whether there is a block, and either the batch is not full or the writer has room for it.
    pub(super) fn can_fold(&self, room: bool) -> bool {
        match self {
            Self::Owned(owned) => {
                let work = !owned.blocks.is_empty() || owned.fold.ghosts_to_look_up().is_some();
                work && owned.stop_after_commit.is_none() && (room || !owned.fold.is_full())
            }
            _ => false,
        }
    }

    /// What it does; a stopped one is stopped until it goes on, also while that is being found out.
    pub(super) fn progress(&self, standing: &Standing, commits_full: bool) -> PartitionProgress {
        let (phase, live_games) = match self {
            _ if standing.stop.is_some() => (Phase::Stopped, 0),
            Self::Owned(owned) if owned.fold.replay_left() > 0 => {
                (Phase::Replaying, owned.fold.live_games())
            }
            Self::Owned(owned) => (Phase::Live, owned.fold.live_games()),
            Self::ToClaim { .. } | Self::Claiming { .. } | Self::Stopped { .. } => {
                (Phase::Claiming, 0)
            }
        };
        PartitionProgress {
            told_at: Instant::now(),
            phase,
            next_offset: standing.next_offset,
            oldest_waiting_ms: standing.oldest_waiting_ms(),
            live_games,
            commits_full,
            stop: standing.stop.clone(),
        }
    }
}
