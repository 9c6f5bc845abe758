//! The log as one: the archive, and behind its end what Kafka still has.
//!
//! A partition's records come in offset order from any offset on. Where the archive ends is looked up, not assumed: while a reader
//! is on its way the archive grows and Kafka forgets, and either side stands in for the other. Where links are compacted, the compaction's
//! files are read; what has expired on purpose is passed over.

mod merge;
mod search;
#[cfg(test)]
pub(crate) mod testing;

use crate::chain::{Chain, Links, Place};
use crate::compaction::Compactions;
use crate::expiry::Expiries;
use crate::files::ReadLimits;
use crate::manifest::Gap;
use crate::record::RecordBuffer;
use crate::{ArchiveError, Result};

pub use merge::ManifestReader;
pub use search::{Searched, records_of_key};

/// What Kafka still has of one partition. The crate that knows Kafka brings it.
pub trait LogTail: Send {
    /// The offset of the oldest record, and the one after the newest.
    fn bounds(&mut self) -> impl Future<Output = Result<(i64, i64)>> + Send;

    /// Records from `from` on, in offset order and without holes that Kafka does not have; none at the end of the log.
    ///
    /// # Errors
    /// [`ArchiveError::Log`], also when `from` is not there any more.
    fn read(&mut self, from: i64) -> impl Future<Output = Result<Option<RecordBuffer>>> + Send;
}

/// No tail: the log ends where the archive does.
#[derive(Debug, Clone, Copy)]
pub struct NoTail;

impl LogTail for NoTail {
    async fn bounds(&mut self) -> Result<(i64, i64)> {
        Ok((i64::MAX, i64::MAX))
    }

    async fn read(&mut self, _from: i64) -> Result<Option<RecordBuffer>> {
        Ok(None)
    }
}

/// A stretch of the log.
#[derive(Debug, Clone)]
pub enum Stretch {
    /// Records in offset order.
    Records(RecordBuffer),
    /// Offsets whose records are gone for good.
    Gap {
        /// The first of them.
        start: i64,
        /// The offset after the last.
        end: i64,
        /// Why.
        gap: Gap,
    },
}

enum Source {
    /// Not known yet, or in doubt.
    Unknown,
    /// The archive; none between two links.
    Archive(Links, Option<Box<ManifestReader>>),
    Tail,
}

/// Reads a partition's records in offset order from archive and Kafka.
pub struct LogReader<T> {
    chain: Chain,
    tail: T,
    limits: ReadLimits,
    position: i64,
    source: Source,
    /// Below this offset compactions hold the records.
    compacted_end: Option<i64>,
}

impl<T> std::fmt::Debug for LogReader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader")
            .field("chain", self.chain.id())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl<T: LogTail> LogReader<T> {
    /// A reader from `offset` on. What lies below the beginning of the archive exists nowhere and is passed over.
    #[must_use]
    pub fn new(chain: Chain, tail: T, offset: i64, limits: ReadLimits) -> Self {
        Self {
            chain,
            tail,
            limits,
            position: offset,
            source: Source::Unknown,
            compacted_end: None,
        }
    }

    /// The offset that comes next, if there is one.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The next stretch; none at the end of the log. Asked again later, it goes on with what has come.
    ///
    /// # Errors
    /// What the store or the tail answered, damage, or a hole that is in neither of them.
    pub async fn next(&mut self) -> Result<Option<Stretch>> {
        loop {
            match &mut self.source {
                Source::Unknown => self.source = self.find().await?,
                Source::Archive(links, open) => {
                    if let Some(reader) = open {
                        match reader.next_block().await {
                            Ok(Some(records)) => {
                                self.position = records.next_offset().unwrap_or(self.position);
                                return Ok(Some(Stretch::Records(records)));
                            }
                            Ok(None) => {}
                            // Compacted and removed since it was opened: others have the records.
                            Err(ArchiveError::Missing { .. })
                                if was_compacted(
                                    &self.chain,
                                    self.compacted_end,
                                    self.position,
                                )
                                .await? =>
                            {
                                self.source = Source::Unknown;
                                continue;
                            }
                            Err(error) => return Err(error),
                        }
                        self.position = self.position.max(reader.end());
                        *open = None;
                    }
                    let Some(link) = links.next().await? else {
                        self.source = Source::Tail;
                        continue;
                    };
                    let mut manifest = link.manifest;
                    let start = manifest.start.max(self.position);
                    if let Some(gap) = manifest.gap {
                        self.position = manifest.end;
                        let end = manifest.end;
                        return Ok(Some(Stretch::Gap { start, end, gap }));
                    }
                    if self.compacted_end.is_some_and(|end| start < end) {
                        let compactions = Compactions::of(&self.chain);
                        if let Some(compaction) = compactions.covering(start).await? {
                            *links = self.chain.links(compaction.last_link + 1);
                            manifest = compaction.to_manifest();
                        }
                    }
                    let reader = ManifestReader::new(
                        self.chain.store().clone(),
                        manifest,
                        start,
                        self.limits,
                    );
                    *open = Some(Box::new(reader));
                }
                Source::Tail => match self.read_tail().await? {
                    Tail::Records(records) => return Ok(Some(Stretch::Records(records))),
                    Tail::End => {
                        // Asked again, the archive may have grown past this place.
                        self.source = Source::Unknown;
                        return Ok(None);
                    }
                    Tail::Archived(source) => self.source = source,
                },
            }
        }
    }

    /// Where the position lies.
    async fn find(&mut self) -> Result<Source> {
        if let Some(expiry) = Expiries::of(&self.chain).newest().await? {
            self.position = self.position.max(expiry.end);
        }
        self.compacted_end = Compactions::of(&self.chain).head().await?.end;
        let place = self.chain.locate(self.position).await?;
        let seq = match place {
            Place::Before => 0,
            Place::In(link) => link.manifest.seq,
            Place::Beyond => return Ok(Source::Tail),
        };
        Ok(Source::Archive(self.chain.links(seq), None))
    }

    async fn read_tail(&mut self) -> Result<Tail> {
        let from = self.position;
        let read = match self.tail.bounds().await {
            Ok((first, end)) if first > from && first < i64::MAX => Err(self.missing(format!(
                "Kafka has offsets {first} to {end}, the archive ends before {from}"
            ))),
            Ok(_) => self.tail.read(from).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(Some(records)) => {
                self.position = records.next_offset().unwrap_or(from);
                Ok(Tail::Records(records))
            }
            Ok(None) => Ok(Tail::End),
            // What Kafka has removed meanwhile was archived before.
            Err(error) => match self.find().await? {
                Source::Tail => Err(error),
                source => Ok(Tail::Archived(source)),
            },
        }
    }

    fn missing(&self, reason: String) -> ArchiveError {
        let partition = self.chain.id().partition;
        ArchiveError::Log { partition, reason }
    }
}

/// Whether compactions hold a position now, and did not when they ended at `known`.
async fn was_compacted(chain: &Chain, known: Option<i64>, position: i64) -> Result<bool> {
    let end = Compactions::of(chain).head().await?.end;
    Ok(end > known && end.is_some_and(|end| position < end))
}

enum Tail {
    Records(RecordBuffer),
    End,
    Archived(Source),
}

#[cfg(test)]
mod tests;
