//! A link of a chain: which files hold which offsets of a partition.
//!
//! A manifest is read as hostile: nothing in it is used before [`Manifest::parse`] has compared it with its place and itself.

use std::collections::BTreeSet;
use std::fmt;

use object_store::PutPayload;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Digest as _;
use uuid::Uuid;

use crate::keys::{ChainId, LogMark, ObjectKey, RawFileName, RawFolder, TopicId, TopicName};
use crate::{ArchiveError, Result};

/// The version this build writes, and the only one it reads.
pub const VERSION: u32 = 1;
/// The most files a manifest names.
pub const MAX_FILES: usize = 64;
/// The most bytes a manifest has; 64 files take some 30 kB.
pub const MAX_BYTES: u64 = 1 << 20;

/// A SHA-256 digest, in hexadecimal where it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    pub(crate) fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of bytes that lie in pieces.
    pub(crate) fn of_pieces(pieces: &PutPayload) -> Self {
        let mut digest = sha2::Sha256::new();
        for piece in pieces {
            digest.update(piece);
        }
        Self(digest.finalize().into())
    }

    fn read(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        for (index, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text)
            .ok_or_else(|| serde::de::Error::custom("expected 64 hexadecimal digits in lower case"))
    }
}

/// A file that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its key.
    pub key: ObjectKey,
    /// How many records it holds.
    pub rows: u64,
    /// The lowest offset in it.
    pub min_offset: i64,
    /// The highest offset in it.
    pub max_offset: i64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// Offsets that an operator gave up: Kafka had removed their records before they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Why, in the operator's words.
    pub reason: String,
    /// Who decided.
    pub accepted_by: String,
}

/// A link of a partition's chain: everything about the offsets from `start` up to `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub version: u32,
    /// The topic's name.
    pub topic: TopicName,
    /// Which log that was.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: i32,
    /// The link's number, from 0.
    pub seq: u64,
    /// The first offset it is about: where the last link ended.
    pub start: i64,
    /// The offset after the last it is about.
    pub end: i64,
    /// The records between, in files. Files may overlap in offsets; each offset is in one.
    pub files: Vec<FileEntry>,
    /// Instead of files: why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// The digest of the last link's bytes; none in the first.
    pub previous_sha256: Option<Sha256>,
    /// The process that wrote it.
    pub writer: Uuid,
    /// The process's count of attempts: with `writer` it tells one's own link from another's.
    pub attempt: u64,
}

impl Manifest {
    /// The manifest's bytes, as they are stored and hashed.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "numbers, texts and lists of them always have a JSON form"
    )]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest has a JSON form");
        bytes.push(b'\n');
        bytes
    }

    /// Reads the manifest that stands at a place, and compares it with the place and itself.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] with everything that is wrong in one line.
    pub fn parse(chain: &ChainId, seq: u64, bytes: &[u8]) -> Result<Self> {
        let key = chain.manifest(seq);
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| ArchiveError::damaged(&key, error.to_string()))?;
        let faults = manifest.faults(chain, seq);
        if faults.is_empty() {
            Ok(manifest)
        } else {
            Err(ArchiveError::damaged(&key, faults.join("; ")))
        }
    }

    /// The chain it belongs to.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        ChainId {
            topic: self.topic.clone(),
            topic_id: self.topic_id.clone(),
            partition: self.partition,
        }
    }

    /// How many records its files hold.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// How many bytes its files have.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn faults(&self, chain: &ChainId, seq: u64) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |sound: bool, fault: &str| {
            if !sound {
                faults.push(fault.to_owned());
            }
        };
        check(
            self.version == VERSION,
            "its version is not 1: a newer archiver wrote it",
        );
        check(
            self.chain() == *chain && self.seq == seq,
            "it belongs to another place",
        );
        check(
            self.previous_sha256.is_some() == (seq > 0),
            "the first link has no previous one, and only the first",
        );
        check(
            0 <= self.start && self.start < self.end,
            "its offsets are no range",
        );
        check(self.files.len() <= MAX_FILES, "it names more than 64 files");
        check(
            self.gap.is_some() == self.files.is_empty(),
            "it has files or a gap, one of both",
        );
        let width = u64::try_from(self.end.saturating_sub(self.start)).unwrap_or(0);
        let rows = self
            .files
            .iter()
            .try_fold(0_u64, |rows, file| rows.checked_add(file.rows));
        check(
            rows.is_some_and(|rows| rows <= width),
            "its files hold more records than it has offsets",
        );
        let keys: BTreeSet<&ObjectKey> = self.files.iter().map(|file| &file.key).collect();
        check(keys.len() == self.files.len(), "it names a file twice");
        for file in &self.files {
            if let Err(fault) = self.check_file(file) {
                faults.push(format!("{}: {fault}", file.key));
            }
        }
        faults
    }

    fn check_file(&self, file: &FileEntry) -> Result<(), String> {
        let (topic, _) = RawFolder::parse(&file.key.folder()).map_err(|error| error.to_string())?;
        let name = RawFileName::parse(&file.key).map_err(|error| error.to_string())?;
        let within = self.start <= file.min_offset
            && file.min_offset <= file.max_offset
            && file.max_offset < self.end;
        let width = u64::try_from(file.max_offset.saturating_sub(file.min_offset)).unwrap_or(0);
        let named = topic == self.topic
            && name.partition == self.partition
            && name.log == LogMark::of(&self.topic_id)
            && name.start == file.min_offset
            && Some(name.end) == file.max_offset.checked_add(1);
        if !within {
            Err("its offsets lie outside the link's".to_owned())
        } else if !named {
            Err("its name says something else".to_owned())
        } else if file.rows == 0 || file.rows - 1 > width {
            Err("it can't hold so many records".to_owned())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
