//! Records that were let go when they had grown old enough, where somebody has decided that they shall.
//!
//! ```text
//! _expired/topic=…/{topic_id}/{partition}/{seq}.json      files of links below `links` are gone
//! ```
//!
//! The links stay for ever and tell what there was. An expiry says that the files of all links below a number, and what compactions
//! made of them, are gone on purpose: it is created, with put-if-absent, before the first of them is removed. Whoever reads the log passes
//! over what lies below its `end`; whoever verifies asks for files from there on only. The newest expiry counts; each lies above the last.

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chain::Chain;
use crate::keys::{ChainId, ObjectKey};
use crate::store::{ArchiveStore, Created};
use crate::{ArchiveError, Result};

const VERSION: u32 = 1;
const MAX_BYTES: u64 = 1 << 16;

/// What was let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// The version of this form.
    pub version: u32,
    /// The expiry's number, from 0.
    pub seq: u64,
    /// Links below this number have no files any more.
    pub links: u64,
    /// The first offset that is still there: where that link begins.
    pub end: i64,
    /// Days before this one were let go.
    pub before: NaiveDate,
    /// When that was decided.
    pub expired_at: DateTime<Utc>,
    /// The process that decided it.
    pub writer: Uuid,
}

impl Expiry {
    /// What is let go after `last`: the links below `links`, of days before `before`.
    #[must_use]
    pub fn after(
        last: Option<&Self>,
        links: u64,
        end: i64,
        before: NaiveDate,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            version: VERSION,
            seq: last.map_or(0, |last| last.seq + 1),
            links,
            end,
            before,
            expired_at: at,
            writer: Uuid::now_v7(),
        }
    }
}

/// The expiries of one partition.
#[derive(Debug, Clone)]
pub struct Expiries {
    store: ArchiveStore,
    chain: ChainId,
}

impl Expiries {
    /// The expiries of a chain.
    #[must_use]
    pub fn new(store: ArchiveStore, chain: ChainId) -> Self {
        Self { store, chain }
    }

    /// The expiries of a chain, in its store.
    #[must_use]
    pub fn of(chain: &Chain) -> Self {
        Self::new(chain.store().clone(), chain.id().clone())
    }

    fn folder(&self) -> Result<ObjectKey> {
        let ChainId {
            topic,
            topic_id,
            partition,
        } = &self.chain;
        ObjectKey::parse(&format!("_expired/topic={topic}/{topic_id}/{partition:05}"))
    }

    /// The newest one; none where everything is there.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] or what the store answered.
    pub async fn newest(&self) -> Result<Option<Expiry>> {
        let mut newest = None;
        let mut listed = self.store.list(&self.folder()?);
        while let Some(object) = listed.try_next().await? {
            if let Some(seq) = crate::keys::manifest_seq(&object.key) {
                newest = newest.max(Some((seq, object.key)));
            }
        }
        let Some((seq, key)) = newest else {
            return Ok(None);
        };
        let bytes = self.store.get(&key, MAX_BYTES).await?;
        let expiry: Expiry = serde_json::from_slice(&bytes)
            .map_err(|error| ArchiveError::damaged(&key, error.to_string()))?;
        if expiry.version != VERSION || expiry.seq != seq || expiry.end < 0 {
            return Err(ArchiveError::damaged(
                &key,
                "it belongs to another place or version",
            ));
        }
        Ok(Some(expiry))
    }

    /// Notes what is to be let go. False when somebody else has noted something since: read the newest one again.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] when it does not lie above the last one, or what the store answered.
    pub async fn note(&self, last: Option<&Expiry>, expiry: &Expiry) -> Result<bool> {
        let key = self.folder()?.join(&format!("{:020}.json", expiry.seq));
        let above = last.is_none_or(|last| {
            last.seq + 1 == expiry.seq && last.links < expiry.links && last.end < expiry.end
        });
        if !above {
            return Err(ArchiveError::damaged(
                &key,
                "it does not lie above the last one",
            ));
        }
        let text = serde_json::to_string_pretty(expiry).map_err(|error| ArchiveError::Encode {
            reason: error.to_string(),
        })?;
        let bytes = Bytes::from(text + "\n");
        Ok(
            self.store.create(&key, bytes.clone()).await? == Created::New
                || self.store.get(&key, MAX_BYTES).await? == bytes,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{TopicId, TopicName};

    fn expiries(folder: &tempfile::TempDir) -> Expiries {
        let chain = ChainId {
            topic: TopicName::parse("game-events").unwrap(),
            topic_id: TopicId::parse("id").unwrap(),
            partition: 3,
        };
        Expiries::new(crate::testing::store_or(folder), chain)
    }

    #[tokio::test]
    async fn the_newest_counts_and_each_lies_above_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let expiries = expiries(&folder);
        assert_eq!(expiries.newest().await.unwrap(), None);
        let next = |last: Option<&Expiry>, links, end| {
            Expiry::after(last, links, end, NaiveDate::default(), DateTime::UNIX_EPOCH)
        };
        let first = next(None, 4, 100);
        assert!(expiries.note(None, &first).await.unwrap());
        // One's own try again, and another's in the same place.
        assert!(expiries.note(None, &first).await.unwrap());
        assert!(!expiries.note(None, &next(None, 5, 200)).await.unwrap());
        let second = next(Some(&first), 9, 300);
        assert!(expiries.note(Some(&first), &second).await.unwrap());
        assert_eq!(expiries.newest().await.unwrap(), Some(second.clone()));
        for below in [next(Some(&second), 9, 400), next(Some(&second), 10, 300)] {
            assert!(expiries.note(Some(&second), &below).await.is_err());
        }
    }
}
