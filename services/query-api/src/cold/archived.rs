//! Games out of the archive's daily summaries.
//!
//! Opt-in by the section `archive`. A game is found by the day of its end, with a few small reads. They run on the process's main
//! runtime, so that decoding holds up no worker of the server; so many at a time as configured, each within its time. A request
//! that goes away ends its reading.

use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::ArchiveStore;
use archive::summaries::Summaries;
use domain::FinishedGame;
use futures::future::BoxFuture;
use metrics::{counter, histogram};
use store::read::Departed;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{ArchiveConfig, ColdStore, ColdStoreError, row};

/// The summaries of an archive.
#[derive(Debug)]
pub struct ArchivedGames {
    summaries: Summaries,
    turns: Arc<Semaphore>,
    timeout: Duration,
    runtime: Handle,
}

impl ArchivedGames {
    /// Opens the archive. Call it inside the runtime that shall read; nothing is asked of the store yet.
    ///
    /// # Errors
    /// The settings can't be used, or the directory is not there.
    pub fn open(config: &ArchiveConfig) -> archive::Result<Self> {
        Ok(Self {
            summaries: Summaries::new(ArchiveStore::open_to_read(&config.store)?),
            turns: Arc::new(Semaphore::new(config.concurrency)),
            timeout: config.timeout,
            runtime: Handle::current(),
        })
    }

    async fn find(&self, departed: &Departed) -> Result<Option<FinishedGame>, ColdStoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_closed| ColdStoreError::Ended)?;
        let (summaries, id) = (self.summaries.clone(), departed.game_id.clone());
        let day = departed.ended_at.date_naive();
        // Dropped with the request, which ends the reading and gives the turn back.
        let mut reading = JoinSet::new();
        let find = async move {
            let _turn = turn;
            summaries.find_game(id.as_str(), day).await
        };
        reading.spawn_on(find, &self.runtime);
        let found = match reading.join_next().await {
            Some(Ok(found)) => found?,
            Some(Err(_)) | None => return Err(ColdStoreError::Ended),
        };
        let game = found.map(|row| row::finished(row, departed)).transpose();
        game.map_err(|reason| ColdStoreError::Unreadable {
            game_id: departed.game_id.to_string(),
            reason,
        })
    }
}

impl ColdStore for ArchivedGames {
    fn game<'a>(
        &'a self,
        departed: &'a Departed,
    ) -> BoxFuture<'a, Result<Option<FinishedGame>, ColdStoreError>> {
        Box::pin(async move {
            let began = Instant::now();
            let found = tokio::time::timeout(self.timeout, self.find(departed)).await;
            let found = found.unwrap_or(Err(ColdStoreError::Late(self.timeout)));
            let outcome = match &found {
                Ok(Some(_)) => "found",
                Ok(None) => "absent",
                Err(_) => "failed",
            };
            counter!("cold_reads_total", "outcome" => outcome).increment(1);
            histogram!("cold_read_duration_seconds").record(began.elapsed().as_secs_f64());
            found
        })
    }
}
