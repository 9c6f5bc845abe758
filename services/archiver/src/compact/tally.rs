//! A sum over records that tells whether two sets of them are the same, in whatever order and files they lie.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use archive::record::Record;

/// How many records, and the sum of a hash of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) records: u64,
    sum: u64,
}

impl Tally {
    /// Counts a record with everything it has.
    pub(super) fn add(&mut self, record: &Record<'_>) {
        let mut hasher = DefaultHasher::new();
        (record.offset, record.timestamp_ms, record.key, record.value).hash(&mut hasher);
        for (name, value) in record.headers.clone() {
            (name, value).hash(&mut hasher);
        }
        self.records += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

#[cfg(test)]
mod tests {
    use archive::RecordBuffer;

    use super::*;

    fn tally(records: &[(i64, Option<&[u8]>)]) -> Tally {
        let mut buffer = RecordBuffer::default();
        for (offset, value) in records {
            buffer.push(&Record {
                offset: *offset,
                timestamp_ms: Some(7),
                key: None,
                value: *value,
                headers: [("a".into(), Some(&b"b"[..]))].into_iter(),
            });
        }
        let mut tally = Tally::default();
        buffer.records().for_each(|record| tally.add(&record));
        tally
    }

    #[test]
    fn the_order_says_nothing_and_every_byte_does() {
        let one = tally(&[(1, Some(b"x")), (2, None)]);
        assert_eq!(one, tally(&[(2, None), (1, Some(b"x"))]));
        for other in [
            tally(&[(1, Some(b"y")), (2, None)]),
            tally(&[(1, Some(b"x")), (2, Some(b""))]),
            tally(&[(1, Some(b"x")), (3, None)]),
            tally(&[(1, Some(b"x"))]),
        ] {
            assert_ne!(one, other);
        }
    }
}
