//! The archiver's configuration: defaults, then a TOML file, then `ARCHIVER__SECTION__KEY` from the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use archive::{FileFormat, Region, StoreSettings, TopicName};
use serde::Deserialize;
use service::config::{self, ConfigFaults};
use store::{DatabaseConfig, PoolConfig};
use stream::{ConsumerConfig, GroupProtocol};
use telemetry::TelemetryConfig;

use crate::compact::CompactConfig;
use crate::raw::{RawPolicy, Rotation};
use crate::retention::RetentionConfig;
use crate::summaries::SummariesConfig;

/// The whole configuration. `deploy/config/archiver.example.toml` shows every key with its default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the archive is.
    pub store: StoreSettings,
    /// Where records come from.
    #[serde(default)]
    pub kafka: KafkaConfig,
    /// The job that archives topics.
    #[serde(default)]
    pub raw: RawConfig,
    /// The database of the history, for the jobs that need it.
    #[serde(default)]
    pub database: Option<DatabaseConfig>,
    /// The job that writes days of finished games.
    #[serde(default)]
    pub summaries: SummariesConfig,
    /// The job that takes old months out of the database.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// The job that makes few large files of many small ones.
    #[serde(default)]
    pub compact: CompactConfig,
    /// The listener for health and metrics.
    #[serde(default)]
    pub health: HealthConfig,
    /// Logs, metrics and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

/// How to reach Kafka. The topics stand in the section of the job.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaConfig {
    /// Bootstrap servers: `host:port`, separated by commas.
    pub brokers: String,
    /// The consumer group; each topic has one of its own, `{group_id}.{topic}`.
    pub group_id: String,
    /// The rebalance protocol.
    pub group_protocol: GroupProtocol,
    /// How long a member may be silent before its partitions go to others, in milliseconds. Classic protocol only.
    pub session_timeout_ms: u32,
    /// The most bytes of records a partition's owner may be behind the poll thread.
    pub partition_buffer_bytes: usize,
    /// The most bytes of records all owners of a topic together may be behind the poll thread.
    pub total_buffer_bytes: usize,
    /// The most kilobytes librdkafka fetches ahead for one partition.
    pub prefetch_kb_per_partition: u32,
    /// How long the poll thread gathers records of a partition into a block, in milliseconds.
    pub block_linger_ms: u64,
    /// More librdkafka properties, such as those of SASL and TLS.
    pub properties: BTreeMap<String, String>,
}

/// The job `raw`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// Whether this process has the job.
    pub enabled: bool,
    /// The topics to archive.
    pub topics: Vec<String>,
    /// The form of the files.
    pub format: FileFormat,
    /// The level of zstd, 1 to 19.
    pub zstd_level: i32,
    /// The region of records without the header.
    pub default_region: String,
    /// The memory of the whole process, in bytes: open batches have what the rest leaves them, and a quarter at least.
    pub memory_bytes: usize,
    /// When a batch is closed.
    pub rotation: Rotation,
}

/// The listener for health and metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// A partition with more records to archive than this is catching up.
    pub catching_up_records: i64,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        let common = ConsumerConfig::default();
        Self {
            brokers: common.brokers,
            group_id: "game-history.archive".into(),
            group_protocol: common.group_protocol,
            session_timeout_ms: common.session_timeout_ms,
            partition_buffer_bytes: common.partition_buffer_bytes,
            total_buffer_bytes: common.total_buffer_bytes,
            prefetch_kb_per_partition: common.prefetch_kb_per_partition,
            block_linger_ms: 100,
            properties: common.properties,
        }
    }
}

/// Names the properties and keeps their values to itself: passwords are among them.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.consumer("…"), f)
    }
}

impl Default for RawConfig {
    fn default() -> Self {
        let policy = RawPolicy::default();
        Self {
            enabled: true,
            topics: vec![events::GAME_EVENTS_TOPIC.to_owned()],
            format: policy.format,
            zstd_level: policy.zstd_level,
            default_region: policy.default_region.to_string(),
            memory_bytes: 1 << 30,
            rotation: policy.rotation,
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 9_102)),
            catching_up_records: 5_000_000,
        }
    }
}

impl KafkaConfig {
    /// The consumer of a topic.
    #[must_use]
    pub fn consumer(&self, topic: &str) -> ConsumerConfig {
        ConsumerConfig {
            brokers: self.brokers.clone(),
            topic: topic.to_owned(),
            group_id: format!("{}.{topic}", self.group_id),
            group_protocol: self.group_protocol,
            session_timeout_ms: self.session_timeout_ms,
            partition_buffer_bytes: self.partition_buffer_bytes,
            total_buffer_bytes: self.total_buffer_bytes,
            prefetch_kb_per_partition: self.prefetch_kb_per_partition,
            block_linger_ms: self.block_linger_ms,
            properties: self.properties.clone(),
        }
    }
}

impl RawConfig {
    /// The figures of the job.
    ///
    /// # Errors
    /// When the default region is none; the faults of the configuration name it.
    pub fn policy(&self) -> archive::Result<Arc<RawPolicy>> {
        Ok(Arc::new(RawPolicy {
            rotation: self.rotation.clone(),
            format: self.format,
            zstd_level: self.zstd_level,
            default_region: Region::parse(&self.default_region)?,
        }))
    }

