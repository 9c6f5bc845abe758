//! The simulated database server: sessions, row locks, transactions that outlive whoever sent them, and earlier states.
//!
//! ```text
//! begin ──► lock the checkpoint's row ──► compare and set ──► COMMIT sent ──► applied, or not ──► answered, or not
//!   └── its session dies: rolled back, some time later      └── decided here, whatever becomes of the client
//! ```
//!
//! It gives what READ COMMITTED gives: a lock is held to the end of its transaction, a statement sees what was committed when
//! it ran, a transaction's writes become visible at once. After every commit the judge looks at everything.

mod changes;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::counts::Counts;
use super::judge::Judge;
use super::random::Dice;
use super::tables::{Checkpoint, Tables};
use super::trace::Trace;

pub(crate) use changes::Change;
pub(crate) use transaction::{Failed, Fate, Open};

/// A mistake that a store could make, switched on to see that the simulator finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreBug {
    /// The compare-and-set compares no token.
    TokenNotChecked,
    /// The compare-and-set compares no offset.
    OffsetNotChecked,
    /// A claim leaves the old token in place.
    ClaimKeepsToken,
    /// Inserts and COMMIT are sent without waiting for the row count of the compare-and-set.
    RowCountNotAwaited,
    /// Dead letters are written by themselves, ahead of the transaction.
    DeadLettersOutsideTransaction,
    /// Snapshots are written by themselves, ahead of the transaction.
    SnapshotsOutsideTransaction,
    /// A finished game's row stays in `live_games`.
    LiveRowKept,
    /// A claim reads the live games before it has the checkpoint's lock.
    ClaimReadsBeforeLock,
    /// The checkpoint moves in a transaction of its own, before the rows are written.
    CheckpointFirst,
}

/// How faults fall in a run. All zero in the end, when everything has to settle.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Transactions rolled back with an error, in a thousand.
    pub(crate) rolled_back: u64,
    /// COMMITs whose answer is lost, in a thousand.
    pub(crate) lost_reply: u64,
    /// Statements on which the session dies, in a thousand.
    pub(crate) session_lost: u64,
    /// Polls that deliver a block once more, in a hundred.
    pub(crate) delivered_again: u64,
    /// The longest that an ordinary statement takes.
    pub(crate) slow_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Its client is gone; the server has not noticed.
    Orphaned,
    /// COMMIT has arrived.
    Committing,
}

#[derive(Debug)]
struct Transaction {
    session: u64,
    partition: i32,
    phase: Phase,
    since: Instant,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tables: Tables,
    pub(crate) faults: Faults,
    pub(crate) failure: Option<String>,
    /// Earlier states that the database can be put back to.
    pub(crate) history: Vec<Tables>,
    /// How far the owner with a token has come.
    reached: BTreeMap<Uuid, i64>,
    sessions: BTreeSet<u64>,
    transactions: BTreeMap<u64, Transaction>,
    ids: u64,
    down_until: Option<Instant>,
}

/// The server. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    pub(crate) judge: Arc<Judge>,
    pub(crate) dice: Dice,
    pub(crate) trace: Trace,
    pub(crate) counts: Counts,
    pub(crate) bug: Option<StoreBug>,
}

