//! When a batch is closed, and how its files are written.

use std::time::Duration;

use archive::{FileFormat, Region};
use serde::Deserialize;

/// The most files of a batch, one fewer than a manifest names.
const MAX_FILES: usize = 63;

/// A batch is closed by whichever comes first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// The bytes of its files together, as they will be stored.
    pub bytes: u64,
    /// Its records.
    pub rows: u64,
    /// How long ago its first record came, also when nothing follows.
    #[serde(with = "humantime_serde")]
    pub age: Duration,
    /// Its files: one for each region and hour.
    pub files: usize,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            bytes: 128 << 20,
            rows: 2_000_000,
            age: Duration::from_secs(300),
            files: MAX_FILES,
        }
    }
}

/// The figures of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPolicy {
    /// When a batch is closed.
    pub rotation: Rotation,
    /// The form of the files.
    pub format: FileFormat,
    /// The level of zstd.
    pub zstd_level: i32,
    /// The region of records without a header.
    pub default_region: Region,
}

impl Default for RawPolicy {
    fn default() -> Self {
        Self {
            rotation: Rotation::default(),
            format: FileFormat::Parquet,
            zstd_level: 1,
            default_region: Region::other(),
        }
    }
}

impl Rotation {
    /// What is wrong with the values, as pairs of a key and a sentence.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault =
            |key: &str, problem: &str| faults.push((key.to_owned(), problem.to_owned()));
        if self.bytes == 0 {
            fault("bytes", "must be at least 1");
        }
        if self.rows == 0 {
            fault("rows", "must be at least 1");
        }
        if self.age.is_zero() {
            fault("age", "must not be 0");
        }
        if !(1..=MAX_FILES).contains(&self.files) {
            fault("files", "must be 1 to 63");
        }
        faults
    }
}
