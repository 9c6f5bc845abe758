//! Writing a revision: rows in key order into files of a bounded size, each put when it is full.
//!
//! Nothing of a draft counts before its manifest is published. One that is given up leaves files that no manifest names, which
//! [`Summaries::sweep`](super::Summaries::sweep) removes.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use super::games::GameRow;
use super::layout::{DayKey, RevisionNumber};
use super::manifest::{MadeFrom, SummaryFile, SummaryManifest};
use super::players::PlayerRow;
use super::read::SummaryRow;
use super::{Revision, encode_fault};
use crate::store::ArchiveStore;
use crate::{Result, Sha256};

/// Rows that are encoded together.
const BATCH_ROWS: usize = 1_024;

/// How large files get. A draft holds one file of each kind in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// A file is closed when it has reached so many bytes.
    pub file_bytes: usize,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
        }
    }
}

/// A revision that is being written.
#[derive(Debug)]
pub struct Draft {
    place: Place,
    previous_sha256: Option<Sha256>,
    games: Files<GameRow>,
    players: Files<PlayerRow>,
}

/// Where files go, and what they are called.
#[derive(Debug)]
struct Place {
    store: ArchiveStore,
    day: DayKey,
    revision: RevisionNumber,
    writer: Uuid,
    limits: FileLimits,
}

impl Draft {
    pub(super) fn new(
        store: ArchiveStore,
        day: DayKey,
        previous: Option<&Revision>,
        limits: FileLimits,
    ) -> Self {
        let revision = previous.map_or(RevisionNumber::FIRST, |previous| {
            previous.manifest.revision.next()
        });
        Self {
            place: Place {
                store,
                day,
                revision,
                writer: Uuid::now_v7(),
                limits,
            },
            previous_sha256: previous.map(|previous| previous.sha256),
            games: Files::default(),
            players: Files::default(),
        }
    }

    /// Adds a game. Games come in the order of their ids.
    ///
    /// # Errors
    /// [`ArchiveError::Encode`](crate::ArchiveError::Encode), also for a game out of order; or what the store answered.
    pub async fn add_game(&mut self, game: GameRow) -> Result<()> {
        self.games.add(&self.place, game).await
    }

    /// Adds a player row. They come in the order of player, end and game.
    ///
    /// # Errors
    /// As [`Draft::add_game`].
    pub async fn add_player_row(&mut self, row: PlayerRow) -> Result<()> {
        self.players.add(&self.place, row).await
    }

    /// Puts the last files, and gives the manifest to be published.
    ///
    /// # Errors
    /// [`ArchiveError::Encode`](crate::ArchiveError::Encode) or what the store answered.
    pub async fn finish(self, made_from: MadeFrom) -> Result<SummaryManifest> {
        let Place {
            day,
            revision,
            writer,
            ..
        } = &self.place;
        let mut manifest =
            SummaryManifest::new(day, *revision, self.previous_sha256, *writer, made_from);
        manifest.games = self.games.finish(&self.place).await?;
        manifest.players = self.players.finish(&self.place).await?;
        Ok(manifest)
    }
}

/// The files of one kind.
#[derive(Debug)]
struct Files<R: SummaryRow> {
    waiting: Vec<R>,
    last_key: Option<R::Key>,
    open: Option<OpenFile>,
    done: Vec<SummaryFile>,
}

#[derive(Debug)]
struct OpenFile {
    encoder: ArrowWriter<Vec<u8>>,
    rows: u64,
    first: String,
    last: String,
}

impl<R: SummaryRow> Default for Files<R> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            last_key: None,
            open: None,
            done: Vec::new(),
        }
    }
}

impl<R: SummaryRow> Files<R> {
    async fn add(&mut self, place: &Place, row: R) -> Result<()> {
        let key = row.key();
        if self.last_key.as_ref().is_some_and(|last| *last >= key) {
            return Err(encode_fault(format_args!(
                "{key:?} comes after {:?} or twice",
                self.last_key
            )));
        }
        self.last_key = Some(key);
        self.waiting.push(row);
        if self.waiting.len() >= BATCH_ROWS {
            self.encode(place).await?;
        }
        Ok(())
    }

    /// Encodes the rows that wait, and puts the file when it is full.
    async fn encode(&mut self, place: &Place) -> Result<()> {
        let (Some(first), Some(last)) = (self.waiting.first(), self.waiting.last()) else {
            return Ok(());
        };
        if self.open.is_none() {
            self.open = Some(OpenFile::new::<R>(first.file_key().to_owned())?);
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let batch = R::to_batch(&self.waiting, place.revision)?;
        open.encoder.write(&batch).map_err(encode_fault)?;
        open.rows += self.waiting.len() as u64;
        last.file_key().clone_into(&mut open.last);
        self.waiting.clear();
        if open.encoder.bytes_written() + open.encoder.in_progress_size() >= place.limits.file_bytes
        {
            self.put(place).await?;
        }
        Ok(())
    }

    async fn put(&mut self, place: &Place) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let bytes = Bytes::from(open.encoder.into_inner().map_err(encode_fault)?);
        let part = u32::try_from(self.done.len()).map_err(encode_fault)?;
        let file = SummaryFile {
            key: place.day.file(R::KIND, place.revision, part, place.writer),
            rows: open.rows,
            first: open.first,
            last: open.last,
            bytes: bytes.len() as u64,
            sha256: Sha256::of(&bytes),
        };
        place.store.put(&file.key, bytes).await?;
        self.done.push(file);
        Ok(())
    }

    async fn finish(mut self, place: &Place) -> Result<Vec<SummaryFile>> {
        self.encode(place).await?;
        self.put(place).await?;
        Ok(self.done)
    }
}

impl OpenFile {
    fn new<R: SummaryRow>(first: String) -> Result<Self> {
        let schema = R::schema();
        // Rows are sorted by the leading columns; the first one is what a reader looks for.
        let sorting = vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }];
        let level = ZstdLevel::try_new(3).map_err(encode_fault)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(R::ROWS_PER_GROUP))
            .set_sorting_columns(Some(sorting))
            .set_created_by("game-history".to_owned())
            .build();
        let encoder = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))
            .map_err(encode_fault)?;
        Ok(Self {
            encoder,
            rows: 0,
            last: first.clone(),
            first,
        })
    }
}
