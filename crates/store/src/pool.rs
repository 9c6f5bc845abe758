//! A pool of sessions for those who read: many short statements, none of which owns anything.
//!
//! The pool never connects by itself at start, so a missing database shows as a failed [`Pool::get`] and nothing else.
//! Sessions live on the runtime that made the pool: callers may sit on other threads and runtimes and may go away without
//! taking a session with them. The ingestor's writer does not use a pool: it owns one session.
//!
//! A process whose threads each have a runtime (actix has one a worker) divides its sessions by [`Pools`]: a statement and its
//! answer then never cross from one thread to another.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::bb8::QueueStrategy;
use diesel::result::ConnectionError;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection, RecyclingMethod, bb8,
};
use futures::FutureExt;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::error::ConnectFailure;
use crate::{DatabaseConfig, StoreError, connect};

/// A pool of fewer sessions than this would often be waited for while another one has sessions to spare.
const LEAST_SHARE: u32 = 4;

/// A session on loan; it returns to the pool when dropped.
pub struct PooledConnection<'a> {
    // Given back before the turn is: who is next finds it.
    session: bb8::PooledConnection<'a, AsyncPgConnection>,
    _turn: SemaphorePermit<'a>,
}

impl fmt::Debug for PooledConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledConnection").finish_non_exhaustive()
    }
}

impl Deref for PooledConnection<'_> {
    type Target = AsyncPgConnection;
    fn deref(&self) -> &AsyncPgConnection {
        &self.session
    }
}

impl DerefMut for PooledConnection<'_> {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        &mut self.session
    }
}

/// A pool of database sessions. Clones share it.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: bb8::Pool<AsyncPgConnection>,
    target: String,
    wait_timeout: Duration,
    /// One for each session, in the order of asking. The pool itself lets those who have just come overtake those who wait.
    turns: Arc<Semaphore>,
    bulk: Arc<Semaphore>,
    /// Why the last attempt to open a session failed. The pool itself keeps that from those who wait.
    failures: watch::Receiver<String>,
}

/// How many sessions there are, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolState {
    /// Open sessions.
    pub connections: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
}

impl Pool {
    /// Makes an empty pool; sessions are opened when asked for. Call it inside the runtime that shall keep them.
    #[must_use]
    pub fn new(config: &DatabaseConfig) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let session = config.clone();
        let (failed, failures) = watch::channel(String::new());
        let mut manager = ManagerConfig::<AsyncPgConnection>::default();
        manager.custom_setup = Box::new(move |_| {
            let session = session.clone();
            let failed = failed.clone();
            let task = runtime.spawn(async move { connect::establish_reader(&session).await });
            async move {
                let reason = match task.await {
                    Ok(Ok(connection)) => return Ok(connection),
                    Ok(Err(StoreError::Connect { source, .. })) => source.to_string(),
                    Ok(Err(error)) => error.to_string(),
                    Err(error) => error.to_string(),
                };
                failed.send_replace(reason.clone());
                Err(ConnectionError::BadConnection(reason))
            }
            .boxed()
        });
        // Asks the driver whether the session is open, without a round trip: a restarted server costs no failed request.
        manager.recycling_method =
            RecyclingMethod::CustomFunction(Box::new(|connection: &mut AsyncPgConnection| {
                let broken = connection.is_broken();
                async move {
                    if broken {
                        return Err(diesel::result::Error::BrokenTransactionManager);
                    }
                    Ok(())
                }
                .boxed()
            }));
        let inner = bb8::Pool::builder()
            .max_size(config.pool.max_size)
            .min_idle(config.pool.min_idle)
            .connection_timeout(config.pool.wait_timeout)
            .max_lifetime(config.pool.max_lifetime)
            .idle_timeout(config.pool.max_lifetime)
            // The session that was used last has its plans at hand; those that are left alone need not make any.
            .queue_strategy(QueueStrategy::Lifo)
            // Whoever waits is told of a refused connection at once, and asks again when it likes.
            .retry_connection(false)
            .build_unchecked(AsyncDieselConnectionManager::new_with_config("", manager));
        let sessions = usize::try_from(config.pool.max_size).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            inner,
            target: config.target(),
            wait_timeout: config.pool.wait_timeout,
            turns: Arc::new(Semaphore::new(sessions)),
            bulk: Arc::new(Semaphore::new((sessions / 2).max(1))),
            failures,
        }
    }

    /// Lends a session, opening one when none is free.
    ///
    /// # Errors
    /// [`StoreError::PoolExhausted`] when none became free in time, [`StoreError::Connect`] when none can be opened.
    pub async fn get(&self) -> Result<PooledConnection<'_>, StoreError> {
        let exhausted = || StoreError::PoolExhausted {
            waited: self.wait_timeout,
        };
        let turn = tokio::time::timeout(self.wait_timeout, self.turns.acquire()).await;
        // The semaphore is never closed.
        let turn = turn.ok().and_then(Result::ok).ok_or_else(exhausted)?;
        tokio::select! {
            biased;
            lent = self.inner.get() => match lent {
                Ok(session) => Ok(PooledConnection { session, _turn: turn }),
                Err(bb8::RunError::TimedOut) => Err(exhausted()),
                Err(bb8::RunError::User(error)) => Err(self.refused(error.to_string())),
            },
            reason = self.unreachable() => Err(self.refused(reason)),
        }
    }

    /// Waits for the turn to take a session for bulk work, which has half of them at most; the others are left for quick reads.
    pub async fn bulk_turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed; were it, bulk work would go on without turns.
        self.bulk.acquire().await.ok()
    }

    fn refused(&self, reason: String) -> StoreError {
        StoreError::Connect {
            target: self.target.clone(),
            source: ConnectFailure(reason),
        }
    }

    /// Waits until an attempt to connect fails while there is no session to wait for.
    async fn unreachable(&self) -> String {
        let mut failures = self.failures.clone();
        failures.mark_unchanged();
        loop {
            // The sender lives as long as the pool.
            if failures.changed().await.is_err() {
                return std::future::pending().await;
            }
            if self.inner.state().connections == 0 {
                return failures.borrow().clone();
            }
        }
    }

    /// How many sessions there are now.
    #[must_use]
    pub fn state(&self) -> PoolState {
        let state = self.inner.state();
        PoolState {
            connections: state.connections,
            idle: state.idle_connections,
        }
    }
}

