//! Finding a place in a chain: its end, the link of an offset, the links one after the other.

use futures::TryStreamExt as _;

use super::{Chain, Head, Link};
use crate::keys::manifest_seq;
use crate::{ArchiveError, Result};

/// A step of the search that one page of a listing covers.
const PAGE: u64 = 512;

/// Where an offset lies in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Below the first link: never archived, and never will be.
    Before,
    /// In this link.
    In(Box<Link>),
    /// At or above the end: not archived yet.
    Beyond,
}

impl Chain {
    /// Where the chain ends.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] when the last link can't be trusted, or what the store answered.
    pub async fn head(&self) -> Result<Head> {
        match self.last_seq().await? {
            Some(seq) => Ok(self.read(seq).await?.head()),
            None => Ok(Head::empty()),
        }
    }

    /// The number of the last link.
    ///
    /// The end is the highest number there is, not the first that is missing: a hole in a damaged chain must not be taken for
    /// its end and written to. A year of a busy partition is 100,000 links, so the listing begins where the links end.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn last_seq(&self) -> Result<Option<u64>> {
        let mut last = None;
        if self.store.lists_in_pages() {
            let mut step = PAGE;
            while let Some(seq) = self.any_after(last.unwrap_or(0) + step).await? {
                last = Some(seq);
                step *= 4;
            }
            // Nothing stands above `last + step`, from here on to the end.
            while step > PAGE {
                step /= 2;
                last = self.any_after(last.unwrap_or(0) + step).await?.or(last);
            }
        }
        let folder = self.id.folder();
        let mut listed = match last {
            Some(seq) => self.store.list_after(&folder, &self.key(seq)),
            None => self.store.list(&folder),
        };
        while let Some(object) = listed.try_next().await? {
            last = last.max(manifest_seq(&object.key));
        }
        Ok(last)
    }

    /// The number of some link after this one.
    async fn any_after(&self, seq: u64) -> Result<Option<u64>> {
        let mut listed = self.store.list_after(&self.id.folder(), &self.key(seq));
        while let Some(object) = listed.try_next().await? {
            if let Some(found) = manifest_seq(&object.key) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where an offset lies. Reads about as many links as the logarithm of their number.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] or [`ArchiveError::Missing`] when a link on the way can't be trusted, or what the store
    /// answered.
    pub async fn locate(&self, offset: i64) -> Result<Place> {
        let Some(last) = self.last_seq().await? else {
            return Ok(Place::Beyond);
        };
        self.locate_within(offset, last).await
    }

    /// The same, when the number of the last link is known.
    ///
    /// # Errors
    /// Like [`Chain::locate`].
    pub async fn locate_within(&self, offset: i64, last: u64) -> Result<Place> {
        let (mut low, mut high) = (0, last);
        loop {
            // Most questions are about the newest link, so it is looked at first.
            let middle = if high == last {
                last
            } else {
                low + (high - low) / 2
            };
            let link = self.read(middle).await?;
            if offset < link.manifest.start {
                if middle == 0 {
                    return Ok(Place::Before);
                }
                high = middle - 1;
            } else if offset >= link.manifest.end {
                if middle == last {
                    return Ok(Place::Beyond);
                }
                low = middle + 1;
            } else {
                return Ok(Place::In(Box::new(link)));
            }
            if low > high {
                let detail =
                    format!("no link holds offset {offset}, which lies between two of them");
                return Err(ArchiveError::damaged(&self.id.folder(), detail));
            }
        }
    }

    /// The links from `seq` on.
    #[must_use]
    pub fn links(&self, seq: u64) -> Links {
        Links {
            chain: self.clone(),
            next: seq,
            previous: None,
        }
    }
}

/// The links of a chain one after the other, each compared with the one before.
#[derive(Debug)]
pub struct Links {
    chain: Chain,
    next: u64,
    previous: Option<Head>,
}

impl Links {
    /// The next link; none at the end of the chain.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] when the link does not follow the one before, or what the store answered.
    pub async fn next(&mut self) -> Result<Option<Link>> {
        let link = match self.chain.read(self.next).await {
            Ok(link) => link,
            Err(ArchiveError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(previous) = &self.previous
            && let Some(fault) = follows(previous, &link)
        {
            return Err(ArchiveError::damaged(&self.chain.key(self.next), fault));
        }
        self.next += 1;
        self.previous = Some(link.head());
        Ok(Some(link))
    }
}

/// What keeps a link from standing behind a head.
#[must_use]
pub fn follows(head: &Head, link: &Link) -> Option<String> {
    let manifest = &link.manifest;
    if let Some(end) = head.end
        && end != manifest.start
    {
        let kind = if manifest.start > end {
            "a gap"
        } else {
            "an overlap"
        };
        return Some(format!(
            "{kind}: the link before ends at offset {end}, this one begins at {}",
            manifest.start
        ));
    }
    if manifest.previous_sha256 != head.sha256 {
        return Some(
            "the link before has another hash than this one says: one of the two was changed"
                .to_owned(),
        );
    }
    None
}
