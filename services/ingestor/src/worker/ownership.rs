//! Winning, losing and giving up partitions.
//!
//! Every doubt ends in the same way: what is known is forgotten, and the partition is claimed again while it is assigned.

use tokio::time::Instant;

use super::partition::{self, Owned, Partition, Stop};
use super::writer::{self, Job, WriterHandle};
use super::{Sessions, Worker};
use crate::ledger::Ledger;
use crate::log::Log;
use crate::metrics;

impl<S: Ledger, L: Log> Worker<S, L> {
    /// Forgets what is known of a partition and claims it again later.
    pub(super) fn forget(&mut self, partition: i32, why: &dyn std::fmt::Display) {
        if let Some(slot) = self.partitions.get_mut(&partition) {
            tracing::warn!(partition, reason = %why, "forgetting the partition's memory; it will be claimed again");
            *slot = Partition::claim_in(self.jitter.pause());
            self.log.stop(partition);
        }
    }

    pub(super) fn stop(&mut self, partition: i32, stop: Stop) {
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

    pub(super) async fn connect_if_due(&mut self) {
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
    pub(super) async fn claim_due(&mut self) {
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

    pub(super) fn take_claim(&mut self, partition: i32, epoch: u64, result: writer::ClaimResult) {
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
}
