//! What requests share: all of the process, and those of one worker.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use store::{Pool, Pools};

use crate::access::Authenticator;
use crate::cache::GameCache;
use crate::cold::{ColdStore, NoColdStore};
use crate::config::Config;
use crate::conventions::Conventions;
use crate::cursor::CursorKey;
use crate::freshness::Freshness;
use crate::limits::Limits;

/// What all requests share. Clones share it.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Sessions that read, to be divided among the workers.
    pub pools: Pools,
    /// Tells who asks.
    pub auth: Authenticator,
    /// How much may be asked.
    pub limits: Arc<Limits>,
    /// What answers have in common.
    pub conventions: Arc<Conventions>,
    /// Signs and checks page cursors.
    pub cursors: CursorKey,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// Where games are that retention has removed.
    pub cold: Arc<dyn ColdStore>,
    /// Finished games in memory.
    pub games: GameCache,
    /// How far what can be read lags behind.
    pub freshness: Freshness,
}

impl Shared {
    /// What these settings make.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            pools: Pools::new(&config.database, config.workers()),
            auth: Authenticator::new(&config.auth),
            limits: Arc::new(Limits::new(config)),
            conventions: Arc::new(Conventions::new(config)),
            cursors: CursorKey::new(config.cursor.secret.expose_secret().as_bytes()),
            request_timeout: config.request_timeout,
            cold: Arc::new(NoColdStore),
            games: GameCache::new(&config.cache),
            freshness: Freshness::default(),
        }
    }
}

/// What the requests of one worker share.
#[derive(Debug)]
pub struct AppState {
    shared: Shared,
    /// Sessions that read, on the worker's own runtime where there are enough of them.
    pub pool: Pool,
}

impl AppState {
    /// The state of the calling worker.
    pub(crate) fn of_worker(shared: &Shared) -> Self {
        Self {
            shared: shared.clone(),
            pool: shared.pools.here(),
        }
    }
}

impl Deref for AppState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.shared
    }
}
