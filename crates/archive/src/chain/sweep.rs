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

/// What a file is to a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to another partition or another log, or is no file of records.
    Foreign,
    /// A link names it, or one still may.
    Kept,
    /// No link names it, and none ever can.
    Orphan,
}

impl Chain {
    /// Removes this chain's orphans from folders. Files of other partitions and other logs are left alone.
    ///
    /// # Errors
    /// What the store answered, or a damaged link: then nothing more is removed.
    pub async fn sweep(&self, folders: &BTreeSet<ObjectKey>) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut sweeper = Sweeper::new(self.clone()).await?;
        for folder in folders {
            let mut listed = self.store.list(folder);
            while let Some(object) = listed.try_next().await? {
                match sweeper.standing(&object.key).await? {
                    Standing::Foreign => {}
                    Standing::Kept => swept.kept += 1,
                    Standing::Orphan => {
                        self.store.delete(&object.key).await?;
                        swept.removed.push(object.key);
                    }
                }
            }
        }
        Ok(swept)
    }
}

/// Tells a chain's orphans from its other files. It remembers the links it has read.
#[derive(Debug)]
pub struct Sweeper {
    chain: Chain,
    mark: LogMark,
    last: Option<u64>,
    /// By their first offsets.
    links: BTreeMap<i64, Link>,
}

impl Sweeper {
    /// A sweeper that knows the chain as it is now; files that a later link may name are kept.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn new(chain: Chain) -> Result<Self> {
        Ok(Self {
            mark: LogMark::of(&chain.id.topic_id),
            last: chain.last_seq().await?,
            chain,
            links: BTreeMap::new(),
        })
    }

    /// What a file is to the chain.
    ///
    /// # Errors
    /// What the store answered, or a damaged link.
    pub async fn standing(&mut self, key: &ObjectKey) -> Result<Standing> {
        let Ok(name) = RawFileName::parse(key) else {
            return Ok(Standing::Foreign);
        };
        if name.partition != self.chain.id.partition || name.log != self.mark {
            return Ok(Standing::Foreign);
        }
        let Some(last) = self.last else {
            return Ok(Standing::Kept);
        };
        if self.link_of(name.start).is_none() {
            match self.chain.locate_within(name.start, last).await? {
                Place::Before => return Ok(Standing::Orphan),
                Place::Beyond => return Ok(Standing::Kept),
                Place::In(link) => drop(self.links.insert(link.manifest.start, *link)),
            }
        }
        let named = self
            .link_of(name.start)
            .is_some_and(|link| link.manifest.files.iter().any(|file| file.key == *key));
        Ok(if named {
            Standing::Kept
        } else {
            Standing::Orphan
        })
    }

    fn link_of(&self, offset: i64) -> Option<&Link> {
        let (_, link) = self.links.range(..=offset).next_back()?;
        (offset < link.manifest.end).then_some(link)
    }
}
