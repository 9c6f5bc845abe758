//! Where the database is and how patient to be with it.
//!
//! Plain data, read from configuration. The URL is a secret as a whole, because it usually holds a password; what may be
//! shown of it is [`DatabaseConfig::target`].

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::StoreError;

/// Where the database is and how patient to be with it. Durations read like `5s` or `250ms`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host:port/database?sslmode=…`; special characters in the password are percent-encoded.
    pub url: SecretString,
    /// The name shown in `pg_stat_activity`; without it the service's own, or `game-history`.
    #[serde(default)]
    pub application_name: Option<String>,
    /// PEM file with the certificate authorities to trust instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long to wait for a connection to be made, for each host.
    #[serde(default = "default_connect_timeout", with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long one statement may run; zero for ever.
    #[serde(default = "default_statement_timeout", with = "humantime_serde")]
    pub statement_timeout: Duration,
    /// How long one statement may wait for a lock; zero for ever.
    #[serde(default = "default_lock_timeout", with = "humantime_serde")]
    pub lock_timeout: Duration,
    /// How long a transaction may lie idle before the server ends its session; zero for ever.
    #[serde(
        default = "default_idle_in_transaction_timeout",
        with = "humantime_serde"
    )]
    pub idle_in_transaction_timeout: Duration,
    /// How long sent data may stay unacknowledged before the connection counts as lost.
    #[serde(default = "default_tcp_user_timeout", with = "humantime_serde")]
    pub tcp_user_timeout: Duration,
    /// How long a connection may be silent before it is probed.
    #[serde(default = "default_keepalive_idle", with = "humantime_serde")]
    pub keepalive_idle: Duration,
    /// The pool, for those who read through one.
    #[serde(default)]
    pub pool: PoolConfig,
}

/// How many connections to keep.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// The most connections open at a time.
    pub max_size: u32,
    /// How many to keep open without work.
    pub min_idle: u32,
    /// How long to wait for a free connection.
    #[serde(with = "humantime_serde")]
    pub wait_timeout: Duration,
    /// Connections older than this are replaced when they are free.
    #[serde(with = "humantime_serde")]
    pub max_lifetime: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_size: 16,
            min_idle: 2,
            wait_timeout: Duration::from_secs(2),
            max_lifetime: Duration::from_secs(30 * 60),
        }
    }
}

impl DatabaseConfig {
    /// The configuration for this URL, everything else as by default.
    #[must_use]
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            application_name: None,
            ca_file: None,
            connect_timeout: default_connect_timeout(),
            statement_timeout: default_statement_timeout(),
            lock_timeout: default_lock_timeout(),
            idle_in_transaction_timeout: default_idle_in_transaction_timeout(),
            tcp_user_timeout: default_tcp_user_timeout(),
            keepalive_idle: default_keepalive_idle(),
            pool: PoolConfig::default(),
        }
    }

    /// What is wrong with the values, as pairs of a key and a sentence. Empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(error) = self.parse_url() {
            faults.push(("url", error.to_string()));
        }
        if let Some(Err(error)) = self.ca_file.as_ref().map(std::fs::metadata) {
            faults.push(("ca_file", error.to_string()));
        }
        if self.pool.max_size == 0 {
            faults.push(("pool.max_size", "must be at least 1".to_owned()));
        }
        if self.pool.min_idle > self.pool.max_size {
            faults.push(("pool.min_idle", "must not exceed pool.max_size".to_owned()));
        }
        if self.pool.wait_timeout.is_zero() {
            faults.push(("pool.wait_timeout", "must be longer than 0s".to_owned()));
        }
        if self.connect_timeout.is_zero() {
            faults.push(("connect_timeout", "must be longer than 0s".to_owned()));
        }
        faults
    }

    /// What may be shown of the URL: hosts, ports, database and user, never the password.
    #[must_use]
    pub fn target(&self) -> String {
        match self.parse_url() {
            Ok(config) => crate::connect::target(&config),
            Err(_) => "an unreadable URL".to_owned(),
        }
    }

    /// Reads the URL. The error says nothing of its content, for a mistyped URL may show its password anywhere.
    pub(crate) fn parse_url(&self) -> Result<tokio_postgres::Config, StoreError> {
        // Certificates are always verified against the host's name, so these two modes mean what `require` does here.
        let url = self
            .url
            .expose_secret()
            .replace("sslmode=verify-full", "sslmode=require")
            .replace("sslmode=verify-ca", "sslmode=require");
        let config: tokio_postgres::Config = url
            .parse()
            .map_err(|_shows_the_url: tokio_postgres::Error| StoreError::Url)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(StoreError::Url);
        }
        Ok(config)
    }
}

fn default_connect_timeout() -> Duration {
    Duration::from_secs(5)
}

fn default_statement_timeout() -> Duration {
    Duration::from_secs(30)
}

fn default_lock_timeout() -> Duration {
    Duration::from_secs(10)
}

fn default_idle_in_transaction_timeout() -> Duration {
    Duration::from_secs(60)
}

fn default_tcp_user_timeout() -> Duration {
    Duration::from_secs(15)
}

fn default_keepalive_idle() -> Duration {
    Duration::from_secs(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_the_password() {
        for url in [
            "postgres://reader:hunter2@db.example:5433/history?sslmode=verify-full",
            "postgres://reader:hunter2?x@db.example/history",
            "hunter2",
        ] {
            let config = DatabaseConfig::new(url);
            let shown = format!("{config:?} {} {:?}", config.target(), config.faults());
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn the_target_names_host_port_database_and_user() {
        let config = DatabaseConfig::new("postgres://reader:hunter2@db.example:5433/history");
        assert_eq!(config.target(), "db.example:5433/history as reader");
        assert!(config.faults().is_empty());
    }

    #[test]
    fn an_unreadable_url_is_a_fault_of_the_key_url() {
        for url in ["", "mysql://x", "postgres://u@h:port/db", "dbname=x"] {
            assert_eq!(DatabaseConfig::new(url).faults()[0].0, "url", "{url}");
        }
    }
}
