//! Files of records: written whole in memory, read back in small pieces.
//!
//! A file is read as hostile. What it asks for is compared with [`ReadLimits`] before memory is given, decoders that panic are
//! caught, and whatever is wrong becomes an error that names the file.

mod jsonl;
mod jsonl_reader;
mod output;
mod pages;
mod parquet_reader;
mod parquet_writer;
mod row_group;

use object_store::PutPayload;

pub use crate::keys::FileFormat;
use crate::keys::{ChainId, ObjectKey};
use crate::manifest::{FileEntry, Sha256};
use crate::record::{Header, Record, RecordBuffer};
use crate::store::ArchiveStore;
use crate::{ArchiveError, Result};

/// What a reader gives a file at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// The bytes of a Parquet footer.
    pub footer_bytes: u64,
    /// The bytes of the column chunks of one row group, as they are stored.
    pub row_group_bytes: u64,
    /// The bytes of one page or of one line, unpacked.
    pub page_bytes: u64,
    /// The values of one column chunk.
    pub chunk_values: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            footer_bytes: 4 << 20,
            row_group_bytes: 256 << 20,
            page_bytes: 128 << 20,
            chunk_values: 8 << 20,
        }
    }
}

/// How files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// The form.
    pub format: FileFormat,
    /// The level of zstd, 1 to 19.
    pub zstd_level: i32,
    /// What the files are of; it stands in each one.
    pub chain: ChainId,
}

/// A finished file, on its way to the store.
#[derive(Debug, Clone)]
pub struct EncodedFile {
    /// Its bytes, in pieces.
    pub bytes: PutPayload,
    /// How many records it holds.
    pub rows: u64,
    /// The lowest offset in it.
    pub min_offset: i64,
    /// The highest offset in it.
    pub max_offset: i64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl EncodedFile {
    /// How a manifest names it.
    #[must_use]
    pub fn entry(&self, key: ObjectKey) -> FileEntry {
        FileEntry {
            key,
            rows: self.rows,
            min_offset: self.min_offset,
            max_offset: self.max_offset,
            bytes: self.bytes.content_length() as u64,
            sha256: self.sha256,
        }
    }
}

/// Writes a file. Records are pushed in offset order.
#[derive(Debug)]
pub struct FileWriter {
    form: Form,
    rows: u64,
    min_offset: i64,
    max_offset: i64,
}

#[derive(Debug)]
enum Form {
    Parquet(Box<parquet_writer::ParquetWriter>),
    Jsonl(Box<jsonl::JsonlWriter>),
}

impl FileWriter {
    /// An empty file.
    ///
    /// # Errors
    /// [`ArchiveError::Encode`] when the options can't be used.
    pub fn new(options: &FileOptions) -> Result<Self> {
        let form = match options.format {
            FileFormat::Parquet => {
                Form::Parquet(Box::new(parquet_writer::ParquetWriter::new(options)?))
            }
            FileFormat::Jsonl => Form::Jsonl(Box::new(jsonl::JsonlWriter::new(options)?)),
        };
        Ok(Self {
            form,
            rows: 0,
            min_offset: i64::MAX,
            max_offset: i64::MIN,
        })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`ArchiveError::Encode`]; the file is of no use then.
    pub fn push<'h>(
        &mut self,
        record: &Record<'_, impl Iterator<Item = Header<'h>> + Clone>,
    ) -> Result<()> {
        debug_assert!(
            record.offset > self.max_offset,
            "records come in offset order"
        );
        self.rows += 1;
        self.min_offset = self.min_offset.min(record.offset);
        self.max_offset = self.max_offset.max(record.offset);
        match &mut self.form {
            Form::Parquet(writer) => writer.push(record),
            Form::Jsonl(writer) => writer.push(record),
        }
    }

    /// About how many bytes the file would have now.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        match &self.form {
            Form::Parquet(writer) => writer.encoded_bytes(),
            Form::Jsonl(writer) => writer.encoded_bytes(),
        }
    }

    /// About how much memory the unfinished file takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Parquet(writer) => writer.memory_bytes(),
            Form::Jsonl(writer) => writer.memory_bytes(),
        }
    }

    /// The finished file.
    ///
    /// # Errors
    /// [`ArchiveError::Encode`].
    pub fn finish(self) -> Result<EncodedFile> {
        let bytes = match self.form {
            Form::Parquet(writer) => writer.finish()?,
            Form::Jsonl(writer) => writer.finish()?,
        };
        Ok(EncodedFile {
            sha256: Sha256::of_pieces(&bytes),
            bytes,
            rows: self.rows,
            min_offset: self.min_offset,
            max_offset: self.max_offset,
        })
    }
}

/// Reads a file in pieces of at most some thousand records.
#[derive(Debug)]
pub enum FileReader {
    /// Parquet.
    Parquet(Box<parquet_reader::ParquetFile>),
    /// JSON Lines.
    Jsonl(Box<jsonl_reader::JsonlFile>),
}

impl FileReader {
    /// Opens a file of `bytes` bytes. Its form is told by its name.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::Damaged`], [`ArchiveError::TooLarge`], or what the store answered.
    pub async fn open(
        store: &ArchiveStore,
        key: &ObjectKey,
        bytes: u64,
        limits: ReadLimits,
    ) -> Result<Self> {
        let format = crate::keys::RawFileName::parse(key)?.format;
        match format {
            FileFormat::Parquet => {
                let file = parquet_reader::ParquetFile::open(store, key, bytes, limits).await?;
                Ok(Self::Parquet(Box::new(file)))
            }
            FileFormat::Jsonl => {
                let file = jsonl_reader::JsonlFile::open(store, key, limits).await?;
                Ok(Self::Jsonl(Box::new(file)))
            }
        }
    }

    /// Passes over what lies wholly below `offset`, where that can be told without reading it.
    pub fn skip_below(&mut self, offset: i64) {
        match self {
            Self::Parquet(file) => file.skip_below(offset),
            Self::Jsonl(_) => {}
        }
    }

    /// Passes over what can't hold a record with this key, where that can be told without reading it. Other records may still be
    /// given, but need not be.
    ///
    /// # Errors
    /// Like [`FileReader::open`].
    pub async fn keep_key(&mut self, key: &[u8]) -> Result<()> {
        match self {
            Self::Parquet(file) => file.keep_key(key).await,
            Self::Jsonl(_) => Ok(()),
        }
    }

    /// The next records, in offset order; none at the end.
    ///
    /// # Errors
    /// Like [`FileReader::open`].
    pub async fn next_batch(&mut self) -> Result<Option<RecordBuffer>> {
        match self {
            Self::Parquet(file) => file.next_batch().await,
            Self::Jsonl(file) => file.next_batch().await,
        }
    }
}

/// Runs a decoder that may panic on bytes that nobody foresaw.
fn guarded<T>(key: &ObjectKey, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(ArchiveError::damaged(
            key,
            format!("the decoder gave up: {said}"),
        ))
    })
}

fn within(key: &ObjectKey, what: &'static str, size: u64, limit: u64) -> Result<()> {
    if size <= limit {
        return Ok(());
    }
    let key = key.to_string();
    Err(ArchiveError::TooLarge {
        key,
        what,
        size,
        limit,
    })
}

#[cfg(test)]
mod tests;
