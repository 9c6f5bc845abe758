//! When and how raw files are compacted.

use std::time::Duration;

use serde::Deserialize;

use super::Limits;

/// The job `compact`. Switch it on in one archiver: several do no harm, and the same work.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompactConfig {
    /// Whether this process runs the job.
    pub enabled: bool,
    /// How often to look.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// A day is closed so long after its midnight (UTC).
    #[serde(with = "humantime_serde")]
    pub close_after: Duration,
    /// How long the replaced files stay.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// A file is closed at so many bytes.
    pub file_bytes: u32,
    /// The memory of all files that are being written, in bytes; above it the largest is closed early.
    pub memory_bytes: u32,
    /// The most bytes of replaced files in one compaction, so that a large day is done in steps.
    pub stretch_bytes: u64,
    /// The level of zstd, 1 to 19.
    pub zstd_level: i32,
}

impl Default for CompactConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            every: Duration::from_secs(3_600),
            close_after: Duration::from_secs(6 * 3_600),
            grace: Duration::from_secs(7 * 24 * 3_600),
            file_bytes: 128 << 20,
            memory_bytes: 512 << 20,
            stretch_bytes: 8 << 30,
            zstd_level: 9,
        }
    }
}

impl CompactConfig {
    /// What is wrong with the values, as pairs of a key and a sentence. Empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.every.is_zero() {
            faults.push(("every", "must be longer than 0s".to_owned()));
        }
        if self.file_bytes < 1 << 20 {
            faults.push(("file_bytes", "must be at least 1048576".to_owned()));
        }
        if self.memory_bytes < self.file_bytes {
            faults.push(("memory_bytes", "must be at least file_bytes".to_owned()));
        }
        if !(1..=19).contains(&self.zstd_level) {
            faults.push(("zstd_level", "must be from 1 to 19".to_owned()));
        }
        faults
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            file_bytes: self.file_bytes as usize,
            memory_bytes: self.memory_bytes as usize,
            zstd_level: self.zstd_level,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CompactConfig;

    #[test]
    fn the_defaults_have_no_fault_and_wrong_values_are_named() {
        assert_eq!(CompactConfig::default().faults(), []);
        let wrong = CompactConfig {
            zstd_level: 99,
            file_bytes: 5,
            ..CompactConfig::default()
        };
        let keys: Vec<&str> = wrong.faults().iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["file_bytes", "zstd_level"]);
    }
}
