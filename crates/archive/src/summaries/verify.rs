//! Proving that the summaries are what their manifests say, and finding out cheaply that they can't be.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use serde::Serialize;

use super::games::GameRow;
use super::layout::{self, DayKey, Kind, RevisionNumber};
use super::manifest::SummaryFile;
use super::players::PlayerRow;
use super::read::{SummaryRow, whole_file};
use super::{Revision, Summaries};
use crate::keys::ObjectKey;
use crate::verify::{Depth, Fault, Told, blame};
use crate::{ArchiveError, Result};

/// What a verification of the summaries found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SummariesReport {
    /// How many days and regions there are.
    pub days: u64,
    /// How many files their newest revisions name.
    pub files: u64,
    /// How many games they have, as the manifests say.
    pub games: u64,
    /// How many player rows.
    pub player_rows: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Summaries {
    /// Every day and region that has summaries, with its newest revision's number.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn days(&self) -> Result<BTreeMap<DayKey, RevisionNumber>> {
        let mut found = BTreeMap::new();
        let mut listed = self.store.list(&layout::manifests());
        while let Some(object) = listed.try_next().await? {
            if let Some((day, revision)) = DayKey::of_manifest(&object.key) {
                let newest = found.entry(day).or_insert(revision);
                *newest = revision.max(*newest);
            }
        }
        Ok(found)
    }

    /// Verifies the newest revision of every day and region. Each object that is to blame is named; the memory it takes is that of one
    /// file.
    ///
    /// # Errors
    /// When the store can't be asked.
    pub async fn verify(&self, depth: Depth, told: Told<'_>) -> Result<SummariesReport> {
        let mut report = SummariesReport::default();
        for (day, number) in self.days().await? {
            report.days += 1;
            let revision = match self.revision(&day, number).await {
                Ok(revision) => revision,
                Err(error) => {
                    report.blame(&day.manifest(number), error)?;
                    continue;
                }
            };
            report.games += revision.manifest.rows(Kind::Games);
            report.player_rows += revision.manifest.rows(Kind::Players);
            for kind in [Kind::Games, Kind::Players] {
                for file in revision.manifest.files(kind) {
                    report.files += 1;
                    let looked = match (depth, kind) {
                        (Depth::Links, _) => continue,
                        (Depth::Checksums, _) => whole_file(&self.store, file).await.map(drop),
                        (Depth::Records, Kind::Games) => self.read_file::<GameRow>(file).await,
                        (Depth::Records, Kind::Players) => self.read_file::<PlayerRow>(file).await,
                    };
                    if let Err(error) = looked {
                        report.blame(&file.key, error)?;
                    }
                    told(file.bytes);
                }
            }
        }
        Ok(report)
    }

    /// Reads every row of a file.
    async fn read_file<R: SummaryRow>(&self, file: &SummaryFile) -> Result<()> {
        let mut rows = self.rows_of::<R>(std::slice::from_ref(file));
        let mut last: Option<R::Key> = None;
        while let Some(row) = rows.next().await? {
            let key = row.key();
            if last.as_ref().is_some_and(|last| *last >= key) {
                let detail = format!("{key:?} is out of order or there twice");
                return Err(ArchiveError::damaged(&file.key, detail));
            }
            last = Some(key);
        }
        Ok(())
    }

    /// A file that a revision names and that is not there with the size it says, if a listing shows one: it was lost, cut or moved aside.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn lacking(&self, revision: &Revision) -> Result<Option<ObjectKey>> {
        let (day, manifest) = (revision.manifest.day(), &revision.manifest);
        for kind in [Kind::Games, Kind::Players] {
            let mut wanted: BTreeSet<(ObjectKey, u64)> = manifest
                .files(kind)
                .iter()
                .map(|file| (file.key.clone(), file.bytes))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let mut listed = self.store.list(&day.files(kind));
            while let Some(object) = listed.try_next().await? {
                wanted.remove(&(object.key, object.bytes));
            }
            if let Some((key, _)) = wanted.pop_first() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}

impl SummariesReport {
    /// Notes what is wrong with an object; what the store failed at is no fault of the object's.
    fn blame(&mut self, key: &ObjectKey, error: ArchiveError) -> Result<()> {
        if !error.is_damage() {
            return Err(error);
        }
        self.faults.push(Fault {
            key: key.to_string(),
            detail: blame(&error),
        });
        Ok(())
    }
}
