//! The name of a file of records: which partition, which offsets, and whose attempt it was.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ObjectKey, TopicId, name_fault};
use crate::Result;
use crate::manifest::Sha256;

/// The form of a file.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Parquet with zstd.
    #[default]
    Parquet,
    /// One JSON object a line, compressed by zstd.
    Jsonl,
}

impl FileFormat {
    /// How a file's name ends.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl.zst",
        }
    }
}

/// A log's mark in the names of its files, which lie in the same folders when a topic was deleted and made again: the first
/// twelve digits of the SHA-256 of the topic's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogMark(String);

impl LogMark {
    /// The mark of a log.
    #[must_use]
    pub fn of(topic_id: &TopicId) -> Self {
        let mut digits = Sha256::of(topic_id.as_str().as_bytes()).to_string();
        digits.truncate(12);
        Self(digits)
    }
}

/// The name of a file. No two attempts have the same: a zombie can't overwrite what a winner has named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawFileName {
    /// The partition.
    pub partition: i32,
    /// The lowest offset in it.
    pub start: i64,
    /// The offset after the highest in it.
    pub end: i64,
    /// Which log the offsets are of.
    pub log: LogMark,
    /// The process that wrote it, new at every start.
    pub writer: Uuid,
    /// The process's count of attempts.
    pub attempt: u64,
    /// The file's form.
    pub format: FileFormat,
}

impl RawFileName {
    /// The key of the file in a folder.
    #[must_use]
    pub fn in_folder(&self, folder: &ObjectKey) -> ObjectKey {
        folder.join(&self.to_string())
    }

    /// Reads the name of a file from its key.
    ///
    /// # Errors
    /// [`crate::ArchiveError::Name`].
    pub fn parse(key: &ObjectKey) -> Result<Self> {
        Self::read(key.name()).ok_or_else(|| {
            let reason = "expected {partition}-{start}-{end}-{log}-{writer}-{attempt}.{parquet or jsonl.zst}";
            name_fault("file of records", key.as_str(), reason)
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (stem, suffix) = text.split_once('.')?;
        let format = [FileFormat::Parquet, FileFormat::Jsonl]
            .into_iter()
            .find(|format| format.suffix() == suffix)?;
        let parts: Vec<&str> = stem.split('-').collect();
        let [partition, start, end, log, writer, attempt] = parts[..] else {
            return None;
        };
        let name = Self {
            partition: partition.parse().ok()?,
            start: start.parse().ok()?,
            end: end.parse().ok()?,
            log: LogMark(log.to_owned()),
            writer: Uuid::try_parse(writer).ok()?,
            attempt: attempt.parse().ok()?,
            format,
        };
        // What is written in another way than we write it is another name.
        let sound = name.partition >= 0
            && name.start >= 0
            && name.start < name.end
            && log.len() == 12
            && log.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (sound && name.to_string() == text).then_some(name)
    }
}

impl fmt::Display for RawFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            start,
            end,
            log: LogMark(log),
            writer,
            attempt,
            format,
        } = self;
        let (writer, suffix) = (writer.simple(), format.suffix());
        write!(
            f,
            "{partition:05}-{start:020}-{end:020}-{log}-{writer}-{attempt:06}.{suffix}"
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_is_read_back(
            partition in 0..i32::MAX, start in 0..i64::MAX - 1, more in 1..1_000_i64, writer in any::<u128>(),
            attempt in any::<u64>(), parquet in any::<bool>(),
        ) {
            let format = if parquet { FileFormat::Parquet } else { FileFormat::Jsonl };
            let end = start.saturating_add(more);
            let log = LogMark::of(&TopicId::parse("id").unwrap());
            let name = RawFileName { partition, start, end, log, writer: Uuid::from_u128(writer), attempt, format };
            let key = name.in_folder(&ObjectKey::parse("a/b").unwrap());
            prop_assert!(ObjectKey::parse(key.as_str()).is_ok());
            prop_assert_eq!(RawFileName::parse(&key).unwrap(), name);
        }

        #[test]
        fn no_text_makes_it_fail_otherwise(text in "[0-9a-f.-]{0,80}") {
            if let Ok(key) = ObjectKey::parse(&text) {
                let _ = RawFileName::parse(&key);
            }
        }
    }

    #[test]
    fn a_name_written_differently_is_another_name() {
        let writer = Uuid::nil().simple();
        let (start, end) = ("00000000000000000003", "00000000000000000009");
        let right = format!("a/00001-{start}-{end}-0123456789ab-{writer}-000001.parquet");
        assert!(RawFileName::parse(&ObjectKey::parse(&right).unwrap()).is_ok());
        for wrong in [
            right.replace("00001-", "1-"),
            right.replace(".parquet", ".parquet.tmp"),
            right.replace(".parquet", ".csv"),
            right.replace(start, end),
            right.replace("0123456789ab", "0123456789AB"),
        ] {
            assert!(
                RawFileName::parse(&ObjectKey::parse(&wrong).unwrap()).is_err(),
                "{wrong}"
            );
        }
    }
}
