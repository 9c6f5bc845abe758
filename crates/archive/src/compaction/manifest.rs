//! The manifest of a compaction, read as hostile: nothing in it is used before it was compared with its place and itself.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CompactedHead;
use crate::keys::{
    ChainId, LogMark, ObjectKey, RawFileName, RawFolder, Region, TopicId, TopicName,
};
use crate::manifest::{FileEntry, Manifest};
use crate::{ArchiveError, Result, Sha256};

/// The version this build writes, and the only one it reads.
pub const VERSION: u32 = 1;
/// The most files of a compaction.
const MAX_FILES: usize = 4_096;
/// The most bytes of its manifest; 4,096 files take 2 MB.
pub(super) const MAX_BYTES: u64 = 8 << 20;

/// The folder of compacted records: a topic, a region and a day of UTC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactedFolder {
    /// The topic.
    pub topic: TopicName,
    /// The region.
    pub region: Region,
    /// The day.
    pub day: NaiveDate,
}

impl CompactedFolder {
    /// The folder that the records of a raw file's folder go to.
    #[must_use]
    pub fn of(topic: &TopicName, raw: &RawFolder) -> Self {
        let (date, _) = raw.date_and_hour();
        Self {
            topic: topic.clone(),
            region: raw.region.clone(),
            // A raw folder's date is always one.
            day: date.parse().unwrap_or_default(),
        }
    }

    /// The key of the folder.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        let Self { topic, region, day } = self;
        made(&format!("compacted/topic={topic}/region={region}/dt={day}"))
    }

    /// Reads a folder's key.
    #[must_use]
    pub fn parse(key: &ObjectKey) -> Option<Self> {
        let parts: Vec<&str> = key.as_str().split('/').collect();
        let ["compacted", topic, region, day] = parts[..] else {
            return None;
        };
        let found = Self {
            topic: TopicName::parse(topic.strip_prefix("topic=")?).ok()?,
            region: Region::parse(region.strip_prefix("region=")?).ok()?,
            day: day.strip_prefix("dt=")?.parse().ok()?,
        };
        (found.key() == *key).then_some(found)
    }
}

impl fmt::Display for CompactedFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.key(), f)
    }
}

/// The folder of a chain's compactions.
pub(super) fn folder(chain: &ChainId) -> ObjectKey {
    let ChainId {
        topic,
        topic_id,
        partition,
    } = chain;
    made(&format!(
        "_compactions/topic={topic}/{topic_id}/{partition:05}"
    ))
}

#[expect(
    clippy::expect_used,
    reason = "made of constants, a date and names that were parsed, which have no characters that a key must not have"
)]
fn made(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("a folder of the layout is a key")
}

/// Links of a chain and the files that hold their records now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    /// The version of this form.
    pub version: u32,
    /// The topic's name.
    pub topic: TopicName,
    /// Which log that was.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: i32,
    /// The compaction's number, from 0.
    pub seq: u64,
    /// The first link whose records it holds: the one after the last compaction's.
    pub first_link: u64,
    /// The last one.
    pub last_link: u64,
    /// The digest of the last link: which chain this is about.
    pub last_link_sha256: Sha256,
    /// The first offset it is about.
    pub start: i64,
    /// The offset after the last it is about.
    pub end: i64,
    /// The records between, in files. Files may overlap in offsets; each offset is in one.
    pub files: Vec<FileEntry>,
    /// The digest of the last compaction's bytes; none in the first.
    pub previous_sha256: Option<Sha256>,
    /// When it was made: its inputs stay for a grace time after that.
    pub made_at: DateTime<Utc>,
    /// The process that wrote it.
    pub writer: Uuid,
}

impl Compaction {
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

    /// How many records it holds.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Its records in the form of a link, for those who read links. One of an accepted gap has no files: there the link itself tells.
    #[must_use]
    pub fn to_manifest(&self) -> Manifest {
        Manifest {
            version: crate::manifest::VERSION,
            topic: self.topic.clone(),
            topic_id: self.topic_id.clone(),
            partition: self.partition,
            seq: self.last_link,
            start: self.start,
            end: self.end,
            files: self.files.clone(),
            gap: None,
            previous_sha256: None,
            writer: self.writer,
            attempt: 0,
        }
    }

    pub(super) fn head(&self, sha256: Sha256) -> CompactedHead {
        CompactedHead {
            next_seq: self.seq + 1,
            next_link: self.last_link + 1,
            end: Some(self.end),
            sha256: Some(sha256),
        }
    }

    /// What keeps it from standing behind a head.
    pub(super) fn does_not_follow(&self, head: &CompactedHead) -> Option<&'static str> {
        let follows = self.seq == head.next_seq
            && self.first_link == head.next_link
            && head.end.is_none_or(|end| end == self.start)
            && self.previous_sha256 == head.sha256;
        (!follows).then_some("it does not begin where the last compaction ended")
    }

    pub(super) fn parse(chain: &ChainId, seq: u64, key: &ObjectKey, bytes: &[u8]) -> Result<Self> {
        let compaction: Self = serde_json::from_slice(bytes)
            .map_err(|error| ArchiveError::damaged(key, error.to_string()))?;
        let faults = compaction.faults(chain, seq);
        if faults.is_empty() {
            Ok(compaction)
        } else {
            Err(ArchiveError::damaged(key, faults.join("; ")))
        }
    }

    fn faults(&self, chain: &ChainId, seq: u64) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |sound: bool, fault: &str| {
            if !sound {
                faults.push(fault.to_owned());
            }
        };
        let placed = self.topic == chain.topic
            && self.topic_id == chain.topic_id
            && self.partition == chain.partition
            && self.seq == seq;
        check(
            self.version == VERSION,
            "its version is not 1: a newer archiver wrote it",
        );
        check(placed, "it belongs to another place");
        check(
            self.previous_sha256.is_some() == (seq > 0) && (self.first_link > 0) == (seq > 0),
            "the first compaction has nothing before it, and only the first",
        );
        check(
            0 <= self.start && self.start < self.end && self.first_link <= self.last_link,
            "its offsets or links are no range",
        );
        check(self.files.len() <= MAX_FILES, "it names too many files");
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
        let strange = self.files.iter().find(|file| !self.has_place_for(file));
        if let Some(file) = strange {
            faults.push(format!("{} is no file of it", file.key));
        }
        faults
    }

    fn has_place_for(&self, file: &FileEntry) -> bool {
        let folder = CompactedFolder::parse(&file.key.folder());
        let Ok(name) = RawFileName::parse(&file.key) else {
            return false;
        };
        folder.is_some_and(|folder| folder.topic == self.topic)
            && name.partition == self.partition
            && name.log == LogMark::of(&self.topic_id)
            && name.start == file.min_offset
            && Some(name.end) == file.max_offset.checked_add(1)
            && self.start <= file.min_offset
            && file.max_offset < self.end
            && file.rows > 0
    }
}
