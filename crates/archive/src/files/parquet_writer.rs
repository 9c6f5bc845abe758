//! Parquet: zstd, sorted by offset, statistics, and a bloom filter on key and game, so that one game is found without reading
//! a day.
//!
//! Records wait as they came until they make a row group, which is then encoded in one go: an encoder of eleven columns takes
//! megabytes, a compressor for each among them, and hundreds of files may be open. A row group is closed by rows, bytes and
//! headers: each bounds what waits here, and what a reader needs at a time.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    ArrayRef, BinaryViewBuilder, GenericByteViewBuilder, Int32Array, Int32Builder, Int64Builder,
    ListArray, StringBuilder, StringViewBuilder, StructArray, TimestampMillisecondBuilder,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{ByteViewType, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use object_store::PutPayload;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{
    BloomFilterPosition, EnabledStatistics, WriterProperties, WriterVersion,
};
use parquet::schema::types::ColumnPath;

use super::FileOptions;
use super::output::Output;
use crate::columns::BodyColumns;
use crate::record::{Entry, Header, Record, RecordBuffer, Span, slice};
use crate::{ArchiveError, Result};

/// A row group has at most so many rows …
const GROUP_ROWS: usize = 32_768;
/// … bytes before encoding …
const GROUP_BYTES: usize = 16 << 20;
/// … and headers.
const GROUP_HEADERS: usize = 1 << 19;
/// Records wait in pieces of about so many bytes, each of which is handed to the encoder as it is.
const PIECE_BYTES: usize = 256 << 10;
/// The version of the columns, in each file's metadata.
const FORMAT_VERSION: &str = "1";

/// The place of each column in a file: of leaves, as Parquet counts them.
pub(super) mod leaf {
    pub(crate) const OFFSET: usize = 1;
    pub(crate) const TIMESTAMP: usize = 2;
    pub(crate) const KEY: usize = 3;
    pub(crate) const HEADER_NAME: usize = 4;
    pub(crate) const HEADER_VALUE: usize = 5;
    pub(crate) const VALUE: usize = 6;
}

fn header_fields() -> Fields {
    Fields::from(vec![
        Field::new("name", DataType::Utf8View, false),
        Field::new("value", DataType::BinaryView, true),
    ])
}

fn header_item() -> Arc<Field> {
    Arc::new(Field::new(
        "element",
        DataType::Struct(header_fields()),
        false,
    ))
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// The columns of a file. What a record has as it came is viewed where it waits; Parquet knows no views, only texts and bytes.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("timestamp", time(), true),
        Field::new("key", DataType::BinaryView, true),
        Field::new("headers", DataType::List(header_item()), false),
        Field::new("value", DataType::BinaryView, true),
        Field::new("event_id", DataType::Utf8, true),
        Field::new("event_type", DataType::Utf8, true),
        Field::new("game_id", DataType::Utf8, true),
        Field::new("occurred_at", time(), true),
        Field::new("schema_version", DataType::Int32, true),
    ]))
}

fn properties(options: &FileOptions) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(options.zstd_level).map_err(encode)?;
    let column = |name: &str| ColumnPath::from(name);
    let chain = &options.chain;
    let about = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let sorted = SortingColumn {
        column_idx: 1,
        descending: false,
        nulls_first: false,
    };
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("game-history archiver ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_sorting_columns(Some(vec![sorted]))
        .set_bloom_filter_position(BloomFilterPosition::End)
        .set_key_value_metadata(Some(vec![
            about("game-history.format", FORMAT_VERSION.to_owned()),
            about("game-history.topic", chain.topic.to_string()),
            about("game-history.topic_id", chain.topic_id.to_string()),
            about("game-history.partition", chain.partition.to_string()),
        ]));
    for name in ["offset", "timestamp", "occurred_at"] {
        properties = properties
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_BINARY_PACKED);
    }
    for path in [header_path("value"), column("value"), column("event_id")] {
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    // Which names a file's headers have helps nobody to pass over it.
    properties =
        properties.set_column_statistics_enabled(header_path("name"), EnabledStatistics::None);
    for name in ["key", "game_id"] {
        properties = properties
            .set_column_bloom_filter_enabled(column(name), true)
            .set_column_bloom_filter_fpp(column(name), 0.01)
            .set_column_bloom_filter_max_ndv(column(name), GROUP_ROWS as u64 / 2);
    }
    Ok(properties.build())
}

