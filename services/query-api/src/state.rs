//! What every request shares: the pool, who may and how much, the key that signs cursors, the archive, games in memory, and the last known lag.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use store::Pool;

use crate::access::Authenticator;
use crate::cache::GameCache;
use crate::cold::{ColdStore, NoColdStore};
use crate::config::Config;
use crate::conventions::Conventions;
use crate::cursor::CursorKey;
use crate::freshness::Freshness;
use crate::limits::Limits;

/// What every request shares. Clones share it.
#[derive(Debug, Clone)]
pub struct AppState {
    /// Sessions that read.
    pub pool: Pool,
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

impl AppState {
    /// The state for these settings. Call it inside the runtime that shall keep the database's sessions.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            pool: Pool::new(&config.database),
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
