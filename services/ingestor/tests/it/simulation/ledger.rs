//! The ledger that the workers of a simulation have: the client's side of the simulated server.
//!
//! Every step is an await at which time passes, the process may be stopped or killed, and the session may die.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use domain::GameId;
use ingestor::ledger::{Ledger, Reader, Writer};
use store::StoreError;
use store::ingest::{
    Batch, Claim, ClaimRefused, ClaimRequest, ClaimedGame, CommitError, Committed, DirectoryEntry,
    Scope,
};

use super::gate::Gate;
use super::server::{Change, Failed, Fate, Open, Server, StoreBug};

/// How long a statement waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server that accepts a connection and says nothing is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

fn lost() -> DieselError {
    let message = Box::new("the connection is gone".to_owned());
    DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, message)
}

fn failed() -> DieselError {
    let message = Box::new("the world is at fault".to_owned());
    DieselError::DatabaseError(DatabaseErrorKind::Unknown, message)
}

/// Opens simulated sessions for one process.
#[derive(Debug, Clone)]
pub(crate) struct SimLedger {
    pub(crate) server: Server,
    pub(crate) gate: Arc<Gate>,
}

/// A session with the way to it.
#[derive(Debug)]
struct Link {
    server: Server,
    gate: Arc<Gate>,
    session: u64,
}

impl Link {
    /// Time passes, and the process runs again if it was stopped meanwhile.
    async fn travel(&self) -> Result<(), DieselError> {
        let slow_ms = self.server.faults().slow_ms;
        travel(&self.server, &self.gate, slow_ms).await;
        let faults = self.server.faults();
        if self
            .server
            .dice
            .roll(|random| random.rarely(faults.session_lost))
        {
            self.server.counts.add("sessions lost on a statement");
            self.server.kill(self.session);
        }
        if self.server.is_alive(self.session) {
            Ok(())
        } else {
            Err(lost())
        }
    }

    /// Sends COMMIT and waits for the answer, which may not come.
    async fn finish(&self, open: Open, change: Change) -> Result<(), DieselError> {
        let faults = self.server.faults();
        let (fate, patience) = self.server.dice.roll(|random| {
            let slow = |random: &mut super::random::Random| random.ms(0, faults.slow_ms.min(400));
            if !random.rarely(faults.lost_reply) {
                let after = slow(random);
                let fate = Fate {
                    after,
                    applied: true,
                    answered: true,
                };
                return (fate, Duration::ZERO);
            }
            let after = if random.chance(40) {
                random.ms(0, 9_000)
            } else {
                slow(random)
            };
            let fate = Fate {
                after,
                applied: random.chance(60),
                answered: false,
            };
            (fate, random.ms(0, 4_000))
        });
        let answer = open.commit(change, fate);
        if !fate.answered {
            let outcome = match (fate.applied, fate.after > patience) {
                (false, _) => "answers lost, not applied",
                (true, false) => "answers lost, applied",
                (true, true) => "answers lost, applied later",
            };
            self.server.counts.add(outcome);
            self.server.trace.note(outcome, []);
            tokio::time::sleep(patience).await;
            self.gate.pass().await;
            return Err(lost());
        }
        match answer.await {
            Ok(true) => self.travel().await,
            Ok(false) | Err(_) => Err(lost()),
        }
    }
}

async fn travel(server: &Server, gate: &Gate, slow_ms: i64) {
    let pause = server.dice.roll(|random| match random.below(10) {
        0..5 => Duration::ZERO,
        5..8 => random.ms(0, slow_ms.min(20)),
        _ => random.ms(0, slow_ms),
    });
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    gate.pass().await;
}

impl Drop for Link {
    fn drop(&mut self) {
        self.server.disconnect(self.session);
    }
}

/// The session that owns partitions.
#[derive(Debug)]
pub(crate) struct SimWriter(Link);

/// The session that looks games up.
#[derive(Debug)]
pub(crate) struct SimReader(Link);

impl Ledger for SimLedger {
    type Writer = SimWriter;
    type Reader = SimReader;

    async fn open(&self) -> Result<(SimWriter, SimReader), StoreError> {
        let faults = self.server.faults();
        travel(&self.server, &self.gate, faults.slow_ms).await;
        let silent = |random: &mut super::random::Random| random.rarely(faults.session_lost * 5);
        if self.server.dice.roll(silent) {
            self.server.counts.add("sessions not opened in time");
            tokio::time::sleep(CONNECT_TIMEOUT).await;
            self.gate.pass().await;
            return Err(StoreError::PoolExhausted {
                waited: CONNECT_TIMEOUT,
            });
        }
        let link = || {
            let session = self.server.connect().ok_or(StoreError::PoolExhausted {
                waited: Duration::ZERO,
            })?;
            Ok::<_, StoreError>(Link {
                server: self.server.clone(),
                gate: Arc::clone(&self.gate),
                session,
            })
        };
        Ok((SimWriter(link()?), SimReader(link()?)))
    }
}

