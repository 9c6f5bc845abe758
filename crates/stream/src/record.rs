//! Records of one partition that travel together.
//!
//! A block owns what its records borrow: it outlives the poll that made it, crosses threads, and gives its budget back when it is
//! dropped. From Kafka it holds librdkafka's own messages; a log of another kind builds blocks of its own with
//! [`RecordBlockBuilder`].

use std::borrow::Cow;

use crate::budget::Credit;
use crate::fetched::{Fetched, MessageHeaders};

/// Records of one partition in offset order.
#[derive(Debug)]
pub struct RecordBlock {
    partition: i32,
    epoch: u64,
    records: Records,
    _credit: Credit,
}

#[derive(Debug)]
enum Records {
    Fetched(Fetched),
    Built(Vec<Built>),
}

/// A record that did not come from Kafka.
#[derive(Debug)]
struct Built {
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl RecordBlock {
    /// Records out of Kafka; their share of the memory goes with them.
    pub(crate) fn fetched(partition: i32, epoch: u64, records: Fetched, credit: Credit) -> Self {
        Self {
            partition,
            epoch,
            records: Records::Fetched(records),
            _credit: credit,
        }
    }

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
        match &self.records {
            Records::Fetched(fetched) => fetched.messages().len(),
            Records::Built(built) => built.len(),
        }
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records in offset order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).map(|index| Record {
            block: &self.records,
            index,
        })
    }
}

/// One record, borrowed from its block.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    block: &'a Records,
    /// Below the block's length.
    index: usize,
}

impl<'a> Record<'a> {
    /// Its offset.
    #[must_use]
    pub fn offset(&self) -> i64 {
        match self.block {
            Records::Fetched(fetched) => fetched.messages()[self.index].offset(),
            Records::Built(built) => built[self.index].offset,
        }
    }

    /// Its own timestamp in milliseconds since 1970, if it has one.
    #[must_use]
    pub fn timestamp_ms(&self) -> Option<i64> {
        match self.block {
            Records::Fetched(fetched) => fetched.messages()[self.index].timestamp_ms(),
            Records::Built(built) => built[self.index].timestamp_ms,
        }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        match self.block {
            Records::Fetched(fetched) => fetched.messages()[self.index].key(),
            Records::Built(built) => built[self.index].key.as_deref(),
        }
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        match self.block {
            Records::Fetched(fetched) => fetched.messages()[self.index].value(),
            Records::Built(built) => built[self.index].value.as_deref(),
        }
    }

    /// Its headers in order. Kafka's are parsed when they are first asked for.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        Headers(match self.block {
            Records::Fetched(fetched) => Form::Fetched(fetched.headers(self.index)),
            Records::Built(built) => Form::Built(built[self.index].headers.iter()),
        })
    }
}

/// The headers of a record: name and value, the value possibly null. A name is text everywhere else, so bytes of it that are not
/// UTF-8 become U+FFFD here.
#[derive(Debug, Clone)]
pub struct Headers<'a>(Form<'a>);

#[derive(Debug, Clone)]
enum Form<'a> {
    Fetched(MessageHeaders<'a>),
    Built(std::slice::Iter<'a, (String, Option<Vec<u8>>)>),
}

impl<'a> Iterator for Headers<'a> {
    type Item = (Cow<'a, str>, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Form::Fetched(headers) => headers
                .next()
                .map(|(name, value)| (String::from_utf8_lossy(name), value)),
            Form::Built(headers) => headers
                .next()
                .map(|(name, value)| (Cow::Borrowed(name.as_str()), value.as_deref())),
        }
    }
}

/// Builds a block out of records that did not come from Kafka.
#[derive(Debug, Default)]
pub struct RecordBlockBuilder {
    records: Vec<Built>,
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
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        self.records.push(Built {
            offset,
            timestamp_ms,
            key: owned(key),
            value: owned(value),
            headers: headers
                .map(|(name, value)| (name.to_owned(), owned(value)))
                .collect(),
        });
    }

    /// The block, which counts against no budget. The builder is empty again.
    #[must_use]
    pub fn build(&mut self, partition: i32, epoch: u64) -> RecordBlock {
        RecordBlock {
            partition,
            epoch,
            records: Records::Built(std::mem::take(&mut self.records)),
            _credit: Credit::default(),
        }
    }
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
        let found: Vec<_> = records[0].headers().collect();
        assert_eq!(found, headers.map(|(name, value)| (name.into(), value)));
        assert_eq!((records[1].offset(), records[1].timestamp_ms()), (9, None));
        assert_eq!((records[1].key(), records[1].value()), (None, None));
        assert_eq!(records[1].headers().count(), 0);
    }
}