    fn faults(&self) -> Vec<(String, String)> {
        let mut faults = config::in_section("rotation", self.rotation.faults());
        let mut fault = |key: &str, problem: String| faults.push((key.to_owned(), problem));
        if self.enabled && self.topics.is_empty() {
            fault("topics", "must name at least one topic".to_owned());
        }
        for topic in &self.topics {
            if let Err(error) = TopicName::parse(topic) {
                fault("topics", error.to_string());
            }
        }
        if self.topics.iter().collect::<BTreeSet<_>>().len() < self.topics.len() {
            fault("topics", "names a topic twice".to_owned());
        }
        if !(1..=19).contains(&self.zstd_level) {
            fault("zstd_level", "must be 1 to 19".to_owned());
        }
        if let Err(error) = Region::parse(&self.default_region) {
            fault("default_region", error.to_string());
        }
        if self.memory_bytes < 64 << 20 {
            fault("memory_bytes", "must be at least 67108864".to_owned());
        }
        faults
    }
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`ConfigFaults`] with everything that is wrong with it.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigFaults> {
        config::load_checked("ARCHIVER", file, Self::faults)
    }

    fn faults(&self) -> Vec<(String, String)> {
        let mut faults = config::in_section("store", self.store.faults());
        // The topics are checked where they stand.
        let kafka = self.kafka.consumer("topic").faults();
        faults.extend(config::in_section("kafka", kafka));
        faults.extend(config::in_section("raw", self.raw.faults()));
        faults.extend(config::in_section("summaries", self.summaries.faults()));
        faults.extend(config::in_section("retention", self.retention.faults()));
        faults.extend(config::in_section("compact", self.compact.faults()));
        faults.extend(self.database_faults());
        faults.extend(config::in_section("telemetry", self.telemetry.faults()));
        faults
    }
    fn database_faults(&self) -> Vec<(String, String)> {
        let Some(database) = &self.database else {
            let for_months = self.retention.enabled
                && (self.retention.hot_months > 0 || self.retention.raw_days == 0);
            let problem = "is needed by the jobs summaries and retention; only expiry (retention.raw_days) does without";
            let fault = ("database.url".to_owned(), problem.to_owned());
            return (self.summaries.enabled || for_months)
                .then_some(fault)
                .into_iter()
                .collect();
        };
        let mut faults = config::in_section("database", database.faults());
        if database.pool != PoolConfig::default() {
            let problem =
                "is not used: each job of the archiver has a session of its own; leave it out";
            faults.push(("database.pool".to_owned(), problem.to_owned()));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use figment::Jail;

    use super::*;

    fn example() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/archiver.example.toml")
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "the jail's own error type")]
    fn the_example_shows_the_defaults() {
        Jail::expect_with(|jail| {
            jail.set_env("ARCHIVER__STORE__URL", "file:///var/lib/game-history");
            let (shown, defaults) = (
                Config::load(Some(&example())).unwrap(),
                Config::load(None).unwrap(),
            );
            assert_eq!(format!("{shown:?}"), format!("{defaults:?}"));
            Ok(())
        });
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "the jail's own error type")]
    fn expiry_alone_needs_no_database_and_a_pool_is_refused() {
        Jail::expect_with(|jail| {
            jail.set_env("ARCHIVER__STORE__URL", "file:///var/lib/game-history");
            jail.set_env("ARCHIVER__RETENTION__ENABLED", "true");
            let faults = Config::load(None).unwrap_err().to_string();
            assert!(faults.contains("DATABASE__URL"), "{faults}");
            jail.set_env("ARCHIVER__RETENTION__RAW_DAYS", "30");
            Config::load(None).unwrap();
            jail.set_env("ARCHIVER__RETENTION__HOT_MONTHS", "3");
            assert!(Config::load(None).is_err());
            jail.set_env("ARCHIVER__DATABASE__URL", "postgres://u@h/d");
            Config::load(None).unwrap();
            jail.set_env("ARCHIVER__DATABASE__POOL__MAX_SIZE", "99");
            let faults = Config::load(None).unwrap_err().to_string();
            assert!(faults.contains("DATABASE__POOL"), "{faults}");
            Ok(())
        });
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "the jail's own error type")]
    fn every_fault_is_named_at_once_by_its_variable() {
        Jail::expect_with(|jail| {
            jail.set_env("ARCHIVER__STORE__URL", "ftp://x");
            jail.set_env("ARCHIVER__RAW__DEFAULT_REGION", "EU");
            jail.set_env("ARCHIVER__RAW__ROTATION__FILES", "64");
            jail.set_env("ARCHIVER__KAFKA__BROKERS", " ");
            jail.set_env("ARCHIVER__RAW__TOPICS", "[\"a b\"]");
            jail.set_env("ARCHIVER__RAW__FROMAT", "csv");
            jail.set_env("ARCHIVER__RETENTION__ENABLED", "true");
            jail.set_env("ARCHIVER__COMPACT__ZSTD_LEVEL", "20");
            let faults = Config::load(None).unwrap_err().to_string();
            for part in [
                "STORE__URL",
                "DEFAULT_REGION",
                "ROTATION__FILES",
                "KAFKA__BROKERS",
                "a b",
                "fromat",
                "DATABASE__URL",
                "COMPACT__ZSTD_LEVEL",
            ] {
                assert!(faults.contains(part), "{part} in {faults}");
            }
            Ok(())
        });
    }
}
