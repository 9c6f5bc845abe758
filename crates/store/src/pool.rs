//! A pool of sessions for those who read: many short statements, none of which owns anything.
//!
//! The pool never connects by itself at start, so a missing database shows as a failed [`Pool::get`] and nothing else.
//! Sessions live on the runtime that made the pool: callers may sit on other threads and runtimes (actix has one a worker)
//! and may go away without taking a session with them. The ingestor's writer does not use a pool: it owns one session.

use std::time::Duration;

use diesel::result::ConnectionError;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection, RecyclingMethod, bb8,
};
use futures::FutureExt;
use tokio::sync::watch;

use crate::error::ConnectFailure;
use crate::{DatabaseConfig, StoreError, connect};

/// A session on loan; it returns to the pool when dropped.
pub type PooledConnection<'a> = bb8::PooledConnection<'a, AsyncPgConnection>;

/// A pool of database sessions. Clones share it.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: bb8::Pool<AsyncPgConnection>,
    target: String,
    wait_timeout: Duration,
    /// Why the last attempt to open a session failed. The pool itself keeps that from those who wait.
    failures: watch::Receiver<String>,
}

/// How many sessions there are, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
            // Whoever waits is told of a refused connection at once, and asks again when it likes.
            .retry_connection(false)
            .build_unchecked(AsyncDieselConnectionManager::new_with_config("", manager));
        Self {
            inner,
            target: config.target(),
            wait_timeout: config.pool.wait_timeout,
            failures,
        }
    }

    /// Lends a session, opening one when none is free.
    ///
    /// # Errors
    /// [`StoreError::PoolExhausted`] when none became free in time, [`StoreError::Connect`] when none can be opened.
    pub async fn get(&self) -> Result<PooledConnection<'_>, StoreError> {
        tokio::select! {
            biased;
            lent = self.inner.get() => lent.map_err(|error| match error {
                bb8::RunError::TimedOut => StoreError::PoolExhausted {
                    waited: self.wait_timeout,
                },
                bb8::RunError::User(error) => self.refused(error.to_string()),
            }),
            reason = self.unreachable() => Err(self.refused(reason)),
        }
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
