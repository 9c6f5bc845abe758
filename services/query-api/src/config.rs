//! The settings of the API. Each concern that has more than a few has a file of its own.

mod auth;
mod cache;
mod cors;
mod limits;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use service::ConfigFaults;
use service::config::in_section;
use store::DatabaseConfig;
use telemetry::TelemetryConfig;

use crate::cold::ArchiveConfig;

pub use auth::{AuthConfig, JwksConfig};
pub use cache::CacheConfig;
pub use cors::CorsConfig;
pub use limits::{ClientAddressConfig, LimitsConfig, RateConfig};

/// The prefix of the environment's variables.
pub const PREFIX: &str = "QUERY_API";
/// The shortest cursor secret taken, in bytes.
const MIN_SECRET: usize = 16;

/// The settings of the API. Durations read like `5s` or `250ms`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// How many threads serve requests; without it, one a core.
    #[serde(default)]
    pub workers: Option<usize>,
    /// How long an answer may take; a statement may not take longer either.
    #[serde(default = "default_request_timeout", with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How long requests in hand may take to end when the process shall stop.
    #[serde(default = "default_shutdown_timeout", with = "humantime_serde")]
    pub shutdown_timeout: Duration,
    /// Where the history is.
    pub database: DatabaseConfig,
    /// Where games are that have left the database; unset, they are gone.
    #[serde(default)]
    pub archive: Option<ArchiveConfig>,
    /// How page cursors are signed.
    pub cursor: CursorConfig,
    /// Who may ask for what.
    #[serde(default)]
    pub auth: AuthConfig,
    /// How much may be asked.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How much of the history is kept in memory.
    #[serde(default)]
    pub cache: CacheConfig,
    /// Which pages of other origins may read.
    #[serde(default)]
    pub cors: CorsConfig,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

/// How page cursors are signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorConfig {
    /// The key, at least 16 bytes. A page's cursor goes on at any replica, so all must have the same; there is no default,
    /// because one that each process makes up would break every second page behind a load balancer. It guards integrity, not
    /// access: changing it makes cursors in use `invalid-cursor`, nothing else.
    pub secret: SecretString,
}

impl Config {
    /// Reads the settings from defaults, file and environment.
    ///
    /// # Errors
    /// [`ConfigFaults`] with every fault there is.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigFaults> {
        let mut config = service::config::load_checked(PREFIX, file, Self::faults)?;
        let database = &mut config.database;
        database
            .application_name
            .get_or_insert_with(|| "query-api".to_owned());
        database.statement_timeout = bounded(database.statement_timeout, config.request_timeout);
        Ok(config)
    }

    /// How many threads serve requests: one a core, as far as the system tells, unless it is set.
    #[must_use]
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from);
        self.workers.unwrap_or_else(cores)
    }

    /// What is wrong with the values.
    fn faults(&self) -> Vec<(String, String)> {
        let mut faults = in_section("database", self.database.faults());
        faults.extend(in_section("telemetry", self.telemetry.faults()));
        if let Some(archive) = &self.archive {
            faults.extend(in_section("archive", archive.faults(self.request_timeout)));
        }
        faults.extend(in_section("auth", self.auth.faults()));
        faults.extend(in_section("limits", self.limits.faults()));
        faults.extend(in_section("cache", self.cache.faults()));
        faults.extend(in_section("cors", self.cors.faults()));
        let mut fault =
            |key: &str, problem: &str| faults.push((key.to_owned(), problem.to_owned()));
        if self.cursor.secret.expose_secret().len() < MIN_SECRET {
            fault("cursor.secret", "must have at least 16 bytes");
        }
        if self.workers == Some(0) {
            fault("workers", "must be at least 1");
        }
        if self.request_timeout.is_zero() {
            fault("request_timeout", "must be longer than 0s");
        }
        faults
    }
}

/// The shorter of a statement's time, where zero stands for ever, and an answer's.
fn bounded(statement: Duration, answer: Duration) -> Duration {
    if statement.is_zero() {
        return answer;
    }
    statement.min(answer)
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080))
}

fn default_request_timeout() -> Duration {
    Duration::from_secs(10)
}

fn default_shutdown_timeout() -> Duration {
    Duration::from_secs(20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../deploy/config/query-api.example.toml"
    );

    #[test]
    fn the_example_file_shows_the_defaults() {
        let text = std::fs::read_to_string(EXAMPLE).unwrap();
        let text = text
            // The required ones are the first of their names.
            .replacen("# url =", "url =", 1)
            .replacen("# secret =", "secret =", 1);
        let example: Config = toml::from_str(&text).unwrap();
        let least = "[database]\nurl = 'postgres://u@h/db'\n[cursor]\nsecret = '0123456789abcdef'";
        let least: Config = toml::from_str(least).unwrap();
        assert_eq!(format!("{example:?}"), format!("{least:?}"));
    }

    #[test]
    fn no_statement_takes_longer_than_an_answer_may() {
        let seconds = Duration::from_secs;
        assert_eq!(bounded(seconds(30), seconds(10)), seconds(10));
        assert_eq!(bounded(seconds(3), seconds(10)), seconds(3));
        assert_eq!(bounded(Duration::ZERO, seconds(10)), seconds(10));
    }

    #[test]
    fn a_secret_that_is_too_short_is_a_fault() {
        let text = "[database]\nurl = 'postgres://u@h/db'\n[cursor]\nsecret = '0123456789abcde'";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.faults()[0].0, "cursor.secret");
    }
}