/// The sessions that the configuration allows, in as many pools as there are threads that ask; in fewer where a pool would get
/// less than four sessions. Clones share them.
#[derive(Clone, Debug)]
pub struct Pools {
    shares: Arc<[(DatabaseConfig, Mutex<Option<Pool>>)]>,
    threads: usize,
    asked: Arc<AtomicUsize>,
}

impl Pools {
    /// Divides the sessions among so many threads. No pool is made yet.
    #[must_use]
    pub fn new(config: &DatabaseConfig, threads: usize) -> Self {
        let (sessions, idle) = (config.pool.max_size, config.pool.min_idle);
        let most = u32::try_from(threads).unwrap_or(u32::MAX);
        let shares = most.clamp(1, (sessions / LEAST_SHARE).max(1));
        let share = |all: u32, place: u32| all / shares + u32::from(place < all % shares);
        let share = |place| {
            let mut config = config.clone();
            config.pool.max_size = share(sessions, place);
            config.pool.min_idle = share(idle, place);
            (config, Mutex::default())
        };
        Self {
            shares: (0..shares).map(share).collect(),
            threads,
            asked: Arc::default(),
        }
    }

    /// The pool for the calling thread, to be asked for once by each: one of its own, on its runtime, while there are such.
    #[must_use]
    pub fn here(&self) -> Pool {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let (config, made) = &self.shares[asked % self.shares.len()];
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some(pool) if asked < self.threads => pool.clone(),
            // Asked more often than there are threads: one broke down and was started anew, and its pool went with its runtime.
            _ => made.insert(Pool::new(config)).clone(),
        }
    }

    /// A pool that some thread has, for who asks now and then; `None` before any has one.
    #[must_use]
    pub fn any(&self) -> Option<Pool> {
        self.made().next()
    }

    /// How many sessions there are now, all pools together.
    #[must_use]
    pub fn state(&self) -> PoolState {
        let states = self.made().map(|pool| pool.state());
        states.fold(PoolState::default(), |sum, one| PoolState {
            connections: sum.connections + one.connections,
            idle: sum.idle + one.idle,
        })
    }

    fn made(&self) -> impl Iterator<Item = Pool> {
        let made = |pool: &Mutex<Option<Pool>>| {
            let pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
            pool.clone()
        };
        self.shares.iter().filter_map(move |(_, pool)| made(pool))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(max_size: u32, min_idle: u32, threads: usize) -> Vec<(u32, u32)> {
        let mut config = DatabaseConfig::new("postgres://u@h/db");
        config.pool.max_size = max_size;
        config.pool.min_idle = min_idle;
        let pools = Pools::new(&config, threads);
        let shares = pools.shares.iter().map(|(config, _)| &config.pool);
        shares.map(|pool| (pool.max_size, pool.min_idle)).collect()
    }

    #[test]
    fn the_pools_of_all_threads_have_the_configured_sessions_together() {
        assert_eq!(shares(16, 2, 2), [(8, 1), (8, 1)]);
        assert_eq!(shares(17, 3, 2), [(9, 2), (8, 1)]);
        assert_eq!(shares(16, 2, 1), [(16, 2)]);
        // Four each at least: the threads share what there is.
        assert_eq!(shares(11, 1, 8), [(6, 1), (5, 0)]);
        assert_eq!(shares(1, 0, 8), [(1, 0)]);
    }

    #[tokio::test]
    async fn threads_beyond_the_pools_share_them_in_turn() {
        let mut config = DatabaseConfig::new("postgres://u@127.0.0.1:1/db");
        config.pool.max_size = 8;
        config.pool.min_idle = 0;
        let pools = Pools::new(&config, 3);
        assert!(pools.any().is_none());
        let given: Vec<Pool> = (0..3).map(|_| pools.here()).collect();
        let same = |a: &Pool, b: &Pool| Arc::ptr_eq(&a.bulk, &b.bulk);
        assert!(!same(&given[0], &given[1]));
        assert!(same(&given[0], &given[2]));
        assert!(same(&given[0], &pools.any().unwrap()));
        // A fourth one of three: the second was started anew.
        let anew = pools.here();
        assert!(given.iter().all(|pool| !same(pool, &anew)));
    }
}
