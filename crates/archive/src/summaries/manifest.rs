//! The manifest of a revision, read as hostile: nothing in it is used before it was compared with its place and itself.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::layout::{DayKey, Kind, RevisionNumber};
use crate::keys::{ObjectKey, Region};
use crate::{ArchiveError, Result, Sha256};

/// The version this build writes, and the only one it reads.
const VERSION: u32 = 1;
/// The most bytes a manifest has; a thousand files take some 600 kB.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// A file of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryFile {
    /// Its key.
    pub key: ObjectKey,
    /// How many rows it holds, at least 1.
    pub rows: u64,
    /// The sort key of its first row: a game's id, or a player's.
    pub first: String,
    /// The sort key of its last row.
    pub last: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// What a revision was made from: a state of the database that can be told from a later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFrom {
    /// Tells two states apart. The archive only compares it.
    pub stamp: String,
}

/// A revision of a day's summaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryManifest {
    /// The version of this form.
    pub version: u32,
    /// The day the games ended, in UTC.
    pub day: NaiveDate,
    /// The region.
    pub region: String,
    /// Which revision it is.
    pub revision: RevisionNumber,
    /// The games, file after file in the order of their ids.
    pub games: Vec<SummaryFile>,
    /// The player rows, file after file in their order.
    pub players: Vec<SummaryFile>,
    /// What it was made from.
    pub made_from: MadeFrom,
    /// The digest of the manifest before it; none in the first.
    pub previous_sha256: Option<Sha256>,
    /// Whose attempt it is.
    pub writer: Uuid,
}

impl SummaryManifest {
    pub(super) fn new(
        day: &DayKey,
        revision: RevisionNumber,
        previous_sha256: Option<Sha256>,
        writer: Uuid,
        made_from: MadeFrom,
    ) -> Self {
        Self {
            version: VERSION,
            day: day.day,
            region: day.region.to_string(),
            revision,
            games: Vec::new(),
            players: Vec::new(),
            made_from,
            previous_sha256,
            writer,
        }
    }

    /// The day and region it is of.
    #[must_use]
    pub fn day(&self) -> DayKey {
        DayKey {
            day: self.day,
            region: Region::parse(&self.region).unwrap_or_else(|_other| Region::other()),
        }
    }

    /// The files of a kind.
    #[must_use]
    pub fn files(&self, kind: Kind) -> &[SummaryFile] {
        match kind {
            Kind::Games => &self.games,
            Kind::Players => &self.players,
        }
    }

    /// How many rows of a kind there are.
    #[must_use]
    pub fn rows(&self, kind: Kind) -> u64 {
        self.files(kind).iter().map(|file| file.rows).sum()
    }

    /// The keys of all files.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.games.iter().chain(&self.players).map(|file| &file.key)
    }

    /// The manifest's bytes, as they are stored and hashed.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "numbers, texts and lists of them always have a JSON form"
    )]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest has a JSON form");
        bytes.push(b'\n');
        bytes
    }

    /// Reads the manifest that stands at a place.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] with everything that is wrong in one line.
    pub(super) fn parse(day: &DayKey, revision: RevisionNumber, bytes: &[u8]) -> Result<Self> {
        let key = day.manifest(revision);
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| ArchiveError::damaged(&key, error.to_string()))?;
        let faults = manifest.faults(day, revision);
        if faults.is_empty() {
            Ok(manifest)
        } else {
            Err(ArchiveError::damaged(&key, faults.join("; ")))
        }
    }

    fn faults(&self, day: &DayKey, revision: RevisionNumber) -> Vec<String> {
        let mut faults = Vec::new();
        if self.version != VERSION {
            faults.push("its version is not 1: a newer archiver wrote it".to_owned());
        }
        if self.day() != *day || self.region != day.region.as_str() || self.revision != revision {
            faults.push("it belongs to another place".to_owned());
        }
        if self.previous_sha256.is_some() == (revision == RevisionNumber::FIRST) {
            faults.push("the first revision has no previous one, and only the first".to_owned());
        }
        for kind in [Kind::Games, Kind::Players] {
            let files = self.files(kind);
            for file in files {
                if day.revision_of_file(kind, &file.key) != Some(revision) {
                    faults.push(format!("{} is no file of it", file.key));
                }
                if file.rows == 0 || file.first > file.last {
                    faults.push(format!("{} can't be so", file.key));
                }
            }
            if files.windows(2).any(|pair| pair[0].last > pair[1].first) {
                faults.push(format!("its {} are not in order", kind.as_str()));
            }
        }
        let rows = self.games.iter().chain(&self.players).map(|file| file.rows);
        if rows.into_iter().try_fold(0_u64, u64::checked_add).is_none() {
            faults.push("it counts more rows than there can be".to_owned());
        }
        faults
    }
}
