//! One database session with the settings that ingestion needs.

use std::fmt;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use crate::{DatabaseConfig, StoreError, connect};

/// One database session. Ownership of every partition claimed on it ends when it ends.
pub struct IngestSession {
    pub(crate) connection: AsyncPgConnection,
}

impl fmt::Debug for IngestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestSession").finish_non_exhaustive()
    }
}

impl IngestSession {
    /// Opens a session.
    ///
    /// Statements are planned once, for any values: a plan made for a batch copies its arrays several times over. The plan may be
    /// made while tables are empty and must hold when they are full, so it may do nothing but go through the arrays and find
    /// each row by its key: whatever reads rows first and looks for their places in the arrays later is priced out of reach.
    ///
    /// A claim waits on the row lock of a former owner's commit; the timeouts bound how long a hung session can hold it.
    ///
    /// # Errors
    /// [`StoreError`] when Postgres can't be reached or refuses the session.
    pub async fn open(config: &DatabaseConfig) -> Result<Self, StoreError> {
        let mut connection = connect::establish(config).await?;
        connection
            .batch_execute(
                "SET lock_timeout = '15s'; SET statement_timeout = '120s'; \
                 SET idle_in_transaction_session_timeout = '60s'; SET synchronous_commit = on; \
                 SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                 SET enable_mergejoin = off; SET enable_bitmapscan = off; SET enable_material = off; \
                 SET enable_memoize = off; SET jit = off",
            )
            .await
            .map_err(StoreError::query("prepare an ingest session"))?;
        Ok(Self { connection })
    }

    /// Asks whether the session still stands, for owners that have nothing to commit: a database that was put back, or a
    /// server that restarted, tells nobody.
    ///
    /// # Errors
    /// [`StoreError`] when the session failed: it must not be used again.
    pub async fn check(&mut self) -> Result<(), StoreError> {
        self.connection
            .batch_execute("SELECT 1")
            .await
            .map_err(StoreError::query("check an ingest session"))
    }
}