fn header_path(field: &str) -> ColumnPath {
    let parts = ["headers", "list", "element", field];
    ColumnPath::new(parts.iter().map(|part| (*part).to_owned()).collect())
}

fn encode(error: parquet::errors::ParquetError) -> ArchiveError {
    ArchiveError::Encode {
        reason: error.to_string(),
    }
}

fn assemble(error: arrow::error::ArrowError) -> ArchiveError {
    ArchiveError::Encode {
        reason: error.to_string(),
    }
}

/// A Parquet file in the making.
pub(super) struct ParquetWriter {
    partition: i32,
    waiting: Waiting,
    /// Never locked: the lock lets a writer that is being filled stand in a future that moves between threads.
    writer: Mutex<ArrowWriter<Output>>,
    written_bytes: usize,
}

impl std::fmt::Debug for ParquetWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetWriter")
            .field("written_bytes", &self.written_bytes)
            .finish_non_exhaustive()
    }
}

impl ParquetWriter {
    pub(super) fn new(options: &FileOptions) -> Result<Self> {
        let arrow = ArrowWriterOptions::new()
            .with_properties(properties(options)?)
            .with_skip_arrow_metadata(true);
        let writer =
            ArrowWriter::try_new_with_options(Output::new(), schema(), arrow).map_err(encode)?;
        Ok(Self {
            partition: options.chain.partition,
            waiting: Waiting::default(),
            writer: Mutex::new(writer),
            written_bytes: 0,
        })
    }

    pub(super) fn push<'h>(
        &mut self,
        record: &Record<'_, impl Iterator<Item = Header<'h>> + Clone>,
    ) -> Result<()> {
        self.waiting.push(record);
        if self.waiting.is_group() {
            self.encode_group()?;
        }
        Ok(())
    }

    /// Makes a row group of what waits.
    fn encode_group(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for piece in waiting.pieces {
            writer
                .write(&rows(piece, self.partition)?)
                .map_err(encode)?;
        }
        writer.flush().map_err(encode)?;
        self.written_bytes = writer.bytes_written();
        Ok(())
    }

    pub(super) fn encoded_bytes(&self) -> usize {
        // What waits comes out at about a quarter.
        self.written_bytes + self.waiting.bytes / 4
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.waiting.memory_bytes() + Output::memory_of(self.written_bytes)
    }

    pub(super) fn finish(mut self) -> Result<PutPayload> {
        self.encode_group()?;
        let writer = self
            .writer
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        writer.into_inner().map(Output::finish).map_err(encode)
    }
}

/// The records of the next row group. They lie in pieces, so that nothing is copied as they become more.
#[derive(Default)]
struct Waiting {
    pieces: Vec<RecordBuffer>,
    rows: usize,
    bytes: usize,
    headers: usize,
    /// What all pieces but the last have taken.
    full_pieces_bytes: usize,
}

impl Waiting {
    fn push<'h>(&mut self, record: &Record<'_, impl Iterator<Item = Header<'h>> + Clone>) {
        let room = self
            .pieces
            .last()
            .is_some_and(|piece| piece.bytes() < PIECE_BYTES);
        if !room {
            let next = self
                .pieces
                .last()
                .map_or_else(RecordBuffer::default, |full| {
                    self.full_pieces_bytes += full.capacity_bytes();
                    full.of_same_size()
                });
            self.pieces.push(next);
        }
        let Some(piece) = self.pieces.last_mut() else {
            return;
        };
        let before = (piece.bytes(), piece.header_count());
        piece.push(record);
        self.rows += 1;
        self.bytes += piece.bytes() - before.0;
        self.headers += piece.header_count() - before.1;
    }

    fn is_group(&self) -> bool {
        self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES || self.headers >= GROUP_HEADERS
    }

    fn memory_bytes(&self) -> usize {
        let last = self.pieces.last().map_or(0, RecordBuffer::capacity_bytes);
        self.full_pieces_bytes + last
    }
}

