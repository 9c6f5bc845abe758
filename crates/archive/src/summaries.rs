//! Daily summaries: the finished games and player rows of one day and region, as Parquet.
//!
//! ```text
//! summaries/games/region=…/dt=…/{revision}-{part}-{writer}.parquet       a game a row, by the bytes of its id
//! summaries/players/region=…/dt=…/{revision}-{part}-{writer}.parquet     a player's game a row, by player, end and game
//! summaries/_manifests/dt=…/region=…/{revision}.json                     what counts
//! ```
//!
//! A day is written whole, as a *revision*, and written again as the next one when what it sums up has changed. The revision is the
//! manifest: it is created once (put-if-absent), names its files with their hashes, and carries the hash of the one before. Readers
//! take the newest; files of older ones stay for a while for those who read them at that moment ([`Summaries::sweep`]). Every row
//! says its revision, so whoever globs the folders keeps the rows of the highest one of each day and region.
//!
//! Rows are compared in key order, one by one, with what they were made from before that is removed: [`compare()`].

mod arrays;
mod compare;
mod draft;
mod find;
mod games;
mod layout;
mod manifest;
mod players;
mod read;
mod verify;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use futures::TryStreamExt as _;

use crate::keys::Region;
use crate::store::{ArchiveStore, Created};
use crate::{ArchiveError, Result, Sha256};

pub use compare::{Compared, Difference, compare};
pub use draft::{Draft, FileLimits};
pub use games::{GameRow, MadeMove, Seat};
pub use layout::{DayKey, Kind, RevisionNumber};
pub use manifest::{MadeFrom, SummaryFile, SummaryManifest};
pub use players::PlayerRow;
pub use read::{Rows, SummaryRow};
pub use verify::SummariesReport;

/// A revision of a day's summaries, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its manifest.
    pub manifest: SummaryManifest,
    /// The digest of the manifest's bytes.
    pub sha256: Sha256,
}

/// What became of a revision that was to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It stands.
    Mine(Box<Revision>),
    /// Somebody else has published this number: what was written counts for nothing and is swept.
    Taken,
}

/// The summaries of an archive. Clones share the store.
#[derive(Debug, Clone)]
pub struct Summaries {
    store: ArchiveStore,
}

impl Summaries {
    /// The summaries in a store.
    #[must_use]
    pub fn new(store: ArchiveStore) -> Self {
        Self { store }
    }

    /// The store they are in.
    #[must_use]
    pub fn store(&self) -> &ArchiveStore {
        &self.store
    }

    /// Which regions have summaries of a day, each with its newest revision's number.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn regions(&self, day: NaiveDate) -> Result<BTreeMap<Region, RevisionNumber>> {
        let mut found = BTreeMap::new();
        let mut listed = self.store.list(&layout::manifests_of_day(day));
        while let Some(object) = listed.try_next().await? {
            if let Some((key, revision)) = DayKey::of_manifest(&object.key) {
                let newest = found.entry(key.region).or_insert(revision);
                *newest = revision.max(*newest);
            }
        }
        Ok(found)
    }

    /// The newest revision of a day and region, if there is any.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] or what the store answered.
    pub async fn newest(&self, day: &DayKey) -> Result<Option<Revision>> {
        let mut newest = None;
        let mut listed = self.store.list(&day.manifests());
        while let Some(object) = listed.try_next().await? {
            if let Some((key, revision)) = DayKey::of_manifest(&object.key)
                && key == *day
            {
                newest = newest.max(Some(revision));
            }
        }
        match newest {
            Some(revision) => self.revision(day, revision).await.map(Some),
            None => Ok(None),
        }
    }

    /// One revision of a day and region.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::Damaged`] or what the store answered.
    pub async fn revision(&self, day: &DayKey, revision: RevisionNumber) -> Result<Revision> {
        let key = day.manifest(revision);
        let bytes = self.store.get(&key, manifest::MAX_BYTES).await?;
        let manifest = SummaryManifest::parse(day, revision, &bytes)?;
        let sha256 = Sha256::of(&bytes);
        Ok(Revision { manifest, sha256 })
    }

    /// Begins the revision after `previous`.
    #[must_use]
    pub fn draft(&self, day: DayKey, previous: Option<&Revision>, limits: FileLimits) -> Draft {
        Draft::new(self.store.clone(), day, previous, limits)
    }

    /// Makes a manifest count, unless its number is taken. When this fails it is unknown whether it counts: publish it again.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn publish(&self, manifest: SummaryManifest) -> Result<Published> {
        let key = manifest.day().manifest(manifest.revision);
        let bytes = bytes::Bytes::from(manifest.to_bytes());
        let sha256 = Sha256::of(&bytes);
        // "Exists" may be this writer's own try whose answer was lost.
        if self.store.create(&key, bytes.clone()).await? == Created::Exists
            && self.store.get(&key, manifest::MAX_BYTES).await? != bytes
        {
            return Ok(Published::Taken);
        }
        Ok(Published::Mine(Box::new(Revision { manifest, sha256 })))
    }

    /// Removes what counts for nothing any more: files of revisions older than the newest, if `superseded_too`, and files that no
    /// manifest names and, their number being taken, none can name later. Says how many.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] or what the store answered.
    pub async fn sweep(&self, day: &DayKey, superseded_too: bool) -> Result<u64> {
        let Some(newest) = self.newest(day).await? else {
            return Ok(0);
        };
        let mut named = std::collections::BTreeSet::new();
        named.extend(newest.manifest.keys().cloned());
        if !superseded_too {
            for number in 1..newest.manifest.revision.get() {
                let older = self.revision(day, RevisionNumber::new(number)).await?;
                named.extend(older.manifest.keys().cloned());
            }
        }
        let mut removed = 0;
        for kind in [Kind::Games, Kind::Players] {
            let files: Vec<_> = self.store.list(&day.files(kind)).try_collect().await?;
            for file in files {
                let numbered = day.revision_of_file(kind, &file.key);
                if numbered.is_some_and(|number| number <= newest.manifest.revision)
                    && !named.contains(&file.key)
                {
                    self.store.delete(&file.key).await?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// Says that a file can't be encoded.
fn encode_fault(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Encode {
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
