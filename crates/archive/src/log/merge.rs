//! The records of one link in offset order. Its files overlap in offsets, as regions and hours do, so they are read side by side;
//! a file is opened when its first offset is reached.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::files::{FileReader, ReadLimits};
use crate::manifest::{FileEntry, Manifest};
use crate::quarantine::explain;
use crate::record::RecordBuffer;
use crate::store::ArchiveStore;
use crate::{ArchiveError, Result};

/// Records are given out in pieces of about this many bytes …
const BLOCK_BYTES: usize = 1 << 20;
/// … or so many records.
const BLOCK_RECORDS: usize = 8_192;

/// A file that is being read.
struct Cursor {
    entry: FileEntry,
    file: FileReader,
    batch: RecordBuffer,
    next: usize,
    read: u64,
    /// Whether every record of it passes by, so that they can be counted.
    whole: bool,
}

impl Cursor {
    /// The offset of its next record; none at its end.
    async fn peek(&mut self) -> Result<Option<i64>> {
        loop {
            if let Some(record) = self.batch.get(self.next) {
                let offset = record.offset;
                let within = self.entry.min_offset <= offset && offset <= self.entry.max_offset;
                return if within {
                    Ok(Some(offset))
                } else {
                    Err(ArchiveError::damaged(
                        &self.entry.key,
                        format!("it holds offset {offset}, which its manifest does not give it"),
                    ))
                };
            }
            match self.file.next_batch().await? {
                Some(batch) => {
                    self.read += batch.len() as u64;
                    (self.batch, self.next) = (batch, 0);
                }
                None if self.whole && self.read != self.entry.rows => {
                    let detail = format!(
                        "it holds {} records, its manifest says {}",
                        self.read, self.entry.rows
                    );
                    return Err(ArchiveError::damaged(&self.entry.key, detail));
                }
                None => return Ok(None),
            }
        }
    }
}

/// Reads the records of a link in offset order, with as much memory as a row group of each file that is open needs.
pub struct ManifestReader {
    store: ArchiveStore,
    limits: ReadLimits,
    end: i64,
    /// The offset that comes next.
    from: i64,
    /// Files not opened yet, the one with the lowest offset last.
    waiting: Vec<FileEntry>,
    open: Vec<Option<Cursor>>,
    /// The next offset of each open file.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
}

impl std::fmt::Debug for ManifestReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManifestReader")
            .field("from", &self.from)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl ManifestReader {
    /// A reader of the link's records from `from` on.
    #[must_use]
    pub fn new(store: ArchiveStore, manifest: Manifest, from: i64, limits: ReadLimits) -> Self {
        let mut waiting = manifest.files;
        waiting.retain(|file| file.max_offset >= from);
        waiting.sort_by_key(|file| Reverse(file.min_offset));
        Self {
            store,
            limits,
            end: manifest.end,
            from,
            waiting,
            open: Vec::new(),
            heads: BinaryHeap::new(),
        }
    }

    /// The offset after the link's last.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.end
    }

    /// The next records; none at the end of the link.
    ///
    /// # Errors
    /// A missing or damaged file, an offset that two files hold, or what the store answered.
    pub async fn next_block(&mut self) -> Result<Option<RecordBuffer>> {
        let mut block = RecordBuffer::default();
        while block.len() < BLOCK_RECORDS && block.bytes() < BLOCK_BYTES {
            self.open_due().await?;
            let Some(Reverse((offset, place))) = self.heads.pop() else {
                break;
            };
            let Some(cursor) = &mut self.open[place] else {
                continue;
            };
            if offset < self.from {
                let detail = format!("offset {offset} stands in two files");
                return Err(ArchiveError::damaged(&cursor.entry.key, detail));
            }
            if let Some(record) = cursor.batch.get(cursor.next) {
                block.push(&record);
            }
            self.from = offset + 1;
            cursor.next += 1;
            match cursor.peek().await? {
                Some(next) => self.heads.push(Reverse((next, place))),
                None => self.open[place] = None,
            }
        }
        Ok((!block.is_empty()).then_some(block))
    }

    /// Opens the files whose first offset may come next.
    async fn open_due(&mut self) -> Result<()> {
        while let Some(entry) = self.waiting.last() {
            let lowest = self.heads.peek().map(|Reverse((offset, _))| *offset);
            if lowest.is_some_and(|lowest| lowest < entry.min_offset) {
                return Ok(());
            }
            let Some(entry) = self.waiting.pop() else {
                return Ok(());
            };
            let opened = FileReader::open(&self.store, &entry.key, entry.bytes, self.limits);
            let mut file = match opened.await {
                Ok(file) => file,
                Err(error) => return Err(explain(&self.store, &entry.key, error).await),
            };
            let whole = self.from <= entry.min_offset;
            if !whole {
                file.skip_below(self.from);
            }
            let (batch, next, read) = (RecordBuffer::default(), 0, 0);
            let mut cursor = Cursor {
                entry,
                file,
                batch,
                next,
                read,
                whole,
            };
            // Below the place where reading began nothing is asked for.
            let mut head = cursor.peek().await?;
            while !whole && head.is_some_and(|offset| offset < self.from) {
                cursor.next += 1;
                head = cursor.peek().await?;
            }
            if let Some(offset) = head {
                self.heads.push(Reverse((offset, self.open.len())));
                self.open.push(Some(cursor));
            }
        }
        Ok(())
    }
}
