//! Removing the files of attempts that never came to count.
//!
//! A file that no manifest names is garbage once the chain ends above the file's lowest offset: the one link that could have
//! named it stands already, and links never change. No clock decides: a writer may be stopped for a week and still finish.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;

use super::head::Place;
use super::{Chain, Link};
use crate::Result;
use crate::keys::{LogMark, ObjectKey, RawFileName};

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// The files it removed.
    pub removed: Vec<ObjectKey>,
    /// How many files of the partition it left.
    pub kept: u64,
}

impl Chain {
    /// Removes this chain's orphans from folders. Files of other partitions and other logs are left alone.
    ///
    /// # Errors
    /// What the store answered, or a damaged link: then nothing more is removed.
    pub async fn sweep(&self, folders: &BTreeSet<ObjectKey>) -> Result<Swept> {
        let mut swept = Swept::default();
        let Some(last) = self.last_seq().await? else {
            return Ok(swept);
        };
        let mark = LogMark::of(&self.id.topic_id);
        let mut links = Seen::default();
        for folder in folders {
            let mut listed = self.store.list(folder);
            while let Some(object) = listed.try_next().await? {
                let Ok(name) = RawFileName::parse(&object.key) else {
                    continue;
                };
                if name.partition != self.id.partition || name.log != mark {
                    continue;
                }
                if self
                    .is_orphan(&object.key, name.start, last, &mut links)
                    .await?
                {
                    self.store.delete(&object.key).await?;
                    swept.removed.push(object.key);
                } else {
                    swept.kept += 1;
                }
            }
        }
        Ok(swept)
    }

    async fn is_orphan(
        &self,
        key: &ObjectKey,
        start: i64,
        last: u64,
        seen: &mut Seen,
    ) -> Result<bool> {
        if let Some(link) = seen.link_of(start) {
            return Ok(!names(link, key));
        }
        match self.locate_within(start, last).await? {
            Place::Before => Ok(true),
            Place::Beyond => Ok(false),
            Place::In(link) => {
                let orphan = !names(&link, key);
                seen.0.insert(link.manifest.start, *link);
                Ok(orphan)
            }
        }
    }
}

fn names(link: &Link, key: &ObjectKey) -> bool {
    link.manifest.files.iter().any(|file| file.key == *key)
}

/// Links that were read already, by their first offset.
#[derive(Debug, Default)]
struct Seen(BTreeMap<i64, Link>);

impl Seen {
    fn link_of(&self, offset: i64) -> Option<&Link> {
        let (_, link) = self.0.range(..=offset).next_back()?;
        (offset < link.manifest.end).then_some(link)
    }
}
