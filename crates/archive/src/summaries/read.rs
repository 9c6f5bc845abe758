//! Reading a revision's rows: file after file, each compared with its digest before a row of it is believed.

use std::collections::VecDeque;
use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::Summaries;
use super::layout::{Kind, RevisionNumber};
use super::manifest::{SummaryFile, SummaryManifest};
use crate::quarantine::explain;
use crate::store::ArchiveStore;
use crate::{ArchiveError, ObjectKey, Result, Sha256};

/// The largest file that is read whole. Files are written much smaller.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// Rows that are decoded together.
const BATCH_ROWS: usize = 512;

/// A kind of row: how it is put into columns and back, and how it is ordered.
pub trait SummaryRow: Clone + Debug + PartialEq + Send + Sized + 'static {
    /// What the rows are.
    const KIND: Kind;
    /// How many rows a row group has at most: what a reader of one row fetches.
    const ROWS_PER_GROUP: usize;
    /// Orders the rows, by bytes where it is text. No two rows of a revision have the same.
    type Key: Ord + Clone + Debug + Send;

    /// The columns.
    fn schema() -> SchemaRef;
    /// The row's place in the order.
    fn key(&self) -> Self::Key;
    /// The first part of the key, by which a file is chosen.
    fn file_key(&self) -> &str;
    /// Rows as columns.
    ///
    /// # Errors
    /// [`ArchiveError::Encode`].
    fn to_batch(rows: &[Self], revision: RevisionNumber) -> Result<RecordBatch>;
    /// Columns as rows.
    ///
    /// # Errors
    /// What is not as it should be, in words.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, String>;
}

/// The rows of a revision, in order.
pub struct Rows<R> {
    store: ArchiveStore,
    files: VecDeque<SummaryFile>,
    open: Option<OpenFile>,
    ready: VecDeque<R>,
}

struct OpenFile {
    key: ObjectKey,
    batches: ParquetRecordBatchReader,
    missing: u64,
}

impl<R> Debug for Rows<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl Summaries {
    /// The rows of a revision. No manifest has no rows.
    #[must_use]
    pub fn rows<R: SummaryRow>(&self, manifest: Option<&SummaryManifest>) -> Rows<R> {
        let files = manifest.map_or(&[][..], |manifest| manifest.files(R::KIND));
        self.rows_of(files)
    }

    /// The rows of some files of a revision.
    pub(super) fn rows_of<R: SummaryRow>(&self, files: &[SummaryFile]) -> Rows<R> {
        Rows {
            store: self.store.clone(),
            files: files.iter().cloned().collect(),
            open: None,
            ready: VecDeque::new(),
        }
    }
}

/// The bytes of a file, if they are those that its manifest has the digest of.
pub(super) async fn whole_file(store: &ArchiveStore, file: &SummaryFile) -> Result<Bytes> {
    let bytes = match store.get(&file.key, MAX_FILE_BYTES).await {
        Ok(bytes) => bytes,
        Err(error) => return Err(explain(store, &file.key, error).await),
    };
    if bytes.len() as u64 != file.bytes || Sha256::of(&bytes) != file.sha256 {
        return Err(ArchiveError::damaged(
            &file.key,
            "its bytes are not those that the manifest has the digest of",
        ));
    }
    Ok(bytes)
}

impl<R: SummaryRow> Rows<R> {
    /// The next row.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::Quarantined`] or [`ArchiveError::Damaged`] with the file's name, or what the store
    /// answered.
    pub async fn next(&mut self) -> Result<Option<R>> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            match &mut self.open {
                Some(file) => match file.next::<R>()? {
                    Some(rows) => self.ready.extend(rows),
                    None => self.open = None,
                },
                None => match self.files.pop_front() {
                    Some(file) => self.open = Some(OpenFile::open(&self.store, file).await?),
                    None => return Ok(None),
                },
            }
        }
    }
}

impl OpenFile {
    async fn open(store: &ArchiveStore, file: SummaryFile) -> Result<Self> {
        let bytes = whole_file(store, &file).await?;
        let broken = |error: parquet::errors::ParquetError| {
            ArchiveError::damaged(&file.key, error.to_string())
        };
        let batches = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .map_err(broken)?
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(broken)?;
        Ok(Self {
            batches,
            missing: file.rows,
            key: file.key,
        })
    }

    fn next<R: SummaryRow>(&mut self) -> Result<Option<Vec<R>>> {
        let Some(batch) = self.batches.next() else {
            return if self.missing == 0 {
                Ok(None)
            } else {
                Err(ArchiveError::damaged(
                    &self.key,
                    format!("{} of its rows are not there", self.missing),
                ))
            };
        };
        let batch = batch.map_err(|error| ArchiveError::damaged(&self.key, error.to_string()))?;
        let rows = R::from_batch(&batch).map_err(|why| ArchiveError::damaged(&self.key, why))?;
        self.missing = self
            .missing
            .checked_sub(rows.len() as u64)
            .ok_or_else(|| ArchiveError::damaged(&self.key, "it has more rows than it should"))?;
        Ok(Some(rows))
    }
}