/// A piece as rows for the encoder. What its records are made of stays where it lies.
fn rows(piece: RecordBuffer, partition: i32) -> Result<RecordBatch> {
    let (entries, headers, bytes) = piece.into_parts();
    let bytes = Buffer::from_vec(bytes);
    let body = Body::of(&entries, &bytes);
    let time = || TimestampMillisecondBuilder::with_capacity(entries.len()).with_timezone("UTC");
    let (mut offset, mut timestamp) = (Int64Builder::with_capacity(entries.len()), time());
    let mut key: BinaryViewBuilder = views(&bytes, entries.len());
    let mut value: BinaryViewBuilder = views(&bytes, entries.len());
    let mut header_ends = Vec::with_capacity(entries.len() + 1);
    header_ends.push(0);
    for entry in &entries {
        offset.append_value(entry.offset);
        timestamp.append_option(entry.timestamp_ms);
        view(&mut key, entry.key)?;
        view(&mut value, entry.value)?;
        // A row group has far fewer.
        header_ends.push(i32::try_from(entry.headers.1).unwrap_or(i32::MAX));
    }
    let mut header_name: StringViewBuilder = views(&bytes, headers.len());
    let mut header_value: BinaryViewBuilder = views(&bytes, headers.len());
    for (name, value) in &headers {
        view(&mut header_name, *name)?;
        view(&mut header_value, *value)?;
    }
    let header_columns: Vec<ArrayRef> = vec![
        Arc::new(header_name.finish()),
        Arc::new(header_value.finish()),
    ];
    let items = StructArray::try_new(header_fields(), header_columns, None).map_err(assemble)?;
    let ends = OffsetBuffer::new(header_ends.into());
    let headers = ListArray::try_new(header_item(), ends, Arc::new(items), None);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_value(partition, entries.len())),
        Arc::new(offset.finish()),
        Arc::new(timestamp.finish()),
        Arc::new(key.finish()),
        Arc::new(headers.map_err(assemble)?),
        Arc::new(value.finish()),
    ];
    columns.extend(body.finish());
    RecordBatch::try_new(schema(), columns).map_err(assemble)
}

/// A column of views into `bytes`.
fn views<T: ByteViewType>(bytes: &Buffer, count: usize) -> GenericByteViewBuilder<T> {
    let mut views = GenericByteViewBuilder::with_capacity(count);
    views.append_block(bytes.clone());
    views
}

/// Appends what lies at a place of the views' only block.
fn view<T: ByteViewType>(views: &mut GenericByteViewBuilder<T>, span: Span) -> Result<()> {
    match span.place() {
        Some((start, length)) => views.try_append_view(0, start, length).map_err(assemble),
        None => {
            views.append_null();
            Ok(())
        }
    }
}

/// The columns of the bodies.
struct Body {
    event_id: StringBuilder,
    event_type: StringBuilder,
    game_id: StringBuilder,
    occurred_at: TimestampMillisecondBuilder,
    schema_version: Int32Builder,
}

impl Body {
    fn of(entries: &[Entry], bytes: &[u8]) -> Self {
        let count = entries.len();
        let text = |length: usize| StringBuilder::with_capacity(count, count * length);
        let mut body = Self {
            event_id: text(40),
            event_type: text(12),
            game_id: text(40),
            occurred_at: TimestampMillisecondBuilder::with_capacity(count).with_timezone("UTC"),
            schema_version: Int32Builder::with_capacity(count),
        };
        for entry in entries {
            let columns = BodyColumns::read(slice(bytes, entry.value));
            body.event_id.append_option(columns.event_id);
            body.event_type.append_option(columns.event_type);
            body.game_id.append_option(columns.game_id);
            body.occurred_at.append_option(columns.occurred_at_ms);
            body.schema_version.append_option(columns.schema_version);
        }
        body
    }

    fn finish(mut self) -> [ArrayRef; 5] {
        [
            Arc::new(self.event_id.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(self.game_id.finish()),
            Arc::new(self.occurred_at.finish()),
            Arc::new(self.schema_version.finish()),
        ]
    }
}
