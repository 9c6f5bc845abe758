//! Records as the archive has them: Kafka's bytes, nothing interpreted.

use std::borrow::Cow;

/// A header: its name and its value, which may be null.
pub type Header<'a> = (Cow<'a, str>, Option<&'a [u8]>);

/// A record. `H` goes through its headers in order.
#[derive(Debug, Clone)]
pub struct Record<'a, H = Headers<'a>> {
    /// Its offset.
    pub offset: i64,
    /// Its own timestamp in milliseconds since 1970, if it has one.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: H,
}

/// A stretch of a buffer's bytes; a null has the length [`ABSENT`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

const ABSENT: u32 = u32::MAX;

impl Span {
    /// Where it begins and how long it is; none for a null.
    pub(crate) fn place(self) -> Option<(u32, u32)> {
        (self.len != ABSENT).then_some((self.start, self.len))
    }
}

/// The most bytes of a buffer: places in it have 32 bits, and a record has up to two gigabytes.
const MOST_BYTES: usize = 1 << 31;

/// A record by the places of its parts.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Span,
    pub(crate) value: Span,
    /// The first of its headers, and the one after its last.
    pub(crate) headers: (u32, u32),
}

/// Records that own their bytes, in one piece of memory. For pieces of a log, not for a log: it takes no record once it holds two
/// gigabytes.
#[derive(Debug, Clone, Default)]
pub struct RecordBuffer {
    entries: Vec<Entry>,
    headers: Vec<(Span, Span)>,
    bytes: Vec<u8>,
}

impl RecordBuffer {
    /// Appends a record.
    ///
    /// # Panics
    /// When the buffer holds two gigabytes already: whoever fills one has limits far below.
    pub fn push<'h>(&mut self, record: &Record<'_, impl Iterator<Item = Header<'h>> + Clone>) {
        assert!(
            self.bytes.len() < MOST_BYTES && self.headers.len() < MOST_BYTES,
            "a buffer of records has grown beyond two gigabytes"
        );
        let first = place(self.headers.len());
        for (name, value) in record.headers.clone() {
            let header = (self.copy(Some(name.as_bytes())), self.copy(value));
            self.headers.push(header);
        }
        let entry = Entry {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: self.copy(record.key),
            value: self.copy(record.value),
            headers: (first, place(self.headers.len())),
        };
        self.entries.push(entry);
    }

    fn copy(&mut self, bytes: Option<&[u8]>) -> Span {
        let start = place(self.bytes.len());
        let Some(bytes) = bytes else {
            return Span { start, len: ABSENT };
        };
        let room = self.bytes.capacity() - self.bytes.len();
        if room < bytes.len() {
            // By half instead of doubling: many buffers that fill slowly are most of an archiver's memory.
            let more = bytes.len().max(self.bytes.len() / 2).max(4_096);
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(bytes);
        let len = place(bytes.len());
        Span { start, len }
    }

    /// An empty buffer with room for as much as this one holds.
    pub(crate) fn of_same_size(&self) -> Self {
        Self {
            entries: Vec::with_capacity(self.entries.len() + self.entries.len() / 8),
            headers: Vec::with_capacity(self.headers.len() + self.headers.len() / 8),
            bytes: Vec::with_capacity(self.bytes.len() + self.bytes.len() / 8),
        }
    }

    /// Its parts: the records, the names and values of their headers, and the bytes that all of them lie in.
    pub(crate) fn into_parts(self) -> (Vec<Entry>, Vec<(Span, Span)>, Vec<u8>) {
        (self.entries, self.headers, self.bytes)
    }

    /// How many headers its records have together.
    pub(crate) fn header_count(&self) -> usize {
        self.headers.len()
    }

    /// How many bytes of memory it has taken, used or not.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.headers.capacity() * size_of::<(Span, Span)>()
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
            + self.entries.len() * size_of::<Entry>()
            + self.headers.len() * size_of::<(Span, Span)>()
    }

    /// The offset after its last record.
    #[must_use]
    pub fn next_offset(&self) -> Option<i64> {
        self.entries.last().map(|entry| entry.offset + 1)
    }

    /// A record by its place.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        self.entries.get(index).map(|entry| self.record(entry))
    }

    /// The records in the order they were pushed.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| self.record(entry))
    }

    fn record<'a>(&'a self, entry: &Entry) -> Record<'a> {
        let (from, to) = (entry.headers.0 as usize, entry.headers.1 as usize);
        Record {
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms,
            key: slice(&self.bytes, entry.key),
            value: slice(&self.bytes, entry.value),
            headers: Headers {
                spans: self.headers[from..to].iter(),
                bytes: &self.bytes,
            },
        }
    }
}

/// The bytes of a span; none for a null.
pub(crate) fn slice(bytes: &[u8], span: Span) -> Option<&[u8]> {
    let start = span.start as usize;
    (span.len != ABSENT).then(|| &bytes[start..start + span.len as usize])
}

/// A place or a length. [`RecordBuffer::push`] keeps both below four gigabytes.
fn place(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(ABSENT - 1)
}

/// The headers of a buffered record, in order.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    spans: std::slice::Iter<'a, (Span, Span)>,
    bytes: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.spans.next()?;
        let name = slice(self.bytes, *name).unwrap_or_default();
        // Names are pushed as text.
        Some((
            Cow::Borrowed(std::str::from_utf8(name).unwrap_or_default()),
            slice(self.bytes, *value),
        ))
    }
}

/// The region that a record's headers name: the first header `region`, as it came.
pub fn region_header<'a>(mut headers: impl Iterator<Item = Header<'a>>) -> Option<&'a [u8]> {
    headers
        .find(|(name, _)| name == events::headers::REGION)
        .and_then(|(_, value)| value)
}
