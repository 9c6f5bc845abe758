//! Writing the records of some links again, by region and day.
//!
//! Memory: a batch of records of each of a link's files, and the files that are being written, bounded by `memory_bytes`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use archive::chain::Link;
use archive::compaction::{CompactedFolder, check_digest};
use archive::keys::{FileFormat, LogMark, RawFolder};
use archive::{
    ArchiveError, Chain, FileEntry, FileOptions, FileReader, FileWriter, RawFileName, ReadLimits,
    RecordBuffer,
};
use uuid::Uuid;

use super::tally::Tally;

/// How large files and memory get.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A file is closed at so many bytes.
    pub file_bytes: usize,
    /// Above so many bytes of open files the largest is closed.
    pub memory_bytes: usize,
    /// The level of zstd.
    pub zstd_level: i32,
}

/// Writes the links' records into files of their region and day, and proves that they are the same records.
///
/// # Errors
/// [`ArchiveError::Damaged`] when an input is not what its link says, or an output not what was written; or what the store answered.
pub(super) async fn write(
    chain: &Chain,
    links: &[Link],
    limits: Limits,
    writer: Uuid,
) -> archive::Result<Vec<FileEntry>> {
    let mut outputs = Outputs {
        chain,
        limits,
        writer,
        open: BTreeMap::new(),
        done: Vec::new(),
    };
    let mut read = Tally::default();
    for link in links {
        copy(chain, link, &mut outputs, &mut read).await?;
    }
    let files = outputs.finish().await?;
    prove(chain, &files, read).await?;
    Ok(files)
}

/// A link's file on its way through.
struct Input {
    folder: CompactedFolder,
    reader: FileReader,
    batch: RecordBuffer,
    at: usize,
}

impl Input {
    async fn open(chain: &Chain, file: &FileEntry) -> archive::Result<Self> {
        check_digest(chain.store(), file).await?;
        let (topic, folder) = RawFolder::parse(&file.key.folder())?;
        let limits = ReadLimits::default();
        Ok(Self {
            folder: CompactedFolder::of(&topic, &folder),
            reader: FileReader::open(chain.store(), &file.key, file.bytes, limits).await?,
            batch: RecordBuffer::default(),
            at: 0,
        })
    }

    /// The offset of its next record; none at its end.
    async fn next_offset(&mut self) -> archive::Result<Option<i64>> {
        while self.at >= self.batch.len() {
            let Some(batch) = self.reader.next_batch().await? else {
                return Ok(None);
            };
            (self.batch, self.at) = (batch, 0);
        }
        Ok(self.batch.get(self.at).map(|record| record.offset))
    }
}

/// Copies a link's records in offset order: a file of a region and day may get them from several hours.
async fn copy(
    chain: &Chain,
    link: &Link,
    outputs: &mut Outputs<'_>,
    read: &mut Tally,
) -> archive::Result<()> {
    let (mut inputs, mut turns) = (Vec::new(), BinaryHeap::new());
    for file in &link.manifest.files {
        let mut input = Input::open(chain, file).await?;
        if let Some(offset) = input.next_offset().await? {
            turns.push(Reverse((offset, inputs.len())));
        }
        inputs.push(input);
    }
    let (before, mut last) = (read.records, i64::MIN);
    while let Some(Reverse((offset, index))) = turns.pop() {
        let input = &mut inputs[index];
        if offset <= last || !(link.manifest.start..link.manifest.end).contains(&offset) {
            return Err(ArchiveError::damaged(
                &link.manifest.files[index].key,
                format!("offset {offset} is out of place in it"),
            ));
        }
        last = offset;
        if let Some(record) = input.batch.get(input.at) {
            read.add(&record);
            outputs.push(&input.folder, &record).await?;
        }
        input.at += 1;
        if let Some(offset) = input.next_offset().await? {
            turns.push(Reverse((offset, index)));
        }
    }
    if read.records - before != link.manifest.rows() {
        let detail = format!(
            "its files hold {} records and it says {}",
            read.records - before,
            link.manifest.rows()
        );
        return Err(ArchiveError::damaged(&chain.key(link.manifest.seq), detail));
    }
    Ok(())
}

/// The files that are being written.
struct Outputs<'a> {
    chain: &'a Chain,
    limits: Limits,
    writer: Uuid,
    open: BTreeMap<CompactedFolder, FileWriter>,
    done: Vec<FileEntry>,
}

/// How many records go by between two looks at the memory of all open files.
const LOOK_EVERY: u64 = 4_096;

impl Outputs<'_> {
    async fn push(
        &mut self,
        folder: &CompactedFolder,
        record: &archive::Record<'_>,
    ) -> archive::Result<()> {
        if !self.open.contains_key(folder) {
            let options = FileOptions {
                format: FileFormat::Parquet,
                zstd_level: self.limits.zstd_level,
                chain: self.chain.id().clone(),
            };
            self.open.insert(folder.clone(), FileWriter::new(&options)?);
        }
        let Some(file) = self.open.get_mut(folder) else {
            return Ok(());
        };
        file.push(record)?;
        if file.encoded_bytes() >= self.limits.file_bytes {
            self.put(&folder.clone()).await?;
        }
        if record.offset.unsigned_abs().is_multiple_of(LOOK_EVERY) {
            self.stay_within_memory().await?;
        }
        Ok(())
    }

    async fn stay_within_memory(&mut self) -> archive::Result<()> {
        while let Some(folder) = self.largest_if_too_much() {
            self.put(&folder).await?;
        }
        Ok(())
    }

    fn largest_if_too_much(&self) -> Option<CompactedFolder> {
        let sizes = self
            .open
            .iter()
            .map(|(folder, file)| (file.memory_bytes(), folder));
        let total: usize = sizes.clone().map(|(bytes, _)| bytes).sum();
        let (_, largest) = sizes.max()?;
        (total > self.limits.memory_bytes).then(|| largest.clone())
    }

    async fn put(&mut self, folder: &CompactedFolder) -> archive::Result<()> {
        let Some(file) = self.open.remove(folder) else {
            return Ok(());
        };
        let file = file.finish()?;
        let chain = self.chain.id();
        let name = RawFileName {
            partition: chain.partition,
            start: file.min_offset,
            end: file.max_offset + 1,
            log: LogMark::of(&chain.topic_id),
            writer: self.writer,
            attempt: self.done.len() as u64 + 1,
            format: FileFormat::Parquet,
        };
        let key = name.in_folder(&folder.key());
        self.chain.store().put(&key, file.bytes.clone()).await?;
        self.done.push(file.entry(key));
        Ok(())
    }

    async fn finish(mut self) -> archive::Result<Vec<FileEntry>> {
        while let Some(folder) = self.open.keys().next().cloned() {
            self.put(&folder).await?;
        }
        Ok(self.done)
    }
}

/// Reads back what was written: the same bytes, and the same records as were read.
async fn prove(chain: &Chain, files: &[FileEntry], read: Tally) -> archive::Result<()> {
    let mut written = Tally::default();
    for file in files {
        check_digest(chain.store(), file).await?;
        let limits = ReadLimits::default();
        let mut reader = FileReader::open(chain.store(), &file.key, file.bytes, limits).await?;
        while let Some(batch) = reader.next_batch().await? {
            batch.records().for_each(|record| written.add(&record));
        }
    }
    if written != read {
        let detail = format!(
            "{} records were read and {} other ones written; nothing is published",
            read.records, written.records
        );
        return Err(ArchiveError::damaged(chain.id(), detail));
    }
    Ok(())
}
