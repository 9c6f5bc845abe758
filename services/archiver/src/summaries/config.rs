//! When days are summed up.

use std::time::Duration;

use archive::summaries::FileLimits;
use serde::Deserialize;

/// The job `summaries`. It needs the database.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SummariesConfig {
    /// Whether this process runs the job.
    pub enabled: bool,
    /// How often to look for days to write.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// A day is closed so long after its midnight (UTC): ends that arrive later make another revision.
    #[serde(with = "humantime_serde")]
    pub close_after: Duration,
    /// How often all days are compared with the database, not only those written to lately.
    #[serde(with = "humantime_serde")]
    pub recheck_every: Duration,
    /// How long files of a replaced revision stay for those who are reading them.
    #[serde(with = "humantime_serde")]
    pub keep_replaced: Duration,
    /// A file is closed at so many bytes; one of each kind is held in memory.
    pub file_bytes: u32,
}

impl Default for SummariesConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            every: Duration::from_secs(300),
            close_after: Duration::from_secs(6 * 3_600),
            recheck_every: Duration::from_secs(24 * 3_600),
            keep_replaced: Duration::from_secs(24 * 3_600),
            file_bytes: 64 << 20,
        }
    }
}

impl SummariesConfig {
    /// What is wrong with the values, as pairs of a key and a sentence. Empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.every.is_zero() {
            faults.push(("every", "must be longer than 0s".to_owned()));
        }
        // Larger files would not be read back: see `archive::summaries`.
        if !((1 << 20)..=(256 << 20)).contains(&self.file_bytes) {
            faults.push(("file_bytes", "must be from 1048576 to 268435456".to_owned()));
        }
        faults
    }

    pub(crate) fn limits(&self) -> FileLimits {
        FileLimits {
            file_bytes: self.file_bytes as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SummariesConfig;

    #[test]
    fn the_defaults_have_no_fault_and_a_file_too_large_to_be_read_has() {
        assert_eq!(SummariesConfig::default().faults(), []);
        let wrong = SummariesConfig {
            file_bytes: 1 << 30,
            ..SummariesConfig::default()
        };
        assert_eq!(wrong.faults()[0].0, "file_bytes");
    }
}
