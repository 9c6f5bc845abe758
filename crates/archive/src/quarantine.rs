//! Files that are not what their links say, moved out of everybody's way.
//!
//! ```text
//! quarantine/raw/topic=…/…parquet         the bytes that stood there
//! quarantine/raw/topic=…/…parquet.json    why, by whom, when, and what their digest is
//! ```
//!
//! A damaged or hostile file lies where other tools glob for files, and a link names it for ever. An operator moves it aside: the note
//! is written first, then the bytes are copied, then the file is removed, so each step may be repeated. Nothing is passed over in
//! silence by that. Whoever reads the log stops at the file as before, and is told that it is in quarantine and why
//! ([`ArchiveError::Quarantined`]); a verification names it. It is whole again as soon as the bytes that its link names stand at its
//! place: the note stays as history. A file of summaries goes the same way; its day's next revision does without it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::keys::ObjectKey;
use crate::manifest::{FileEntry, Sha256};
use crate::store::{ArchiveStore, Created};
use crate::summaries::SummaryFile;
use crate::{ArchiveError, Result};

const VERSION: u32 = 1;
const MAX_BYTES: u64 = 1 << 16;

/// Why a file was moved aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The version of this form.
    pub version: u32,
    /// Where it stood.
    pub key: ObjectKey,
    /// The size that its link gives it.
    pub bytes: u64,
    /// The digest that its link gives it.
    pub sha256: Sha256,
    /// The size that was found.
    pub found_bytes: u64,
    /// The digest that was found.
    pub found_sha256: Sha256,
    /// What is wrong with it.
    pub reason: String,
    /// Who moved it.
    pub moved_by: String,
    /// When.
    pub moved_at: DateTime<Utc>,
}

/// What names a file says of it: a link, a compaction, or a revision of summaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The file.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl From<&FileEntry> for Named {
    fn from(file: &FileEntry) -> Self {
        let (key, bytes, sha256) = (file.key.clone(), file.bytes, file.sha256);
        Self { key, bytes, sha256 }
    }
}

impl From<&SummaryFile> for Named {
    fn from(file: &SummaryFile) -> Self {
        let (key, bytes, sha256) = (file.key.clone(), file.bytes, file.sha256);
        Self { key, bytes, sha256 }
    }
}

/// What came of an attempt to move a file aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It is out of the way.
    Aside(Box<Quarantined>),
    /// Its bytes are those that its link names: it stays.
    Whole,
}

/// The bytes that `key` had.
///
/// # Errors
/// [`ArchiveError::Name`] when the key is too long already.
pub fn place_of(key: &ObjectKey) -> Result<ObjectKey> {
    ObjectKey::parse(&format!("quarantine/{key}"))
}

fn note_of(key: &ObjectKey) -> Result<ObjectKey> {
    ObjectKey::parse(&format!("quarantine/{key}.json"))
}

