//! Whether and how games are read out of the archive.

use std::time::Duration;

use archive::StoreSettings;
use serde::Deserialize;
use service::config::in_section;

/// The section `archive`. Without it, a game that retention has removed from PostgreSQL is answered by 410.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveConfig {
    /// Where the archive is. It is only read.
    pub store: StoreSettings,
    /// How long one game may take, waiting for its turn included.
    #[serde(default = "default_timeout", with = "humantime_serde")]
    pub timeout: Duration,
    /// How many games are read at a time; the others wait. Each takes some megabytes.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

fn default_timeout() -> Duration {
    Duration::from_secs(5)
}

fn default_concurrency() -> usize {
    4
}

impl ArchiveConfig {
    /// What is wrong with the values, as pairs of a key and a sentence.
    #[must_use]
    pub fn faults(&self, request_timeout: Duration) -> Vec<(String, String)> {
        let mut faults = in_section("store", self.store.faults());
        let mut fault =
            |key: &str, problem: &str| faults.push((key.to_owned(), problem.to_owned()));
        if self.timeout.is_zero() || self.timeout > request_timeout {
            fault(
                "timeout",
                "must be longer than 0s and no longer than request_timeout",
            );
        }
        if !(1..=1_000).contains(&self.concurrency) {
            fault("concurrency", "must be 1 to 1000");
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_enough_and_every_fault_is_named() {
        let config = |more: &str| -> ArchiveConfig {
            toml::from_str(&format!("{more}\n[store]\nurl = 'file:///var/lib/history'")).unwrap()
        };
        let limit = Duration::from_secs(10);
        assert_eq!(config("").faults(limit), []);
        let keys = |config: ArchiveConfig| -> Vec<String> {
            let faults = config.faults(limit).into_iter();
            faults.map(|(key, _)| key).collect()
        };
        assert_eq!(keys(config("timeout = '11s'")), ["timeout"]);
        assert_eq!(keys(config("concurrency = 0")), ["concurrency"]);
        let nowhere: ArchiveConfig = toml::from_str("[store]\nurl = 'ftp://x'").unwrap();
        assert_eq!(keys(nowhere), ["store.url"]);
    }
}
