//! One row group in memory: the stored bytes of its columns, unpacked page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::parquet_writer::leaf;
use super::{ReadLimits, guarded, pages, within};
use crate::keys::ObjectKey;
use crate::record::{Header, Record, RecordBuffer};
use crate::{ArchiveError, Result};

/// The columns a record is made of; the others only repeat parts of it.
pub(super) const LEAVES: [usize; 6] = [
    leaf::OFFSET,
    leaf::TIMESTAMP,
    leaf::KEY,
    leaf::HEADER_NAME,
    leaf::HEADER_VALUE,
    leaf::VALUE,
];
/// Rows decoded at a time. Their bytes stay in the pages until they are copied out.
const ROWS: usize = 1_024;
/// Records are copied out in pieces of about this many bytes.
const PIECE_BYTES: usize = 1 << 20;

/// A column chunk's stored bytes, at their place in the file.
#[derive(Debug)]
struct Chunk {
    start: u64,
    bytes: Bytes,
}

impl Chunk {
    fn slice(&self, start: u64, length: Option<usize>) -> ParquetResult<Bytes> {
        let outside = || ParquetError::EOF("a page lies outside its column".to_owned());
        let from = start.checked_sub(self.start).ok_or_else(outside)?;
        let from = usize::try_from(from).map_err(|_size| outside())?;
        let to = length.map_or(Some(self.bytes.len()), |length| from.checked_add(length));
        match to {
            Some(to) if from <= to && to <= self.bytes.len() => Ok(self.bytes.slice(from..to)),
            _ => Err(outside()),
        }
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Chunk {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.slice(start, None)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.slice(start, Some(length))
    }
}

/// A column on its way out.
struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: VecDeque<T::T>,
    /// For each value or null: how much of its path is there.
    definitions: VecDeque<i16>,
    /// For each: whether it goes on a list.
    repetitions: VecDeque<i16>,
    max_definition: i16,
}

impl<T: DataType> Column<T> {
    fn open(group: &RowGroupMetaData, index: usize, chunk: Chunk) -> ParquetResult<Self> {
        let meta = group.column(index);
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let pages = SerializedPageReader::new(Arc::new(chunk), meta, rows, None)?;
        Ok(Self {
            reader: ColumnReaderImpl::new(meta.column_descr_ptr(), Box::new(pages)),
            values: VecDeque::new(),
            definitions: VecDeque::new(),
            repetitions: VecDeque::new(),
            max_definition: meta.column_descr().max_def_level(),
        })
    }

    fn fill(&mut self, rows: usize) -> ParquetResult<()> {
        let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
        let (read, _, levels) = self.reader.read_records(
            rows,
            Some(&mut definitions),
            Some(&mut repetitions),
            &mut values,
        )?;
        if read != rows {
            return Err(ParquetError::General(format!(
                "a column ends {} rows early",
                rows - read
            )));
        }
        // A required column has no levels of its own.
        definitions.resize(levels, self.max_definition);
        self.values.extend(values);
        self.definitions.extend(definitions);
        self.repetitions.extend(repetitions);
        Ok(())
    }

    /// The next row of a column that is no list.
    fn next(&mut self) -> Option<T::T> {
        let there = self.definitions.pop_front()? == self.max_definition;
        if there { self.values.pop_front() } else { None }
    }
}

/// A row group on its way out.
pub(super) struct OpenGroup {
    left: usize,
    decoded: usize,
    last_offset: i64,
    /// Rows with another key are passed over before anything of them is copied.
    wanted: Option<Vec<u8>>,
    offset: Column<Int64Type>,
    timestamp: Column<Int64Type>,
    key: Column<ByteArrayType>,
    header_name: Column<ByteArrayType>,
    header_value: Column<ByteArrayType>,
    value: Column<ByteArrayType>,
}

