//! Games that retention has removed from Postgres: the seam behind which an archive may answer.
//!
//! The directory outlives a game's row and knows where in the log its end stands. A [`ColdStore`] makes the game of that, or says
//! that it has it not. Called for such games only, outside of any database session; it has to bound its own time and memory.

use std::fmt;

use domain::FinishedGame;
use futures::future::BoxFuture;
use store::read::Departed;

/// Why the cold store can't answer now.
#[derive(Debug, thiserror::Error)]
#[error("reading a game from the cold store: {reason}")]
pub struct ColdStoreError {
    /// What went wrong, for the log.
    pub reason: String,
}

/// Where games are that retention has removed.
pub trait ColdStore: fmt::Debug + Send + Sync {
    /// The game that the directory remembers so; `None` when it is not kept here either.
    fn game<'a>(
        &'a self,
        departed: &'a Departed,
    ) -> BoxFuture<'a, Result<Option<FinishedGame>, ColdStoreError>>;
}

/// No archive is read: what retention has removed is gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoColdStore;

impl ColdStore for NoColdStore {
    fn game<'a>(
        &'a self,
        _: &'a Departed,
    ) -> BoxFuture<'a, Result<Option<FinishedGame>, ColdStoreError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
