//! Winning, losing and giving up partitions.
//!
//! Every doubt ends in the same way: what is known is forgotten, and the partition is claimed again while it is assigned.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::partition::{self, Owned, Partition};
use super::writer::{self, Job, WriterHandle};
use super::{Opened, Sessions, Worker};
use crate::ledger::Ledger;
use crate::log::Log;
use crate::metrics;
use crate::stops::{Stop, StopReason};

impl<S: Ledger, L: Log> Worker<S, L> {
    /// Forgets what is known of a partition and claims it again later.
    pub(super) fn forget(&mut self, partition: i32, why: &dyn std::fmt::Display) {
        if let Some(slot) = self.partitions.get_mut(&partition) {
            tracing::warn!(partition, reason = %why, "forgetting the partition's memory; it will be claimed again");
            *slot = Partition::claim_in(self.jitter.pause());
            self.log.stop(partition);
        }
    }

    /// Stops a partition until an operator acts. One that is found to be stopped still is not told of again.
    pub(super) fn stop(&mut self, partition: i32, stop: Stop) {
        let standing = self.standing.entry(partition).or_default();
        if standing
            .stop
            .as_ref()
            .is_none_or(|known| known.reason != stop.reason)
        {
            let Stop { reason, detail } = &stop;
            tracing::error!(partition, %reason, detail, "partition stopped; {}", reason.remedy());
            metrics::stopped(&self.pipeline, partition, *reason);
        }
        standing.stop = Some(stop.clone());
        self.log.stop(partition);
        if let (Some(sessions), Some(identity)) = (&self.sessions, &self.identity) {
            let scope = partition::scope(&self.pipeline, self.log.topic(), identity, partition);
            sessions.writer.send(Job::RecordStop {
                scope,
                reason: stop.reason.as_str(),
                detail: stop.detail,
            });
        }
        if let Some(slot) = self.partitions.get_mut(&partition) {
            *slot = Partition::stopped(self.stopped_retry);
        }
    }

    /// Notes how far a partition is committed; one that has moved is not stopped any more.
    pub(super) fn note_commit(&mut self, partition: i32, next: i64) {
        let standing = self.standing.entry(partition).or_default();
        let moved = standing.next_offset.is_some_and(|before| next > before);
        standing.committed(next);
        if moved {
            self.goes_on(partition, |_reason| true);
        }
    }

    /// The partition goes on, if it was stopped for a reason that is over now.
    fn goes_on(&mut self, partition: i32, is_over: impl FnOnce(StopReason) -> bool) {
        let standing = self.standing.entry(partition).or_default();
        if let Some(stop) = standing.stop.take_if(|stop| is_over(stop.reason)) {
            tracing::info!(partition, reason = %stop.reason, "partition goes on");
        }
    }

    pub(super) fn lose_sessions(&mut self, why: &dyn std::fmt::Display) {
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

    /// Begins to open sessions. Whoever waits for a database that does not answer is a task of its own.
    pub(super) fn connect_if_due(&mut self) {
        let wanted = !self.partitions.is_empty();
        let early = self.reconnect_at.is_some_and(|at| at > Instant::now());
        if self.sessions.is_some() || self.opening.is_some() || !wanted || early {
            return;
        }
        let ledger = Arc::clone(&self.ledger);
        let opening = tokio::spawn(async move { ledger.open().await });
        self.opening = Some(AbortOnDropHandle::new(opening));
    }

    pub(super) fn take_sessions(&mut self, opened: Opened<S>) {
        self.opening = None;
        match opened {
            Ok((writer, reader)) => {
                self.reconnect_at = None;
                self.progress.set_no_session(None);
                self.sessions = Some(Sessions {
                    writer: WriterHandle::spawn(writer, self.pipeline.clone()),
                    reader,
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no database session; trying again");
                self.progress.set_no_session(Some(error.to_string()));
                self.reconnect_at = Some(Instant::now() + self.jitter.pause());
            }
        }
    }

    /// Sends claims for the partitions whose time has come. When Kafka does not answer for one, all of them wait.
    pub(super) async fn claim_due(&mut self) {
        let Some(sessions) = &self.sessions else {
            return;
        };
        let now = Instant::now();
        let mut unanswered = false;
        for (partition, slot) in &mut self.partitions {
            if slot.claim_at().is_none_or(|at| at > now) {
                continue;
            }
            if unanswered {
                *slot = Partition::claim_in(self.jitter.pause());
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
                    unanswered = true;
                }
            }
        }
    }

    pub(super) fn take_claim(&mut self, partition: i32, epoch: u64, result: writer::ClaimResult) {
        match self.partitions.get(&partition) {
            Some(Partition::Claiming { epoch: current }) if *current == epoch => {}
            _ => return,
        }
        let owned = match result {
            Ok((scope, claim, first_offset)) => {
                let standing = self.standing.entry(partition).or_default();
                standing.committed(claim.next_offset);
                Owned::begin(scope, claim, first_offset, self.policy.clone(), epoch)
            }
            Err(refused) => Err(Stop::new(StopReason::from(&refused), &refused)),
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
                self.goes_on(partition, StopReason::is_seen_by_claims);
                self.log.start(partition, owned.fold.position(), epoch);
                self.partitions
                    .insert(partition, Partition::Owned(Box::new(owned)));
            }
            Err(stop) => self.stop(partition, stop),
        }
    }
}
