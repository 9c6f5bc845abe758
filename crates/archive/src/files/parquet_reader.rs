//! Reading Parquet, one row group at a time.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;

use super::parquet_writer::leaf;
use super::row_group::{LEAVES, OpenGroup};
use super::{ReadLimits, guarded, within};
use crate::keys::ObjectKey;
use crate::record::RecordBuffer;
use crate::store::ArchiveStore;
use crate::{ArchiveError, Result};

/// Magic and length at the end.
const TAIL: u64 = 8;
/// What is fetched of the end at once: footer and bloom filters of a usual file.
const FIRST_FETCH: u64 = 128 << 10;
/// The most bytes of a bloom filter; ours have up to 80,000.
const MAX_BLOOM_BYTES: u64 = 4 << 20;

/// The columns that make a record: their paths, types and levels.
const EXPECTED: [(usize, &str, Type, i16, i16); 6] = [
    (leaf::OFFSET, "offset", Type::INT64, 0, 0),
    (leaf::TIMESTAMP, "timestamp", Type::INT64, 1, 0),
    (leaf::KEY, "key", Type::BYTE_ARRAY, 1, 0),
    (
        leaf::HEADER_NAME,
        "headers.list.element.name",
        Type::BYTE_ARRAY,
        1,
        1,
    ),
    (
        leaf::HEADER_VALUE,
        "headers.list.element.value",
        Type::BYTE_ARRAY,
        2,
        1,
    ),
    (leaf::VALUE, "value", Type::BYTE_ARRAY, 1, 0),
];

/// A Parquet file in an archive.
pub struct ParquetFile {
    source: Source,
    groups: VecDeque<usize>,
    /// The only key that is asked for.
    wanted: Option<Vec<u8>>,
    open: Option<OpenGroup>,
}

/// The file itself: where it is, and what its footer says. Decoders stand apart from it, for they can't be shared between
/// threads, and requests to the store are made while this is borrowed.
struct Source {
    store: ArchiveStore,
    key: ObjectKey,
    size: u64,
    limits: ReadLimits,
    meta: ParquetMetaData,
    /// The end of the file, as far as it was fetched.
    tail: Bytes,
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile")
            .field("key", &self.source.key)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

impl ParquetFile {
    pub(super) async fn open(
        store: &ArchiveStore,
        key: &ObjectKey,
        size: u64,
        limits: ReadLimits,
    ) -> Result<Self> {
        if size < TAIL + 4 {
            return Err(ArchiveError::damaged(key, "it is too short to be Parquet"));
        }
        let tail = fetch(store, key, size - size.min(FIRST_FETCH)..size).await?;
        let end = &tail[tail.len() - 8..];
        if &end[4..] != b"PAR1" {
            return Err(ArchiveError::damaged(
                key,
                "it does not end as Parquet does: it was cut, or is something else",
            ));
        }
        let footer = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
        within(
            key,
            "the footer's size in bytes",
            footer,
            limits.footer_bytes,
        )?;
        if footer + TAIL > size {
            return Err(ArchiveError::damaged(
                key,
                "its footer is longer than the file",
            ));
        }
        let tail = if footer + TAIL > tail.len() as u64 {
            fetch(store, key, size - footer - TAIL..size).await?
        } else {
            tail
        };
        let from = tail.len() - usize::try_from(footer + TAIL).unwrap_or(tail.len());
        let meta = guarded(key, || {
            ParquetMetaDataReader::decode_metadata(&tail[from..tail.len() - 8])
                .map_err(|error| ArchiveError::damaged(key, error.to_string()))
        })?;
        let source = Source {
            store: store.clone(),
            key: key.clone(),
            size,
            limits,
            meta,
            tail,
        };
        guarded(key, || source.check())?;
        Ok(Self {
            groups: (0..source.meta.num_row_groups()).collect(),
            source,
            wanted: None,
            open: None,
        })
    }

    /// How many records the footer promises.
    #[must_use]
    pub fn rows(&self) -> i64 {
        self.source.meta.file_metadata().num_rows()
    }

    pub(super) fn skip_below(&mut self, offset: i64) {
        let meta = &self.source.meta;
        self.groups.retain(|group| {
            let statistics = meta.row_group(*group).column(leaf::OFFSET).statistics();
            match statistics {
                Some(Statistics::Int64(found)) => found.max_opt().is_none_or(|max| *max >= offset),
                _ => true,
            }
        });
    }

    pub(super) async fn keep_key(&mut self, wanted: &[u8]) -> Result<()> {
        let mut kept = VecDeque::new();
        for group in std::mem::take(&mut self.groups) {
            let column = self.source.meta.row_group(group).column(leaf::KEY);
            if may_hold(column, wanted) && self.source.bloom_lets(group, wanted).await? {
                kept.push_back(group);
            }
        }
        self.groups = kept;
        self.wanted = Some(wanted.to_vec());
        Ok(())
    }

    pub(super) async fn next_batch(&mut self) -> Result<Option<RecordBuffer>> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(piece) = open.next_piece(&self.source.key)? {
                    return Ok(Some(piece));
                }
                self.open = None;
            }
            let Some(group) = self.groups.pop_front() else {
                return Ok(None);
            };
            let wanted = self.wanted.as_deref();
            self.open = Some(self.source.open_group(group, wanted).await?);
        }
    }
}