impl Server {
    pub(crate) fn new(
        judge: Judge,
        dice: Dice,
        trace: Trace,
        faults: Faults,
        bug: Option<StoreBug>,
    ) -> Self {
        let state = State {
            tables: Tables::default(),
            faults,
            failure: None,
            history: vec![Tables::default()],
            reached: BTreeMap::new(),
            sessions: BTreeSet::new(),
            transactions: BTreeMap::new(),
            ids: 0,
            down_until: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            judge: Arc::new(judge),
            dice,
            trace,
            counts: Counts::default(),
            bug,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> Faults {
        self.state().faults
    }

    fn has(&self, bug: StoreBug) -> bool {
        self.bug == Some(bug)
    }

    /// Opens a session; `None` while the server is down.
    pub(crate) fn connect(&self) -> Option<u64> {
        let mut state = self.state();
        if state.down_until.is_some_and(|until| until > Instant::now()) {
            return None;
        }
        let id = state.next_id();
        state.sessions.insert(id);
        Some(id)
    }

    pub(crate) fn is_alive(&self, session: u64) -> bool {
        self.state().sessions.contains(&session)
    }

    /// A client is gone: what it had not committed is rolled back when the server notices.
    pub(crate) fn disconnect(&self, session: u64) {
        let mut state = self.state();
        state.sessions.remove(&session);
        for transaction in state.transactions.values_mut() {
            if transaction.session == session && transaction.phase == Phase::Open {
                transaction.phase = Phase::Orphaned;
            }
        }
    }

    /// Ends a session from the server's side: its transaction is rolled back now, unless its COMMIT is being done.
    pub(crate) fn kill(&self, session: u64) {
        let mut state = self.state();
        state.sessions.remove(&session);
        let finishing = self.dice.roll(|random| random.chance(50));
        state.transactions.retain(|_, transaction| {
            transaction.session != session || (finishing && transaction.phase == Phase::Committing)
        });
    }

    pub(crate) fn kill_any(&self) {
        let sessions: Vec<u64> = self.state().sessions.iter().copied().collect();
        if let Some(session) = (!sessions.is_empty())
            .then(|| sessions[self.dice.roll(|random| random.below(sessions.len()))])
        {
            self.trace
                .note("session killed", [("session", session.cast_signed())]);
            self.counts.add("sessions killed");
            self.kill(session);
        }
    }

    /// The server stops and comes back: every session dies, and nobody can connect for a while.
    pub(crate) fn restart(&self, down: Duration) {
        let sessions: Vec<u64> = self.state().sessions.iter().copied().collect();
        sessions.into_iter().for_each(|session| self.kill(session));
        let mut state = self.state();
        // A COMMIT under way is decided before the server is up again; what was not decided is rolled back.
        state.transactions.clear();
        state.down_until = Some(Instant::now() + down);
    }

    /// Puts the database back to an earlier state. Its sessions die with it, unless a proxy hides that from them.
    pub(crate) fn put_back(&self, place: usize, hidden: bool) {
        if !hidden {
            let down = self.dice.roll(|random| random.ms(0, 3_000));
            self.restart(down);
        }
        let mut state = self.state();
        state.transactions.clear();
        state.tables = state.history[place].clone();
        state.history.truncate(place + 1);
    }

    /// Earlier states in which no owner would find its checkpoint where it left it.
    ///
    /// A database put back behind a proxy that keeps its clients' sessions open breaks an assumption of the protocol. It
    /// stands even so, by token and offset, where no owner with the earlier token stopped at the earlier offset.
    pub(crate) fn hidden_put_backs(&self) -> Vec<usize> {
        let state = self.state();
        let passed = |then: &Checkpoint| {
            let reached = state.reached.get(&then.token);
            reached.is_some_and(|reached| then.next < *reached)
        };
        let earlier = state.history.iter().enumerate();
        earlier
            .filter(|(_, tables)| tables.checkpoints.len() == state.tables.checkpoints.len())
            .filter(|(_, tables)| !tables.checkpoints.is_empty())
            .filter(|(_, tables)| tables.checkpoints.values().all(passed))
            .map(|(place, _)| place)
            .collect()
    }

    /// What the server does by itself, now and then: it notices clients that are gone and transactions that idle.
    pub(crate) fn look_around(&self, idle_limit: Duration) {
        let mut state = self.state();
        let noticed = |_: &u64, transaction: &mut Transaction| {
            transaction.phase != Phase::Orphaned || self.dice.roll(|random| random.chance(50))
        };
        state.transactions.retain(noticed);
        let idle: Vec<u64> = state
            .transactions
            .values()
            .filter(|t| t.phase == Phase::Open && t.since.elapsed() > idle_limit)
            .map(|t| t.session)
            .collect();
        drop(state);
        for session in idle {
            self.counts.add("idle transactions ended");
            self.kill(session);
        }
    }
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn is_locked(&self, partition: i32) -> bool {
        self.transactions
            .values()
            .any(|transaction| transaction.partition == partition)
    }
}
