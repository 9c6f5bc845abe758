//! The names of objects. Whoever reads a name trusts nothing in it: every part is parsed, and a name that the layout does not
//! have is no name.

mod folder;
mod raw_file;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

pub use folder::{FIRST_HOUR, RawFolder, Region};
pub use raw_file::{FileFormat, LogMark, RawFileName};

use crate::{ArchiveError, Result};

/// The longest key that S3 takes.
const MAX_KEY_BYTES: usize = 1_024;

/// The key of an object: segments of plain characters, separated by `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Reads a key: segments of `[A-Za-z0-9._=-]`, none of them empty, `.` or `..`.
    ///
    /// # Errors
    /// [`ArchiveError::Name`].
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._=-".contains(c);
        let fault = |reason| Err(name_fault("object key", text, reason));
        if text.len() > MAX_KEY_BYTES {
            return fault("it is longer than 1,024 bytes");
        }
        for segment in text.split('/') {
            if matches!(segment, "" | "." | "..") {
                return fault("a segment is empty or points elsewhere");
            }
            if !segment.chars().all(plain) {
                return fault("it has characters other than letters, digits and ._=-");
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The object with which a store is probed.
    pub(crate) fn probe(id: Uuid) -> Self {
        Self(format!("_probe/{}", id.simple()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder it lies in; a key without one is its own.
    #[must_use]
    pub fn folder(&self) -> Self {
        Self(
            self.0
                .rsplit_once('/')
                .map_or(&*self.0, |(folder, _)| folder)
                .to_owned(),
        )
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// A key below this one. `name` is made of parts that were parsed.
    pub(crate) fn join(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

pub(crate) fn name_fault(kind: &'static str, text: &str, reason: &'static str) -> ArchiveError {
    ArchiveError::Name {
        kind,
        text: text.chars().take(200).collect(),
        reason,
    }
}

/// A topic's name, as Kafka allows it: 1 to 249 of `[A-Za-z0-9._-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TopicName(String);

impl TopicName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`ArchiveError::Name`].
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if text.is_empty() || text.len() > 249 || matches!(text, "." | "..") {
            return Err(name_fault("topic", text, "a topic has 1 to 249 characters"));
        }
        if !text.chars().all(plain) {
            return Err(name_fault(
                "topic",
                text,
                "it has characters other than letters, digits and ._-",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder of the topic's files.
    #[must_use]
    pub fn raw_folder(&self) -> ObjectKey {
        ObjectKey(format!("raw/topic={self}"))
    }

    /// The folder of the topic's chains.
    #[must_use]
    pub fn manifest_folder(&self) -> ObjectKey {
        ObjectKey(format!("_manifests/topic={self}"))
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TopicName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Which log a topic's name stood for: the id that Kafka gave the topic when it was made, with the letters of URLs (`-` and `_`
/// for `+` and `/`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TopicId(String);

impl TopicId {
    /// Reads an id in either alphabet of base64.
    ///
    /// # Errors
    /// [`ArchiveError::Name`].
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let id: String = text
            .trim_end_matches('=')
            .chars()
            .map(|c| match c {
                '+' => '-',
                '/' => '_',
                c => c,
            })
            .collect();
        if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
            return Err(name_fault(
                "topic id",
                text,
                "an id is 1 to 64 letters of base64",
            ));
        }
        Ok(Self(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TopicId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// One partition of one log: what a chain archives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ChainId {
    /// The topic's name.
    pub topic: TopicName,
    /// Which log that was.
    pub topic_id: TopicId,
    /// The partition, from 0.
    pub partition: i32,
}

impl ChainId {
    /// The folder of the chain's manifests.
    #[must_use]
    pub fn folder(&self) -> ObjectKey {
        let Self {
            topic,
            topic_id,
            partition,
        } = self;
        ObjectKey(format!(
            "_manifests/topic={topic}/{topic_id}/{partition:05}"
        ))
    }

    /// The key of a manifest. Keys sort as their numbers do.
    #[must_use]
    pub fn manifest(&self, seq: u64) -> ObjectKey {
        self.folder().join(&format!("{seq:020}.json"))
    }

    /// The chain whose manifests lie in this folder.
    ///
    /// # Errors
    /// [`ArchiveError::Name`].
    pub fn of_folder(folder: &ObjectKey) -> Result<Self> {
        let fault = || {
            name_fault(
                "folder of a chain",
                folder.as_str(),
                "expected _manifests/topic=…/{id}/{partition}",
            )
        };
        let parts: Vec<&str> = folder.as_str().split('/').collect();
        let ["_manifests", topic, topic_id, partition] = parts[..] else {
            return Err(fault());
        };
        let chain = Self {
            topic: TopicName::parse(topic.strip_prefix("topic=").ok_or_else(fault)?)?,
            topic_id: TopicId::parse(topic_id)?,
            partition: partition.parse().map_err(|_digits| fault())?,
        };
        if chain.partition < 0 || chain.folder() != *folder {
            return Err(fault());
        }
        Ok(chain)
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// The number of the manifest with this key's name.
pub(crate) fn manifest_seq(key: &ObjectKey) -> Option<u64> {
    let digits = key.name().strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_point_elsewhere_are_refused() {
        for wrong in [
            "", "/a", "a/", "a//b", "a/../b", "..", "a/./b", "a b", "a%2fb", "a\\b", "ä",
        ] {
            assert!(ObjectKey::parse(wrong).is_err(), "{wrong}");
        }
        let key = ObjectKey::parse("raw/topic=t/region=_other/x.parquet").unwrap();
        assert_eq!(
            (key.folder().as_str(), key.name()),
            ("raw/topic=t/region=_other", "x.parquet")
        );
    }

    #[test]
    fn a_chain_is_found_again_by_its_folder() {
        let chain = ChainId {
            topic: TopicName::parse("game-events").unwrap(),
            topic_id: TopicId::parse("a+b/c==").unwrap(),
            partition: 7,
        };
        let key = chain.manifest(42);
        assert_eq!(
            key.as_str(),
            "_manifests/topic=game-events/a-b_c/00007/00000000000000000042.json"
        );
        assert_eq!(ChainId::of_folder(&key.folder()).unwrap(), chain);
        assert_eq!(manifest_seq(&key), Some(42));
        for wrong in [
            "_manifests/topic=t/x/7",
            "_manifests/topic=t/x/-0001",
            "raw/topic=t/x/00007",
        ] {
            assert!(
                ChainId::of_folder(&ObjectKey::parse(wrong).unwrap()).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn manifests_sort_as_their_numbers() {
        let chain = ChainId {
            topic: TopicName::parse("t").unwrap(),
            topic_id: TopicId::parse("i").unwrap(),
            partition: 0,
        };
        assert!(chain.manifest(9) < chain.manifest(10));
        assert!(chain.manifest(u64::MAX - 1) < chain.manifest(u64::MAX));
    }
}