impl Source {
    /// Compares what the footer says with what this crate writes and a reader gives.
    fn check(&self) -> Result<()> {
        let fault = |detail: String| ArchiveError::damaged(&self.key, detail);
        let schema = self.meta.file_metadata().schema_descr();
        for (index, path, kind, definition, repetition) in EXPECTED {
            let found = (index < schema.num_columns()).then(|| schema.column(index));
            let sound = found.is_some_and(|column| {
                column.path().string() == path
                    && column.physical_type() == kind
                    && column.max_def_level() == definition
                    && column.max_rep_level() == repetition
            });
            if !sound {
                return Err(fault(format!(
                    "its column {index} is not {path} as the archive writes it"
                )));
            }
        }
        for group in self.meta.row_groups() {
            let rows = u64::try_from(group.num_rows())
                .map_err(|_negative| fault("a row group has a negative size".into()))?;
            within(
                &self.key,
                "a row group's count of rows",
                rows,
                self.limits.chunk_values,
            )?;
            if group.num_columns() != schema.num_columns() {
                return Err(fault("a row group lacks columns".into()));
            }
            let mut bytes = 0_u64;
            for leaf in LEAVES {
                let range = self.range(group.column(leaf))?;
                bytes = bytes.saturating_add(range.end - range.start);
            }
            within(
                &self.key,
                "a row group's size in bytes",
                bytes,
                self.limits.row_group_bytes,
            )?;
        }
        Ok(())
    }

    /// Where a column chunk lies.
    fn range(&self, column: &ColumnChunkMetaData) -> Result<Range<u64>> {
        let first = column
            .dictionary_page_offset()
            .unwrap_or_else(|| column.data_page_offset());
        let place = u64::try_from(first)
            .ok()
            .zip(u64::try_from(column.compressed_size()).ok());
        match place.and_then(|(start, length)| Some(start..start.checked_add(length)?)) {
            Some(range) if range.end <= self.size => Ok(range),
            _ => Err(ArchiveError::damaged(
                &self.key,
                "a column lies outside the file",
            )),
        }
    }

    /// Asks the bloom filter of the row group's keys; true where there is none.
    async fn bloom_lets(&self, group: usize, wanted: &[u8]) -> Result<bool> {
        let column = self.meta.row_group(group).column(leaf::KEY);
        let (Some(start), Some(length)) =
            (column.bloom_filter_offset(), column.bloom_filter_length())
        else {
            return Ok(true);
        };
        let fault = || ArchiveError::damaged(&self.key, "a bloom filter lies outside the file");
        let start = u64::try_from(start).map_err(|_negative| fault())?;
        let length = u64::try_from(length).map_err(|_negative| fault())?;
        within(
            &self.key,
            "a bloom filter's size in bytes",
            length,
            MAX_BLOOM_BYTES,
        )?;
        let end = start
            .checked_add(length)
            .filter(|end| *end <= self.size)
            .ok_or_else(fault)?;
        let bytes = self.fetch_near_end(start..end).await?;
        guarded(&self.key, || {
            let filter = Sbbf::from_bytes(&bytes)
                .map_err(|error| ArchiveError::damaged(&self.key, error.to_string()))?;
            Ok(filter.check(wanted))
        })
    }

    async fn fetch_near_end(&self, range: Range<u64>) -> Result<Bytes> {
        let tail_start = self.size - self.tail.len() as u64;
        if let Some(from) = range
            .start
            .checked_sub(tail_start)
            .and_then(|from| usize::try_from(from).ok())
        {
            let length = usize::try_from(range.end - range.start).unwrap_or(0);
            if from + length <= self.tail.len() {
                return Ok(self.tail.slice(from..from + length));
            }
        }
        fetch(&self.store, &self.key, range).await
    }

    async fn open_group(&self, group: usize, wanted: Option<&[u8]>) -> Result<OpenGroup> {
        let group = self.meta.row_group(group);
        let ranges: Vec<Range<u64>> = LEAVES
            .iter()
            .map(|leaf| self.range(group.column(*leaf)))
            .collect::<Result<_>>()?;
        let bytes = self.store.get_ranges(&self.key, &ranges).await?;
        for (range, bytes) in ranges.iter().zip(&bytes) {
            if bytes.len() as u64 != range.end - range.start {
                return Err(ArchiveError::damaged(
                    &self.key,
                    "it is shorter than its footer says",
                ));
            }
        }
        let chunks = ranges.iter().map(|range| range.start).zip(bytes).collect();
        OpenGroup::open(&self.key, group, chunks, &self.limits, wanted)
    }
}

/// Whether the statistics of a chunk leave room for a key.
fn may_hold(column: &ColumnChunkMetaData, wanted: &[u8]) -> bool {
    match column.statistics() {
        Some(Statistics::ByteArray(found)) => {
            found.min_bytes_opt().is_none_or(|min| min <= wanted)
                && found.max_bytes_opt().is_none_or(|max| wanted <= max)
        }
        _ => true,
    }
}

async fn fetch(store: &ArchiveStore, key: &ObjectKey, range: Range<u64>) -> Result<Bytes> {
    let length = range.end - range.start;
    let mut pieces = store.get_ranges(key, &[range]).await?;
    match pieces.pop() {
        Some(bytes) if bytes.len() as u64 == length => Ok(bytes),
        _ => Err(ArchiveError::damaged(
            key,
            "it is shorter than it should be",
        )),
    }
}
