//! The ingestor's configuration: defaults, then a TOML file, then `INGESTOR__SECTION__KEY` from the environment.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use service::config::{self, ConfigFaults};
use store::{DatabaseConfig, PoolConfig};
use stream::ConsumerConfig;
use telemetry::TelemetryConfig;

use crate::games::FoldPolicy;
use crate::worker::STOPPED_RETRY;

/// The whole configuration. `deploy/config/ingestor.example.toml` shows every key with its default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the history is written.
    pub database: DatabaseConfig,
    /// Where events come from.
    #[serde(default)]
    pub kafka: ConsumerConfig,
    /// The pipeline that turns events into finished games.
    #[serde(default)]
    pub games: GamesConfig,
    /// Ending games that just stopped.
    #[serde(default)]
    pub janitor: JanitorConfig,
    /// Making Postgres partitions ahead of time.
    #[serde(default)]
    pub upkeep: UpkeepConfig,
    /// The listener for health and metrics.
    #[serde(default)]
    pub health: HealthConfig,
    /// Logs, metrics and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

/// The pipeline `games`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GamesConfig {
    /// Whether this process runs the pipeline.
    pub enabled: bool,
    /// How many workers share the partitions, each with two database sessions.
    pub workers: u16,
    /// How often a stopped partition is tried again, to see whether an operator has acted.
    #[serde(with = "humantime_serde")]
    pub stopped_retry: Duration,
    /// The figures of the fold.
    pub fold: FoldPolicy,
}

/// The janitor.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JanitorConfig {
    /// Whether this process looks for abandoned games. It needs to write to the topic.
    pub enabled: bool,
    /// A game without a change for so long is abandoned.
    #[serde(with = "humantime_serde")]
    pub idle_for: Duration,
    /// How often to look.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// The most games ended in one look.
    pub batch: u32,
}

/// The upkeep of Postgres partitions.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpkeepConfig {
    /// How many months beyond the current one have partitions.
    pub months_ahead: u32,
    /// How often to look.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
}

/// The listener for health and metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// A partition with more unread records than this is catching up.
    pub catching_up_records: i64,
}

impl Default for GamesConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            workers: 4,
            stopped_retry: STOPPED_RETRY,
            fold: FoldPolicy::default(),
        }
    }
}

impl Default for JanitorConfig {
    fn default() -> Self {
        let (idle_for, every) = (Duration::from_secs(24 * 3_600), Duration::from_secs(60));
        Self {
            enabled: false,
            idle_for,
            every,
            batch: 1_000,
        }
    }
}

impl Default for UpkeepConfig {
    fn default() -> Self {
        Self {
            months_ahead: 3,
            every: Duration::from_secs(3_600),
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 9_100)),
            catching_up_records: 50_000,
        }
    }
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`ConfigFaults`] with everything that is wrong with it.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigFaults> {
        config::load_checked("INGESTOR", file, Self::faults)
    }

    fn faults(&self) -> Vec<(String, String)> {
        let mut faults = config::in_section("database", self.database.faults());
        faults.extend(config::in_section("kafka", self.kafka.faults()));
        faults.extend(config::in_section("telemetry", self.telemetry.faults()));
        let positive = [
            ("games.workers", u64::from(self.games.workers)),
            (
                "games.fold.batch_records",
                u64::from(self.games.fold.batch_records),
            ),
            (
                "games.fold.unreadable_run",
                u64::from(self.games.fold.unreadable_run),
            ),
            (
                "games.fold.max_replay_offsets",
                self.games.fold.max_replay_offsets.max(0).cast_unsigned(),
            ),
            ("janitor.batch", u64::from(self.janitor.batch)),
            ("games.stopped_retry", self.games.stopped_retry.as_secs()),
        ];
        let zero = positive.iter().filter(|(_, value)| *value == 0);
        faults.extend(zero.map(|(key, _)| {
            (
                (*key).to_owned(),
                "must be at least 1 (a time: 1s)".to_owned(),
            )
        }));
        if self.database.pool != PoolConfig::default() {
            let problem = "is not used: each worker has sessions of its own; see games.workers";
            faults.push(("database.pool".to_owned(), problem.to_owned()));
        }
        if self.janitor.enabled && self.janitor.idle_for < self.games.fold.snapshot_age {
            let problem = "must be at least games.fold.snapshot_age: a game that is played may look idle for so long";
            faults.push(("janitor.idle_for".to_owned(), problem.to_owned()));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use figment::Jail;

    use super::*;

    /// The ingestor's sessions are its workers': it has no pool.
    const IN_POOL: [&str; 4] = ["max_size", "min_idle", "wait_timeout", "max_lifetime"];

    fn example() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/ingestor.example.toml")
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "the jail's own error type")]
    fn the_example_shows_the_defaults() {
        Jail::expect_with(|jail| {
            jail.set_env("INGESTOR__DATABASE__URL", "postgres://example");
            let (shown, defaults) = (
                Config::load(Some(&example())).unwrap(),
                Config::load(None).unwrap(),
            );
            assert_eq!(format!("{shown:?}"), format!("{defaults:?}"));
            let text = std::fs::read_to_string(example()).unwrap();
            let defaults = format!("{defaults:#?}");
            let keys = defaults
                .lines()
                .filter_map(|line| line.trim().split_once(": "));
            for (key, _) in keys.filter(|(_, value)| !value.starts_with("PoolConfig")) {
                let (value, section) = (format!("{key} ="), format!("{key}]"));
                let shown = text.contains(&value) || text.contains(&section);
                assert!(shown || IN_POOL.contains(&key), "{key} is missing");
            }
            Ok(())
        });
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "the jail's own error type")]
    fn a_pool_is_refused_where_there_is_none() {
        Jail::expect_with(|jail| {
            jail.set_env("INGESTOR__DATABASE__URL", "postgres://example");
            jail.set_env("INGESTOR__DATABASE__POOL__MAX_SIZE", "4");
            let faults = Config::load(None).unwrap_err().to_string();
            assert!(faults.contains("DATABASE__POOL"), "{faults}");
            Ok(())
        });
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "the jail's own error type")]
    fn every_fault_is_named_at_once_by_its_variable() {
        Jail::expect_with(|jail| {
            jail.set_env("INGESTOR__GAMES__WORKERS", "0");
            jail.set_env("INGESTOR__KAFKA__BROKERS", " ");
            jail.set_env("INGESTOR__JANITOR__ENABLED", "true");
            jail.set_env("INGESTOR__JANITOR__IDLE_FOR", "1s");
            jail.set_env("INGESTOR__GAMES__WROKERS", "3");
            let faults = Config::load(None).unwrap_err().to_string();
            for part in [
                "database",
                "GAMES__WORKERS",
                "KAFKA__BROKERS",
                "JANITOR__IDLE_FOR",
                "wrokers",
            ] {
                assert!(faults.contains(part), "{part} in {faults}");
            }
            Ok(())
        });
    }
}
