//! The ledger in Postgres.
//!
//! Partitions of finished games are made before a batch's transaction, on a connection of their own: see
//! [`store::partitions`]. Which months exist is remembered, so that the usual batch asks for nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use domain::{EventTime, GameId};
use store::ingest::{
    Batch, Claim, ClaimRefused, ClaimRequest, CommitError, Committed, DirectoryEntry,
    IngestSession, Scope,
};
use store::partitions::{self, Month};
use store::{DatabaseConfig, StoreError, connect};

use super::{Ledger, Reader, Writer};

/// Opens sessions on Postgres.
#[derive(Debug, Clone)]
pub struct PostgresLedger {
    config: DatabaseConfig,
}

impl PostgresLedger {
    /// A ledger on this database. Nothing is connected yet.
    #[must_use]
    pub fn new(config: DatabaseConfig) -> Self {
        Self { config }
    }
}

/// The session that owns partitions.
pub struct PostgresWriter {
    config: DatabaseConfig,
    session: IngestSession,
    ensured: HashSet<Month>,
    retention_floor: Option<EventTime>,
}

impl fmt::Debug for PostgresWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresWriter")
            .field("ensured", &self.ensured.len())
            .finish_non_exhaustive()
    }
}

/// The session that looks games up.
#[derive(Debug)]
pub struct PostgresReader {
    session: IngestSession,
}

impl Ledger for PostgresLedger {
    type Writer = PostgresWriter;
    type Reader = PostgresReader;

    async fn open(&self) -> Result<(PostgresWriter, PostgresReader), StoreError> {
        let config = self.config.clone();
        let session = IngestSession::open(&config).await?;
        let reader = PostgresReader {
            session: IngestSession::open(&config).await?,
        };
        Ok((
            PostgresWriter {
                config,
                session,
                ensured: HashSet::new(),
                retention_floor: None,
            },
            reader,
        ))
    }
}

impl PostgresWriter {
    async fn ensure_partitions(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let months: BTreeSet<Month> = batch
            .finished
            .iter()
            .map(|f| Month::of(f.game.ended_at))
            .collect();
        let missing: BTreeSet<Month> = months
            .into_iter()
            .filter(|month| !self.ensured.contains(month))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut connection = connect::establish(&self.config).await?;
        self.retention_floor = partitions::retention_floor(&mut connection).await?;
        partitions::ensure(&mut connection, &missing).await?;
        self.ensured.extend(missing);
        Ok(())
    }
}

impl Writer for PostgresWriter {
    async fn claim(
        &mut self,
        request: &ClaimRequest,
    ) -> Result<Result<Claim, ClaimRefused>, StoreError> {
        self.session.claim(request).await
    }

    async fn commit(&mut self, batch: &Batch) -> Result<Committed, CommitError> {
        self.ensure_partitions(batch)
            .await
            .map_err(CommitError::PartitionsNotReady)?;
        let committed = self.session.commit(batch, self.retention_floor).await;
        if let Err(CommitError::MissingPartition(_)) = &committed {
            // Retention has removed a month that was remembered: ask again.
            self.ensured.clear();
        }
        committed
    }

    async fn check(&mut self) -> Result<(), StoreError> {
        self.session.check().await
    }

    async fn record_stop(&mut self, scope: &Scope, reason: &str, detail: &str) {
        if let Err(error) = self.session.record_stop(scope, reason, detail).await {
            tracing::warn!(partition = scope.partition, %error, "the stop could not be noted in the database");
        }
    }
}

impl Reader for PostgresReader {
    async fn look_up(
        &mut self,
        ids: &[&str],
    ) -> Result<HashMap<GameId, DirectoryEntry>, StoreError> {
        self.session.look_up(ids).await
    }
}
