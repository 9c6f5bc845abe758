//! Records of one partition, copied together into one piece of memory.
//!
//! A block owns its bytes: it outlives the poll that made it, crosses threads, and gives its budget back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes are on their way from the poll thread to a reader.
#[derive(Debug, Default)]
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    pub(crate) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A share of budgets, given back on drop.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    budgets: Vec<Arc<Budget>>,
    bytes: usize,
}

impl Credit {
    pub(crate) fn take(budgets: Vec<Arc<Budget>>, bytes: usize) -> Self {
        for budget in &budgets {
            budget.0.fetch_add(bytes, Ordering::Relaxed);
        }
        Self { budgets, bytes }
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        for budget in &self.budgets {
            budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// A stretch of a block's bytes; `ABSENT` length for a null.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

const ABSENT: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: i64,
    timestamp_ms: i64,
    key: Span,
    value: Span,
    headers: Span,
}

/// Records of one partition in offset order.
#[derive(Debug)]
pub struct RecordBlock {
    partition: i32,
    epoch: u64,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    _credit: Credit,
}

impl RecordBlock {
    /// The partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The epoch of the start that these records follow: see [`crate::Consumer::start`].
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records in offset order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| Record {
            entry: *entry,
            bytes: &self.bytes,
        })
    }
}

/// One record, borrowed from its block.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    entry: Entry,
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Its offset.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.entry.offset
    }

    /// Its own timestamp in milliseconds since 1970, if it has one.
    #[must_use]
    pub fn timestamp_ms(&self) -> Option<i64> {
        (self.entry.timestamp_ms >= 0).then_some(self.entry.timestamp_ms)
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.span(self.entry.key)
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.span(self.entry.value)
    }

    /// Its headers in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        Headers {
            rest: self.span(self.entry.headers).unwrap_or_default(),
        }
    }

    fn span(&self, span: Span) -> Option<&'a [u8]> {
        let start = span.start as usize;
        (span.len != ABSENT).then(|| &self.bytes[start..start + span.len as usize])
    }
}

/// The headers of a record: name and value, the value possibly null.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name_len, rest) = self.rest.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_at(u32::from_le_bytes(*name_len) as usize);
        let (value_len, rest) = rest.split_first_chunk::<4>()?;
        let value_len = u32::from_le_bytes(*value_len);
        let (value, rest) = if value_len == ABSENT {
            (None, rest)
        } else {
            let (value, rest) = rest.split_at(value_len as usize);
            (Some(value), rest)
        };
        self.rest = rest;
        Some((std::str::from_utf8(name).unwrap_or_default(), value))
    }
}

/// Appends headers to a record that is being pushed.
pub(crate) struct HeadersBuilder<'b> {
    bytes: &'b mut Vec<u8>,
}

impl HeadersBuilder<'_> {
    /// Appends a header. A name is text everywhere else, so bytes that are not UTF-8 become U+FFFD here.
    pub(crate) fn push(&mut self, name: &[u8], value: Option<&[u8]>) {
        let name = String::from_utf8_lossy(name);
        self.bytes.extend(length(name.len()).to_le_bytes());
        self.bytes.extend(name.as_bytes());
        self.bytes
            .extend(value.map_or(ABSENT, |v| length(v.len())).to_le_bytes());
        self.bytes.extend(value.unwrap_or_default());
    }
}

/// Gathers records into a block.
#[derive(Debug, Default)]
pub struct RecordBlockBuilder {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl RecordBlockBuilder {
    /// Appends a record. Offsets must rise.
    pub fn push<'h>(
        &mut self,
        offset: i64,
        timestamp_ms: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl Iterator<Item = (&'h str, Option<&'h [u8]>)>,
    ) {
        self.push_with(offset, timestamp_ms, key, value, |to| {
            headers.for_each(|(name, value)| to.push(name.as_bytes(), value));
        });
    }

    /// Appends a record whose headers are pushed by `headers`.
    pub(crate) fn push_with(
        &mut self,
        offset: i64,
        timestamp_ms: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl FnOnce(&mut HeadersBuilder<'_>),
    ) {
        let key = self.copy(key);
        let value = self.copy(value);
        let start = self.bytes.len();
        headers(&mut HeadersBuilder {
            bytes: &mut self.bytes,
        });
        let headers = Span {
            start: length(start),
            len: length(self.bytes.len() - start),
        };
        self.entries.push(Entry {
            offset,
            timestamp_ms: timestamp_ms.unwrap_or(-1),
            key,
            value,
            headers,
        });
    }

    fn copy(&mut self, bytes: Option<&[u8]>) -> Span {
        let start = length(self.bytes.len());
        let Some(bytes) = bytes else {
            return Span { start, len: ABSENT };
        };
        self.bytes.extend(bytes);
        Span {
            start,
            len: length(bytes.len()),
        }
    }

    /// How many bytes the records take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The block, outside any budget. The builder is empty again.
    #[must_use]
    pub fn build(&mut self, partition: i32, epoch: u64) -> RecordBlock {
        self.build_with(partition, epoch, Vec::new())
    }

    pub(crate) fn build_with(
        &mut self,
        partition: i32,
        epoch: u64,
        budgets: Vec<Arc<Budget>>,
    ) -> RecordBlock {
        let credit = Credit::take(budgets, self.bytes());
        let Self { entries, bytes } = std::mem::take(self);
        RecordBlock {
            partition,
            epoch,
            entries,
            bytes,
            _credit: credit,
        }
    }
}

/// Kafka bounds a record by a 32-bit length, and a block is closed far below four gigabytes.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(ABSENT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut builder = RecordBlockBuilder::default();
        let headers = [("a", Some(&b"1"[..])), ("b", None), ("a", Some(&b""[..]))];
        builder.push(7, Some(5), Some(b"k"), Some(b"v"), headers.into_iter());
        builder.push(9, None, None, None, std::iter::empty());
        let block = builder.build(3, 1);
        let records: Vec<Record<'_>> = block.records().collect();
        assert_eq!((block.partition(), block.len()), (3, 2));
        assert_eq!(
            (records[0].offset(), records[0].timestamp_ms()),
            (7, Some(5))
        );
        assert_eq!(
            (records[0].key(), records[0].value()),
            (Some(&b"k"[..]), Some(&b"v"[..]))
        );
        assert_eq!(records[0].headers().collect::<Vec<_>>(), headers);
        assert_eq!((records[1].offset(), records[1].timestamp_ms()), (9, None));
        assert_eq!(
            (
                records[1].key(),
                records[1].value(),
                records[1].headers().count()
            ),
            (None, None, 0)
        );
    }

    #[test]
    fn a_header_name_that_is_not_text_is_kept_as_far_as_it_is() {
        let mut builder = RecordBlockBuilder::default();
        builder.push_with(0, None, None, None, |headers| {
            headers.push(b"a\xffb", Some(b"\xff"))
        });
        let block = builder.build(0, 1);
        let headers: Vec<_> = block
            .records()
            .flat_map(|record| record.headers())
            .collect();
        assert_eq!(headers, [("a\u{fffd}b", Some(&b"\xff"[..]))]);
    }

    #[test]
    fn a_block_gives_its_budget_back_when_it_is_dropped() {
        let budget = Arc::new(Budget::default());
        let mut builder = RecordBlockBuilder::default();
        builder.push(0, None, None, Some(&[0; 1000]), std::iter::empty());
        let block = builder.build_with(0, 1, vec![Arc::clone(&budget)]);
        assert!(budget.used() > 1000);
        drop(block);
        assert_eq!(budget.used(), 0);
    }
}
