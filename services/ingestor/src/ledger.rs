//! What a worker needs from the database, as a seam.
//!
//! The worker is written against these traits; [`PostgresLedger`] is the real thing, and the protocol's simulator brings a store that
//! crashes, loses replies and goes back in time. A pair of sessions lives and dies together: when either fails, ownership of
//! every partition claimed on the writer is gone.

mod postgres;

use std::collections::HashMap;
use std::future::Future;

use domain::GameId;
use store::StoreError;
use store::ingest::{
    Batch, Claim, ClaimRefused, ClaimRequest, CommitError, Committed, DirectoryEntry, Scope,
};

pub use postgres::{PostgresLedger, PostgresReader, PostgresWriter};

/// Opens sessions.
pub trait Ledger: std::fmt::Debug + Send + Sync + 'static {
    /// The session that owns partitions.
    type Writer: Writer;
    /// The session that looks games up.
    type Reader: Reader;

    /// Opens a writer and a reader.
    ///
    /// # Errors
    /// When the database can't be reached.
    fn open(&self)
    -> impl Future<Output = Result<(Self::Writer, Self::Reader), StoreError>> + Send;
}

/// The session that owns partitions: claims and commits.
pub trait Writer: std::fmt::Debug + Send + 'static {
    /// See [`store::ingest::IngestSession::claim`].
    ///
    /// # Errors
    /// When the session is lost.
    fn claim(
        &mut self,
        request: &ClaimRequest,
    ) -> impl Future<Output = Result<Result<Claim, ClaimRefused>, StoreError>> + Send;

    /// Makes what the batch needs, then commits it: see [`store::ingest::IngestSession::commit`].
    ///
    /// # Errors
    /// [`CommitError`].
    fn commit(
        &mut self,
        batch: &Batch,
    ) -> impl Future<Output = Result<Committed, CommitError>> + Send;

    /// See [`store::ingest::IngestSession::check`].
    ///
    /// # Errors
    /// When the session is lost.
    fn check(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that a partition is stopped. Best effort.
    fn record_stop(
        &mut self,
        scope: &Scope,
        reason: &str,
        detail: &str,
    ) -> impl Future<Output = ()> + Send;
}

/// The session that looks games up.
pub trait Reader: std::fmt::Debug + Send + 'static {
    /// See [`store::ingest::IngestSession::look_up`].
    ///
    /// # Errors
    /// When the session is lost.
    fn look_up(
        &mut self,
        ids: &[&str],
    ) -> impl Future<Output = Result<HashMap<GameId, DirectoryEntry>, StoreError>> + Send;
}
