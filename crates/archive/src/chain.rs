//! The chain of a partition's manifests.
//!
//! ```text
//! 0 ◄── 1 ◄── 2 ◄── …      each carries the hash of the one before, and begins where it ended
//! ```
//!
//! A link is added by creating the object of the next number: the store lets one writer succeed. Whoever fails reads what is
//! there: its own link (a try whose answer was lost) means success, another's that this writer is *fenced*.

mod find;
mod head;
mod sweep;

use bytes::Bytes;

use crate::keys::{ChainId, ObjectKey};
use crate::manifest::{self, Manifest, Sha256};
use crate::store::{ArchiveStore, Created};
use crate::{ArchiveError, Result};

pub use find::{chains_of, topics_of};
pub use head::{Links, Place, follows};
pub use sweep::{Standing, Sweeper, Swept};

/// Where a chain ends: what the next link must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The number of the next link.
    pub next_seq: u64,
    /// The offset after the last archived one; none while the chain is empty.
    pub end: Option<i64>,
    /// The digest of the last link.
    pub sha256: Option<Sha256>,
}

impl Head {
    /// The head of a chain without links.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            next_seq: 0,
            end: None,
            sha256: None,
        }
    }
}

/// A manifest as it stands in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The manifest.
    pub manifest: Manifest,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl Link {
    /// The head of a chain that ends with this link.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            next_seq: self.manifest.seq + 1,
            end: Some(self.manifest.end),
            sha256: Some(self.sha256),
        }
    }
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The link stands; the chain ends here now.
    Mine(Head),
    /// Another writer has the place: what was to be appended counts for nothing, and never will.
    Fenced,
}

/// The chain of one partition.
#[derive(Debug, Clone)]
pub struct Chain {
    store: ArchiveStore,
    id: ChainId,
}

impl Chain {
    /// The chain of a partition in a store.
    #[must_use]
    pub fn new(store: ArchiveStore, id: ChainId) -> Self {
        Self { store, id }
    }

    /// Which partition of which log it is.
    #[must_use]
    pub fn id(&self) -> &ChainId {
        &self.id
    }

    /// The store it is in.
    #[must_use]
    pub fn store(&self) -> &ArchiveStore {
        &self.store
    }

    /// A manifest's key.
    #[must_use]
    pub fn key(&self, seq: u64) -> ObjectKey {
        self.id.manifest(seq)
    }

    /// Reads a link.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`] where there is none, [`ArchiveError::Damaged`], or what the store answered.
    pub async fn read(&self, seq: u64) -> Result<Link> {
        let bytes = self.store.get(&self.key(seq), manifest::MAX_BYTES).await?;
        let manifest = Manifest::parse(&self.id, seq, &bytes)?;
        let sha256 = Sha256::of(&bytes);
        Ok(Link { manifest, sha256 })
    }

    /// Appends a manifest behind `head`. When this fails it is unknown whether the link stands: append the same one again.
    ///
    /// # Errors
    /// What the store answered.
    ///
    /// # Panics
    /// When the manifest does not follow the head: a link that breaks the chain must not be written.
    pub async fn append(&self, head: &Head, manifest: &Manifest) -> Result<Appended> {
        assert!(
            manifest.seq == head.next_seq
                && head.end.is_none_or(|end| end == manifest.start)
                && manifest.previous_sha256 == head.sha256
                && manifest.chain() == self.id,
            "the manifest does not follow the head"
        );
        let (key, bytes) = (self.key(manifest.seq), Bytes::from(manifest.to_bytes()));
        let mine = Link {
            manifest: manifest.clone(),
            sha256: Sha256::of(&bytes),
        };
        if self.store.create(&key, bytes.clone()).await? == Created::New {
            return Ok(Appended::Mine(mine.head()));
        }
        // A store may answer "exists" to the second try of a create whose first answer was lost, or while two race (409).
        match self.store.get(&key, manifest::MAX_BYTES).await {
            Ok(there) if there == bytes => {
                tracing::info!(%key, "the link stands already: the answer to an earlier try was lost");
                Ok(Appended::Mine(mine.head()))
            }
            Ok(_) => Ok(Appended::Fenced),
            Err(ArchiveError::Missing { key }) => Err(ArchiveError::Store {
                operation: "creating",
                key,
                source: object_store::Error::Generic {
                    store: "archive",
                    source: "it is said to exist and can't be read".into(),
                },
            }),
            Err(ArchiveError::TooLarge { .. }) => Ok(Appended::Fenced),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