/// Why a file is in quarantine; none where it never was.
///
/// # Errors
/// [`ArchiveError::Damaged`] when the note can't be read, or what the store answered.
pub async fn why(store: &ArchiveStore, key: &ObjectKey) -> Result<Option<Quarantined>> {
    let note = note_of(key)?;
    let bytes = match store.get(&note, MAX_BYTES).await {
        Ok(bytes) => bytes,
        Err(ArchiveError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let found: Quarantined = serde_json::from_slice(&bytes)
        .map_err(|error| ArchiveError::damaged(&note, error.to_string()))?;
    if found.version != VERSION || found.key != *key {
        return Err(ArchiveError::damaged(
            &note,
            "it is of another file or version",
        ));
    }
    Ok(Some(found))
}

/// Moves a file aside that is named and is not what is said of it.
///
/// # Errors
/// [`ArchiveError::Missing`] when nothing stands there and nothing was moved before, or what the store answered: move it again then.
pub async fn move_aside(
    store: &ArchiveStore,
    file: &Named,
    reason: &str,
    moved_by: &str,
    now: DateTime<Utc>,
) -> Result<Moved> {
    let (found_bytes, found_sha256) = match digest(store, &file.key).await {
        Ok(found) => found,
        // Moved before; what was left to do then is done.
        Err(ArchiveError::Missing { key }) => {
            let note = why(store, &file.key).await?;
            let note = note.ok_or(ArchiveError::Missing { key })?;
            return Ok(Moved::Aside(Box::new(note)));
        }
        Err(error) => return Err(error),
    };
    if (found_bytes, found_sha256) == (file.bytes, file.sha256) {
        return Ok(Moved::Whole);
    }
    let mut note = Quarantined {
        version: VERSION,
        key: file.key.clone(),
        bytes: file.bytes,
        sha256: file.sha256,
        found_bytes,
        found_sha256,
        reason: reason.to_owned(),
        moved_by: moved_by.to_owned(),
        moved_at: now,
    };
    let text = serde_json::to_string_pretty(&note).map_err(|error| ArchiveError::Encode {
        reason: error.to_string(),
    })?;
    let created = store
        .create(&note_of(&file.key)?, (text + "\n").into())
        .await?;
    if created == Created::Exists
        && let Some(before) = why(store, &file.key).await?
    {
        note = before;
    }
    store.copy(&file.key, &place_of(&file.key)?).await?;
    store.delete(&file.key).await?;
    Ok(Moved::Aside(Box::new(note)))
}

/// An object's size and digest, read piece by piece.
async fn digest(store: &ArchiveStore, key: &ObjectKey) -> Result<(u64, Sha256)> {
    use futures::TryStreamExt as _;
    let (_, mut pieces) = store.stream(key).await?;
    let (mut bytes, mut digest) = (0, sha2::Sha256::new());
    while let Some(piece) = pieces.try_next().await? {
        bytes += piece.len() as u64;
        digest.update(&piece);
    }
    Ok((bytes, Sha256::from_digest(digest.finalize().into())))
}

/// Says of a file that is not there that it is in quarantine, where it is. Any other error stays as it is.
pub(crate) async fn explain(
    store: &ArchiveStore,
    key: &ObjectKey,
    error: ArchiveError,
) -> ArchiveError {
    if !matches!(error, ArchiveError::Missing { .. }) {
        return error;
    }
    match why(store, key).await {
        Ok(Some(note)) => ArchiveError::Quarantined {
            key: key.to_string(),
            detail: format!(
                "{} ({}, {})",
                note.reason,
                note.moved_by,
                note.moved_at.format("%Y-%m-%d %H:%M UTC")
            ),
        },
        Ok(None) => error,
        Err(unreadable) => unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{FileFormat, ReadLimits};
    use crate::log::testing::{append, chain};
    use crate::log::{LogReader, NoTail};
    use crate::verify::{Depth, verify_chain};

    #[tokio::test]
    async fn a_hostile_file_is_named_moved_aside_and_named_again_until_its_bytes_are_back() {
        for format in [FileFormat::Parquet, FileFormat::Jsonl] {
            let chain = chain();
            for end in [40, 90] {
                append(&chain, format, end).await;
            }
            let files = chain.read(1).await.unwrap().manifest.files;
            let (victim, store) = (&Named::from(&files[1]), chain.store());
            let whole = store.get(&victim.key, 1 << 20).await.unwrap();
            let read = async || {
                let limits = ReadLimits::default();
                let mut reader = LogReader::new(chain.clone(), NoTail, 0, limits);
                loop {
                    match reader.next().await {
                        Ok(Some(_)) => {}
                        Ok(None) => return Ok(reader.position()),
                        Err(error) => return Err(error),
                    }
                }
            };
            let verified = async || {
                let limits = ReadLimits::default();
                let report = verify_chain(&chain, Depth::Records, limits, &|_| {}).await;
                report.unwrap().faults
            };
            let now = DateTime::UNIX_EPOCH;
            let aside = async || {
                move_aside(store, victim, "zip bomb", "ann", now)
                    .await
                    .unwrap()
            };
            assert_eq!(aside().await, Moved::Whole);

            store
                .put(&victim.key, whole.slice(..whole.len() / 2))
                .await
                .unwrap();
            assert!(
                read()
                    .await
                    .unwrap_err()
                    .to_string()
                    .contains(victim.key.as_str())
            );
            let Moved::Aside(note) = aside().await else {
                panic!("it stays");
            };
            assert_eq!(
                (note.found_bytes, note.bytes),
                (whole.len() as u64 / 2, victim.bytes)
            );
            // Moving it again changes nothing.
            assert_eq!(aside().await, Moved::Aside(note));
            let kept = store.get(&place_of(&victim.key).unwrap(), 1 << 20).await;
            assert_eq!(kept.unwrap(), whole.slice(..whole.len() / 2));

            let error = read().await.unwrap_err();
            assert!(matches!(error, ArchiveError::Quarantined { .. }), "{error}");
            assert!(error.to_string().contains("zip bomb (ann"), "{error}");
            let faults = verified().await;
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].key, victim.key.to_string());
            assert!(faults[0].detail.contains("quarantine"), "{faults:?}");

            store.put(&victim.key, whole).await.unwrap();
            assert_eq!(read().await.unwrap(), 90);
            assert_eq!(verified().await, []);
        }
    }
}
