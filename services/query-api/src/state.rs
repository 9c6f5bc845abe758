//! What every request shares: the pool, the key that signs cursors, the archive, and the last known lag.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use store::Pool;

use crate::access::Authenticator;
use crate::cold::{ColdStore, NoColdStore};
use crate::config::Config;
use crate::cursor::CursorKey;
use crate::freshness::Freshness;

/// What every request shares. Clones share it.
#[derive(Debug, Clone)]
pub struct AppState {
    /// Sessions that read.
    pub pool: Pool,
    /// Tells who asks.
    pub auth: Authenticator,
    /// Signs and checks page cursors.
    pub cursors: CursorKey,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// Where games are that retention has removed.
    pub cold: Arc<dyn ColdStore>,
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
            cursors: CursorKey::new(config.cursor.secret.expose_secret().as_bytes()),
            request_timeout: config.request_timeout,
            cold: Arc::new(NoColdStore),
            freshness: Freshness::default(),
        }
    }
}
