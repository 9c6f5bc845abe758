//! How much of the history is kept in memory.

use std::time::Duration;

use serde::Deserialize;

/// How much of the history is kept in memory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// The most bytes of finished games; 0 keeps none.
    pub bytes: u64,
    /// For so long a game is answered from memory unasked; then the directory is asked whether it still is that one. Zero asks always.
    #[serde(with = "humantime_serde")]
    pub fresh_for: Duration,
    /// After so long a game is read anew, whatever the directory says.
    #[serde(with = "humantime_serde")]
    pub keep_for: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            fresh_for: Duration::from_secs(10),
            keep_for: Duration::from_secs(10 * 60),
        }
    }
}

impl CacheConfig {
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        // What is kept for ever would outlive a month that has left the database for ever.
        if self.keep_for.is_zero() || self.keep_for > Duration::from_secs(24 * 60 * 60) {
            let problem = "must be longer than 0s and at most 24h";
            faults.push(("keep_for".to_owned(), problem.to_owned()));
        }
        if self.fresh_for > self.keep_for {
            let problem = "must be at most cache.keep_for";
            faults.push(("fresh_for".to_owned(), problem.to_owned()));
        }
        faults
    }
}