impl SimWriter {
    async fn try_claim(&self, request: &ClaimRequest) -> Result<Claim, DieselError> {
        let (link, partition) = (&self.0, request.scope.partition);
        let server = &link.server;
        link.travel().await?;
        let early = server.live_rows(partition);
        let open = server.begin(link.session, partition).ok_or_else(lost)?;
        open.lock(LOCK_TIMEOUT).await.map_err(|why| match why {
            Failed::Lost => lost(),
            Failed::Error => failed(),
        })?;
        let found = server.read_claim(partition, request.first_offset);
        link.travel().await?;
        let change = Change::Claim {
            partition,
            token: found.token,
            first_offset: request.first_offset,
        };
        link.finish(open, change).await?;
        let rows = if server.bug == Some(StoreBug::ClaimReadsBeforeLock) {
            early
        } else {
            found.live
        };
        let checkpoint = found.checkpoint;
        if checkpoint.replay_from < checkpoint.next {
            server.counts.add("replays");
        }
        server.counts.add("claims");
        server.trace.note(
            "claimed",
            [
                ("process", link.gate.process),
                ("partition", i64::from(partition)),
                ("next", checkpoint.next),
                ("replay_from", checkpoint.replay_from),
                ("live rows", rows.len().cast_signed() as i64),
            ],
        );
        let live_games = rows.into_iter().filter_map(|(id, row)| {
            Some(ClaimedGame {
                game_id: GameId::parse(&id).ok()?,
                as_of_offset: row.as_of,
                state: row.state.to_vec(),
            })
        });
        Ok(Claim {
            token: found.token,
            next_offset: checkpoint.next,
            replay_from: checkpoint.replay_from,
            live_games: live_games.collect(),
        })
    }

    fn is_rolled_back(&self) -> bool {
        let server = &self.0.server;
        let faults = server.faults();
        let fault = server.dice.roll(|random| random.rarely(faults.rolled_back));
        if fault {
            server.counts.add("batches rolled back");
        }
        fault
    }
}

impl Writer for SimWriter {
    async fn claim(
        &mut self,
        request: &ClaimRequest,
    ) -> Result<Result<Claim, ClaimRefused>, StoreError> {
        let claimed = self.try_claim(request).await;
        claimed.map(Ok).map_err(StoreError::query("claim"))
    }

    async fn commit(&mut self, batch: &Batch) -> Result<Committed, CommitError> {
        let link = &self.0;
        let server = &link.server;
        link.travel().await.map_err(CommitError::SessionLost)?;
        if !batch.finished.is_empty() && self.is_rolled_back() {
            return Err(CommitError::MissingPartition(failed()));
        }
        let open = server
            .begin(link.session, batch.scope.partition)
            .ok_or_else(|| CommitError::SessionLost(lost()))?;
        open.lock(LOCK_TIMEOUT).await.map_err(|why| match why {
            Failed::Lost => CommitError::SessionLost(lost()),
            Failed::Error => CommitError::Retry(failed()),
        })?;
        let hit = open.compare(batch);
        if server.bug != Some(StoreBug::RowCountNotAwaited) {
            link.travel().await.map_err(CommitError::SessionLost)?;
        }
        if !hit {
            server.counts.add("commits fenced");
            server.trace.note(
                "fenced",
                [
                    ("process", link.gate.process),
                    ("partition", i64::from(batch.scope.partition)),
                    ("base", batch.base),
                    ("next", batch.next),
                ],
            );
            if server.bug == Some(StoreBug::RowCountNotAwaited) {
                let rows = Change::RowsOnly(Box::new(batch.clone()));
                link.finish(open, rows)
                    .await
                    .map_err(CommitError::SessionLost)?;
            } else {
                open.rollback();
            }
            return Err(CommitError::Fenced);
        }
        server.write_ahead(batch);
        link.travel().await.map_err(CommitError::SessionLost)?;
        if self.is_rolled_back() {
            open.rollback();
            link.travel().await.map_err(CommitError::SessionLost)?;
            return Err(CommitError::Retry(failed()));
        }
        let mut batch = Box::new(batch.clone());
        if server.bug == Some(StoreBug::DeadLettersOutsideTransaction) {
            batch.dead_letters.clear();
        }
        link.finish(open, Change::Batch(batch))
            .await
            .map_err(CommitError::SessionLost)?;
        Ok(Committed::default())
    }

    async fn check(&mut self) -> Result<(), StoreError> {
        self.0
            .travel()
            .await
            .map_err(StoreError::query("check the session"))
    }

    async fn record_stop(&mut self, scope: &Scope, _reason: &str, _detail: &str) {
        self.0.server.counts.add("partitions stopped");
        self.0
            .server
            .trace
            .note("stopped", [("partition", i64::from(scope.partition))]);
    }
}

impl Reader for SimReader {
    async fn look_up(
        &mut self,
        ids: &[&str],
    ) -> Result<HashMap<GameId, DirectoryEntry>, StoreError> {
        let lost = StoreError::query("look up");
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        self.0.travel().await.map_err(&lost)?;
        let server = &self.0.server;
        let found = ids.iter().filter_map(|id| {
            let row = server.look_up(id)?;
            let entry = DirectoryEntry {
                end: row.end.clone(),
                topic_id: super::broker::TOPIC_ID.to_owned(),
                partition: row.partition,
                end_offset: row.end_offset,
            };
            Some((GameId::parse(id).ok()?, entry))
        });
        let found: HashMap<_, _> = found.collect();
        self.0.travel().await.map_err(&lost)?;
        server.counts.add("look-ups");
        server
            .counts
            .add_many("games found ended", found.len() as u64);
        Ok(found)
    }
}