impl OpenGroup {
    /// Opens a row group by the stored bytes of its [`LEAVES`]; with `wanted`, it gives the rows with that key alone.
    pub(super) fn open(
        key: &ObjectKey,
        group: &RowGroupMetaData,
        chunks: Vec<(u64, Bytes)>,
        limits: &ReadLimits,
        wanted: Option<&[u8]>,
    ) -> Result<Self> {
        for (_, bytes) in &chunks {
            let claim = pages::claims(bytes).map_err(|fault| ArchiveError::damaged(key, fault))?;
            within(
                key,
                "a page's unpacked size in bytes",
                claim.largest_page,
                limits.page_bytes,
            )?;
            within(
                key,
                "a column chunk's count of values",
                claim.values,
                limits.chunk_values,
            )?;
        }
        let mut chunks = chunks
            .into_iter()
            .map(|(start, bytes)| Chunk { start, bytes });
        let mut chunk = || {
            let missing = || ArchiveError::damaged(key, "a column is missing");
            chunks.next().ok_or_else(missing)
        };
        let (offset, timestamp, key_chunk) = (chunk()?, chunk()?, chunk()?);
        let (header_name, header_value, value) = (chunk()?, chunk()?, chunk()?);
        let open = || -> ParquetResult<Self> {
            Ok(Self {
                left: usize::try_from(group.num_rows()).unwrap_or(0),
                decoded: 0,
                last_offset: i64::MIN,
                wanted: wanted.map(<[u8]>::to_vec),
                offset: Column::open(group, leaf::OFFSET, offset)?,
                timestamp: Column::open(group, leaf::TIMESTAMP, timestamp)?,
                key: Column::open(group, leaf::KEY, key_chunk)?,
                header_name: Column::open(group, leaf::HEADER_NAME, header_name)?,
                header_value: Column::open(group, leaf::HEADER_VALUE, header_value)?,
                value: Column::open(group, leaf::VALUE, value)?,
            })
        };
        guarded(key, || {
            open().map_err(|error| ArchiveError::damaged(key, error.to_string()))
        })
    }

    /// The next records; none at the end of the row group.
    pub(super) fn next_piece(&mut self, key: &ObjectKey) -> Result<Option<RecordBuffer>> {
        if self.decoded == 0 {
            if self.left == 0 {
                return Ok(None);
            }
            let rows = self.left.min(ROWS);
            guarded(key, || {
                self.decode(rows)
                    .map_err(|error| ArchiveError::damaged(key, error.to_string()))
            })?;
            self.left -= rows;
            self.decoded = rows;
        }
        let mut piece = RecordBuffer::default();
        while self.decoded > 0 && piece.bytes() < PIECE_BYTES {
            self.decoded -= 1;
            self.copy_row(key, &mut piece)?;
        }
        Ok(Some(piece))
    }

    fn decode(&mut self, rows: usize) -> ParquetResult<()> {
        self.offset.fill(rows)?;
        self.timestamp.fill(rows)?;
        self.key.fill(rows)?;
        self.header_name.fill(rows)?;
        self.header_value.fill(rows)?;
        self.value.fill(rows)
    }

    fn copy_row(&mut self, key: &ObjectKey, piece: &mut RecordBuffer) -> Result<()> {
        let fault = |what: &str| ArchiveError::damaged(key, what);
        let offset = self
            .offset
            .next()
            .ok_or_else(|| fault("a record has no offset"))?;
        if offset <= self.last_offset {
            return Err(fault("its records are not in offset order"));
        }
        self.last_offset = offset;
        let (row_key, value) = (self.key.next(), self.value.next());
        let timestamp_ms = self.timestamp.next();
        if let Some(wanted) = &self.wanted
            && row_key.as_ref().map(ByteArray::data) != Some(wanted)
        {
            return self.row_headers(|_, _| {}).map_err(fault);
        }
        let mut headers = Vec::new();
        self.row_headers(|name, value| headers.push((name, value)))
            .map_err(fault)?;
        if headers
            .iter()
            .any(|(name, _)| std::str::from_utf8(name.data()).is_err())
        {
            return Err(fault("a header's name is no text"));
        }
        piece.push(&Record {
            offset,
            timestamp_ms,
            key: row_key.as_ref().map(ByteArray::data),
            value: value.as_ref().map(ByteArray::data),
            headers: headers.iter().map(as_header),
        });
        Ok(())
    }

    /// Gives the headers of the next row.
    fn row_headers(
        &mut self,
        mut give: impl FnMut(ByteArray, Option<ByteArray>),
    ) -> Result<(), &'static str> {
        const UNEQUAL: &str = "its headers' names and values differ in number";
        let mut first = true;
        while first || self.header_name.repetitions.front() == Some(&1) {
            let (name, value) = (&mut self.header_name, &mut self.header_value);
            if name.repetitions.pop_front() != value.repetitions.pop_front() {
                return Err(UNEQUAL);
            }
            let (Some(named), Some(valued)) =
                (name.definitions.pop_front(), value.definitions.pop_front())
            else {
                return Err(UNEQUAL);
            };
            if named == name.max_definition {
                let value = if valued == value.max_definition {
                    Some(value.values.pop_front().ok_or(UNEQUAL)?)
                } else {
                    None
                };
                give(name.values.pop_front().ok_or(UNEQUAL)?, value);
            }
            first = false;
        }
        Ok(())
    }
}

fn as_header((name, value): &(ByteArray, Option<ByteArray>)) -> Header<'_> {
    let name = std::str::from_utf8(name.data()).unwrap_or_default();
    (name.into(), value.as_ref().map(ByteArray::data))
}
