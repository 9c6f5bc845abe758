//! Games that retention has removed from Postgres: the seam behind which an archive may answer.
//!
//! The directory outlives a game's row and knows when it ended and where in the log its end stands. A [`ColdStore`] makes the game
//! of that, or says that it has it not: [`ArchivedGames`] where an archive is configured, else [`NoColdStore`]. Called for such
//! games only, outside of any database session; it has to bound its own time and memory.

mod archived;
mod config;
mod row;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use archive::ArchiveError;
use domain::FinishedGame;
use futures::future::BoxFuture;
use store::read::Departed;

pub use archived::ArchivedGames;
pub use config::ArchiveConfig;

/// Why the cold store can't answer.
#[derive(Debug, thiserror::Error)]
pub enum ColdStoreError {
    /// It took too long, perhaps because others were before it.
    #[error("the archive did not give the game within {0:?}")]
    Late(Duration),
    /// The process ends, or the reading broke off.
    #[error("the reading of the archive broke off")]
    Ended,
    /// The archive failed; the error names the object.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The archive has a row of the game that is none.
    #[error("the archive's row of game {game_id} can't be read: {reason}")]
    Unreadable {
        /// The game.
        game_id: String,
        /// The column, and what is wrong with it.
        reason: String,
    },
}

impl ColdStoreError {
    /// Whether what is stored is to blame, so that asking again does not help.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Archive(error) => error.is_damage(),
            Self::Unreadable { .. } => true,
            Self::Late(_) | Self::Ended => false,
        }
    }
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

/// What the configuration asks for. Call it inside the runtime that shall read.
///
/// # Errors
/// As [`ArchivedGames::open`].
pub fn of(config: Option<&ArchiveConfig>) -> archive::Result<Arc<dyn ColdStore>> {
    Ok(match config {
        Some(config) => Arc::new(ArchivedGames::open(config)?),
        None => Arc::new(NoColdStore),
    })
}
