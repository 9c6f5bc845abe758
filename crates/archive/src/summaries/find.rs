//! One finished game by its id and the day of its end, without reading the day.
//!
//! The manifests say which file can have it, the file's statistics which row group; of that group the ids are fetched, and the rest
//! of the one row. The digest of the whole file is not looked at, so everything that is read is bounded and checked for its form.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{BooleanArray, Scalar, StringArray};
use arrow::compute::kernels::cmp;
use bytes::Bytes;
use chrono::NaiveDate;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderOptions, RowFilter};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use super::Summaries;
use super::games::GameRow;
use super::layout::{DayKey, RevisionNumber};
use super::manifest::SummaryFile;
use super::read::SummaryRow as _;
use crate::keys::ObjectKey;
use crate::quarantine::explain;
use crate::store::ArchiveStore;
use crate::{ArchiveError, Result};

/// The largest row group that is opened, uncompressed.
const MAX_GROUP_BYTES: i64 = 1 << 30;
/// The largest piece that is fetched.
const MAX_FETCH_BYTES: u64 = 256 << 20;

impl Summaries {
    /// Finds a finished game in the summaries by its id and the day (UTC) of its end.
    ///
    /// A region whose summaries are damaged keeps nobody from a game of another one; that the game is nowhere is said only when all
    /// that may have it could be read.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::Quarantined`] or [`ArchiveError::Damaged`] with the name of the object, or what the
    /// store answered.
    pub async fn find_game(&self, game_id: &str, day: NaiveDate) -> Result<Option<GameRow>> {
        let mut damage = None;
        for (region, revision) in self.regions(day).await? {
            match self
                .find_in(game_id, &DayKey { day, region }, revision)
                .await
            {
                Ok(Some(game)) => return Ok(Some(game)),
                Ok(None) => {}
                Err(error) if error.is_damage() => {
                    damage.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        damage.map_or(Ok(None), Err)
    }

    async fn find_in(
        &self,
        game_id: &str,
        day: &DayKey,
        revision: RevisionNumber,
    ) -> Result<Option<GameRow>> {
        let revision = self.revision(day, revision).await?;
        let may_have_it = |file: &&SummaryFile| *file.first <= *game_id && *game_id <= *file.last;
        for file in revision.manifest.games.iter().filter(may_have_it) {
            // A decoder may panic on bytes that nobody foresaw.
            let looked = AssertUnwindSafe(look_into(&self.store, file, game_id)).catch_unwind();
            let found = looked.await.unwrap_or_else(|_panic| {
                Err(ArchiveError::damaged(&file.key, "the decoder gave up"))
            });
            let found = match found {
                Ok(found) => found,
                Err(error) => return Err(self.blame(file, error).await),
            };
            if let Some(game) = found {
                return Ok(Some(game));
            }
        }
        Ok(None)
    }

    /// What a failure to read a file says of it. A store that is asked for bytes beyond the end of a cut file says no more than that it
    /// failed.
    async fn blame(&self, file: &SummaryFile, error: ArchiveError) -> ArchiveError {
        if error.is_transient()
            && let Ok(size) = self.store.size(&file.key).await
            && size != file.bytes
        {
            let detail = format!("it has {size} bytes, its manifest says {}", file.bytes);
            return ArchiveError::damaged(&file.key, detail);
        }
        explain(&self.store, &file.key, error).await
    }
}

async fn look_into(
    store: &ArchiveStore,
    file: &SummaryFile,
    game_id: &str,
) -> Result<Option<GameRow>> {
    let fault = |error: ParquetError| match error {
        ParquetError::External(cause) => match cause.downcast::<ArchiveError>() {
            Ok(cause) => *cause,
            Err(other) => ArchiveError::damaged(&file.key, other.to_string()),
        },
        error => ArchiveError::damaged(&file.key, error.to_string()),
    };
    let pieces = Pieces {
        store: store.clone(),
        key: file.key.clone(),
        size: file.bytes,
    };
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(pieces, options)
        .await
        .map_err(fault)?;
    let groups = builder.metadata().row_groups();
    if let Some(group) = groups
        .iter()
        .find(|group| !(0..=MAX_GROUP_BYTES).contains(&group.total_byte_size()))
    {
        return Err(ArchiveError::TooLarge {
            key: file.key.to_string(),
            what: "a row group's size in bytes",
            size: group.total_byte_size().unsigned_abs(),
            limit: MAX_GROUP_BYTES.unsigned_abs(),
        });
    }
    let wanted: Vec<usize> = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| may_hold(group, game_id.as_bytes()))
        .map(|(index, _)| index)
        .collect();
    let ids = ProjectionMask::leaves(builder.parquet_schema(), [0]);
    let wanted_id = Scalar::new(StringArray::from_iter_values([game_id]));
    let is_it = ArrowPredicateFn::new(ids, move |batch| -> Result<BooleanArray, _> {
        cmp::eq(batch.column(0), &wanted_id)
    });
    let mut batches = builder
        .with_row_groups(wanted)
        .with_row_filter(RowFilter::new(vec![Box::new(is_it)]))
        .build()
        .map_err(fault)?;
    while let Some(batch) = batches.try_next().await.map_err(fault)? {
        let rows = GameRow::from_batch(&batch)
            .map_err(|reason| ArchiveError::damaged(&file.key, reason))?;
        if let Some(game) = rows.into_iter().find(|row| row.game_id == game_id) {
            return Ok(Some(game));
        }
    }
    Ok(None)
}

/// Whether a row group's statistics leave room for the id. Bounds may be shortened, but never to the wrong side.
fn may_hold(group: &RowGroupMetaData, id: &[u8]) -> bool {
    let statistics = group
        .columns()
        .first()
        .and_then(|column| column.statistics());
    let bounds =
        statistics.and_then(|found| Some((found.min_bytes_opt()?, found.max_bytes_opt()?)));
    bounds.is_none_or(|(min, max)| min <= id && id <= max)
}

/// A file of the store, fetched in pieces.
struct Pieces {
    store: ArchiveStore,
    key: ObjectKey,
    size: u64,
}

impl Pieces {
    async fn fetch(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let size: u64 = ranges
            .iter()
            .map(|range| range.end.saturating_sub(range.start))
            .fold(0, u64::saturating_add);
        if size > MAX_FETCH_BYTES {
            return Err(ArchiveError::TooLarge {
                key: self.key.to_string(),
                what: "what is to be fetched at once, in bytes,",
                size,
                limit: MAX_FETCH_BYTES,
            });
        }
        self.store.get_ranges(&self.key, &ranges).await
    }
}

fn external(error: ArchiveError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for Pieces {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        Box::pin(async move {
            let mut pieces = self.fetch(vec![range]).await.map_err(external)?;
            pieces
                .pop()
                .ok_or_else(|| ParquetError::EOF("the store gave nothing".to_owned()))
        })
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        Box::pin(async move { self.fetch(ranges).await.map_err(external) })
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        Box::pin(async move {
            let size = self.size;
            let metadata = ParquetMetaDataReader::new()
                .with_arrow_reader_options(options)
                .load_and_finish(self, size)
                .await?;
            Ok(Arc::new(metadata))
        })
    }
}
