//! How long finished games stay in PostgreSQL.

use std::time::Duration;

use serde::Deserialize;

/// The job `retention`. For months it needs the database, and the archive to prove them by.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Whether this process runs the job.
    pub enabled: bool,
    /// How often to look.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// How many months beyond the current one have partitions.
    pub months_ahead: u32,
    /// How many months stay in PostgreSQL, the current one included; 0 for all.
    pub hot_months: u32,
    /// How many days of raw records stay in the archive, today included; 0 keeps them for ever, as an archive should.
    pub raw_days: u32,
    /// How long detaching and dropping a month wait for those who use it. Nobody waits for them; they come again at the next look.
    #[serde(with = "humantime_serde")]
    pub lock_timeout: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            every: Duration::from_secs(3_600),
            months_ahead: 3,
            hot_months: 0,
            raw_days: 0,
            lock_timeout: Duration::from_secs(2),
        }
    }
}

impl RetentionConfig {
    /// What is wrong with the values, as pairs of a key and a sentence. Empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.every.is_zero() {
            faults.push(("every", "must be longer than 0s".to_owned()));
        }
        if self.lock_timeout.is_zero() {
            faults.push((
                "lock_timeout",
                "must be longer than 0s, which PostgreSQL takes for ever".to_owned(),
            ));
        }
        faults
    }
}
