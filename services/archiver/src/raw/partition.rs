//! The decisions about one owned partition: what is taken, when a batch is closed, what the next link will say. Pure: blocks,
//! times and answers in, closed batches out. The simulator runs it as it is.

use std::sync::Arc;

use archive::{ChainId, EncodedFile, FileFormat, FileOptions, Head, RawFolder};
use stream::RecordBlock;

use super::batch::Oddities;
use super::{OpenBatch, Pushed, RawPolicy};

/// A batch on its way to the store.
#[derive(Debug)]
pub struct ClosedBatch {
    /// Where the chain ended when it was closed: its link goes there and nowhere else.
    pub head: Head,
    /// Its first offset: where the chain ends.
    pub start: i64,
    /// The offset after its last record.
    pub end: i64,
    /// The form of its files.
    pub format: FileFormat,
    /// Its files.
    pub files: Vec<(RawFolder, EncodedFile)>,
    /// What was odd about its records.
    pub oddities: Oddities,
}

impl ClosedBatch {
    /// How many records it holds.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|(_, file)| file.rows).sum()
    }

    /// How many bytes its files have.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .map(|(_, file)| file.bytes.content_length() as u64)
            .sum()
    }
}

/// The writer of one partition, from a claim until it is forgotten.
#[derive(Debug)]
pub struct PartitionWriter {
    policy: Arc<RawPolicy>,
    options: FileOptions,
    /// The end of the chain as far as it is known.
    head: Head,
    /// The next offset to take; lower ones have been taken.
    next: i64,
    /// The first offset of the open batch.
    start: i64,
    batch: Option<OpenBatch>,
    opened_ms: u64,
    full: bool,
    /// The size of the batch on its way.
    in_flight: Option<u64>,
}

impl PartitionWriter {
    /// A writer behind a chain that ends at `head`; `first` is the first offset of a chain without links.
    #[must_use]
    pub fn new(chain: ChainId, policy: Arc<RawPolicy>, head: Head, first: i64) -> Self {
        let start = head.end.unwrap_or(first);
        Self {
            options: FileOptions {
                format: policy.format,
                zstd_level: policy.zstd_level,
                chain,
            },
            policy,
            head,
            next: start,
            start,
            batch: None,
            opened_ms: 0,
            full: false,
            in_flight: None,
        }
    }

    /// The next offset it takes.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.next
    }

    /// Where the chain ends, as far as this writer knows.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Takes records of a block from the place `from` on, and tells how many it is done with. It stops early at a record that
    /// has to wait for the next batch. Records below the position were taken before and are passed over.
    ///
    /// # Errors
    /// [`archive::ArchiveError::Encode`]: forget the partition.
    pub fn take(
        &mut self,
        block: &RecordBlock,
        from: usize,
        now_ms: u64,
    ) -> archive::Result<usize> {
        let mut done = from;
        for record in block.records().skip(from) {
            if record.offset() >= self.next {
                if self.is_full() {
                    break;
                }
                let batch = self.batch.get_or_insert_with(|| {
                    self.opened_ms = now_ms;
                    OpenBatch::new(self.options.clone(), &self.policy)
                });
                if batch.push(&record)? == Pushed::Full {
                    self.full = true;
                    break;
                }
                self.next = record.offset() + 1;
            }
            done += 1;
        }
        Ok(done)
    }

    /// Whether the open batch takes no more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let rotation = &self.policy.rotation;
        self.full
            || self.batch.as_ref().is_some_and(|batch| {
                batch.rows() >= rotation.rows || batch.encoded_bytes() as u64 >= rotation.bytes
            })
    }

    /// When the open batch is due by its age, in the milliseconds of `take`.
    #[must_use]
    pub fn due_at_ms(&self) -> Option<u64> {
        let age = u64::try_from(self.policy.rotation.age.as_millis()).unwrap_or(u64::MAX);
        self.batch
            .as_ref()
            .map(|_| self.opened_ms.saturating_add(age))
    }

    /// Whether the open batch should be closed.
    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.is_full() || self.due_at_ms().is_some_and(|due| due <= now_ms)
    }

    /// Whether a batch is on its way: the next one waits for its answer.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether records wait in an open batch.
    #[must_use]
    pub fn has_open_batch(&self) -> bool {
        self.batch.is_some()
    }

    /// About how much memory the open batch takes.
    #[must_use]
    pub fn open_bytes(&self) -> usize {
        self.batch.as_ref().map_or(0, OpenBatch::memory_bytes)
    }

    /// About how much memory the open batch and the one on its way take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let in_flight = self.in_flight.unwrap_or(0);
        self.open_bytes() + usize::try_from(in_flight).unwrap_or(usize::MAX)
    }

    /// Closes the open batch, unless there is none or another one is on its way.
    ///
    /// # Errors
    /// [`archive::ArchiveError::Encode`]: forget the partition.
    pub fn close(&mut self) -> archive::Result<Option<ClosedBatch>> {
        if self.in_flight.is_some() {
            return Ok(None);
        }
        let Some(batch) = self.batch.take() else {
            return Ok(None);
        };
        let oddities = batch.oddities();
        let closed = ClosedBatch {
            head: self.head.clone(),
            start: self.start,
            end: self.next,
            format: self.options.format,
            files: batch.finish()?,
            oddities,
        };
        self.full = false;
        self.start = self.next;
        self.in_flight = Some(closed.bytes());
        Ok(Some(closed))
    }

    /// The batch on its way is in the chain, which ends at `head` now.
    pub fn committed(&mut self, head: Head) {
        self.head = head;
        self.in_flight = None;
    }
}

#[cfg(test)]
mod tests;
