//! Many small files of a stretch of a chain, written again as few large ones.
//!
//! ```text
//! compacted/topic=…/region=…/dt=…/{partition}-{start}-{end}-{log}-{writer}-{attempt}.parquet    the same records, by region and day
//! _compactions/topic=…/{topic_id}/{partition}/{seq}.json                                        what counts
//! _compactions/topic=…/{topic_id}/{partition}/{seq}.removed.json                                the inputs are gone
//! ```
//!
//! A *compaction* takes the place of the links from `first_link` to `last_link`: its files hold the same records. The compactions of a
//! partition are a chain of their own over a prefix of the links, created like them with put-if-absent. So a reader who asks
//! [`Compactions::covering`] for an offset sees the old files or the new ones, never some of each: below the compactions' end it takes
//! theirs, above it the links'. The links themselves stay for ever; their files go a grace time after the compaction stands, and a reader
//! who finds one gone asks again. Nothing here decides what is compacted or when: that is the archiver's job.

mod manifest;

use bytes::Bytes;
use futures::TryStreamExt as _;

use crate::chain::Chain;
use crate::keys::{ChainId, ObjectKey};
use crate::manifest::FileEntry;
use crate::store::{ArchiveStore, Created};
use crate::{ArchiveError, Result, Sha256};

pub use manifest::{CompactedFolder, Compaction, VERSION};

/// Where the compactions of a partition end: what the next one must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactedHead {
    /// The number of the next compaction.
    pub next_seq: u64,
    /// The first link that is not compacted.
    pub next_link: u64,
    /// The offset after the last compacted one; none before the first compaction.
    pub end: Option<i64>,
    /// The digest of the last compaction.
    pub sha256: Option<Sha256>,
}

/// What became of a compaction that was to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compacted {
    /// It stands.
    Mine(CompactedHead),
    /// Somebody else's stands in its place: what was written counts for nothing.
    Fenced,
}

/// The compactions of one partition.
#[derive(Debug, Clone)]
pub struct Compactions {
    store: ArchiveStore,
    chain: ChainId,
}

impl Compactions {
    /// The compactions of a chain.
    #[must_use]
    pub fn new(store: ArchiveStore, chain: ChainId) -> Self {
        Self { store, chain }
    }

    /// The compactions of a chain, in its store.
    #[must_use]
    pub fn of(chain: &Chain) -> Self {
        Self::new(chain.store().clone(), chain.id().clone())
    }

    /// The chain that is compacted.
    #[must_use]
    pub fn chain(&self) -> &ChainId {
        &self.chain
    }

    /// The key of a compaction.
    #[must_use]
    pub fn key(&self, seq: u64) -> ObjectKey {
        self.folder().join(&format!("{seq:020}.json"))
    }

    fn folder(&self) -> ObjectKey {
        manifest::folder(&self.chain)
    }

    fn removed_key(&self, seq: u64) -> ObjectKey {
        self.folder().join(&format!("{seq:020}.removed.json"))
    }

    /// The number of the last compaction. There is about one a day, so all are listed.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn last_seq(&self) -> Result<Option<u64>> {
        let mut last = None;
        let mut listed = self.store.list(&self.folder());
        while let Some(object) = listed.try_next().await? {
            last = last.max(crate::keys::manifest_seq(&object.key));
        }
        Ok(last)
    }

    /// Reads a compaction.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::Damaged`] or what the store answered.
    pub async fn read(&self, seq: u64) -> Result<(Compaction, Sha256)> {
        let key = self.key(seq);
        let bytes = self.store.get(&key, manifest::MAX_BYTES).await?;
        let compaction = Compaction::parse(&self.chain, seq, &key, &bytes)?;
        Ok((compaction, Sha256::of(&bytes)))
    }

    /// Where the compactions end.
    ///
    /// # Errors
    /// Like [`Compactions::read`].
    pub async fn head(&self) -> Result<CompactedHead> {
        let Some(last) = self.last_seq().await? else {
            return Ok(CompactedHead {
                next_seq: 0,
                next_link: 0,
                end: None,
                sha256: None,
            });
        };
        let (compaction, sha256) = self.read(last).await?;
        Ok(compaction.head(sha256))
    }

    /// The compaction that holds an offset; none where the links' own files do.
    ///
    /// # Errors
    /// Like [`Compactions::read`].
    pub async fn covering(&self, offset: i64) -> Result<Option<Compaction>> {
        let Some(last) = self.last_seq().await? else {
            return Ok(None);
        };
        let (mut low, mut high) = (0, last + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let (compaction, _) = self.read(middle).await?;
            if offset < compaction.start {
                high = middle;
            } else if offset >= compaction.end {
                low = middle + 1;
            } else {
                return Ok(Some(compaction));
            }
        }
        Ok(None)
    }

    /// Appends a compaction behind `head`. When this fails it is unknown whether it stands: append the same one again.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] when it does not follow the head, or what the store answered.
    pub async fn append(&self, head: &CompactedHead, compaction: &Compaction) -> Result<Compacted> {
        let key = self.key(compaction.seq);
        if let Some(fault) = compaction.does_not_follow(head) {
            return Err(ArchiveError::damaged(&key, fault));
        }
        let bytes = Bytes::from(compaction.to_bytes());
        // What can't be read back must not be written.
        Compaction::parse(&self.chain, compaction.seq, &key, &bytes)?;
        let mine = compaction.head(Sha256::of(&bytes));
        if self.store.create(&key, bytes.clone()).await? == Created::New
            || self.store.get(&key, manifest::MAX_BYTES).await? == bytes
        {
            return Ok(Compacted::Mine(mine));
        }
        Ok(Compacted::Fenced)
    }

    /// Whether the files that a compaction replaced were removed, or are being removed: they may be gone.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn inputs_removed(&self, seq: u64) -> Result<bool> {
        match self.store.size(&self.removed_key(seq)).await {
            Ok(_) => Ok(true),
            Err(ArchiveError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Says that the replaced files of a compaction are being removed. From then on none of them can be counted on.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn note_inputs_removed(
        &self,
        seq: u64,
        at: chrono::DateTime<chrono::Utc>,
    ) -> Result<()> {
        let note = serde_json::json!({ "version": VERSION, "removed_at": at });
        let bytes = Bytes::from(format!("{note}\n"));
        self.store.create(&self.removed_key(seq), bytes).await?;
        Ok(())
    }
}

/// Compares a file with the size and the digest that its manifest has, reading it piece by piece.
///
/// # Errors
/// [`ArchiveError::Missing`] or [`ArchiveError::Damaged`] with the file's name, or what the store answered.
pub async fn check_digest(store: &ArchiveStore, file: &FileEntry) -> Result<()> {
    use sha2::Digest as _;
    let (size, mut pieces) = store.stream(&file.key).await?;
    if size != file.bytes {
        let detail = format!("it has {size} bytes and should have {}", file.bytes);
        return Err(ArchiveError::damaged(&file.key, detail));
    }
    let mut digest = sha2::Sha256::new();
    while let Some(piece) = pieces.try_next().await? {
        digest.update(&piece);
    }
    if Sha256::from_digest(digest.finalize().into()) != file.sha256 {
        return Err(ArchiveError::damaged(
            &file.key,
            "its bytes are not those that the manifest has the digest of",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
