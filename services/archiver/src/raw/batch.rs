//! The open batch of a partition: records on their way into files. Pure: no clock, no store.

use archive::{EncodedFile, FileOptions, FileWriter, RawFolder, Region};
use stream::Record;

use super::RawPolicy;

/// Whether a record went in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It did.
    Taken,
    /// It would open a file too many: close the batch first.
    Full,
}

/// Records that are worth a look, by count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Oddities {
    /// Records whose region header is no region.
    pub other_region: u64,
    /// Records without a timestamp, or with one that no calendar has.
    pub no_time: u64,
}

/// What an open file takes beside its records.
const FILE_BYTES: usize = 64 << 10;

#[derive(Debug)]
struct OpenFile {
    folder: RawFolder,
    /// The header that led here, to know the next record of it at once.
    header: Option<Vec<u8>>,
    /// Whether that header is there and names no region.
    odd_region: bool,
    writer: FileWriter,
}

/// Records of one partition on their way into files, one for each region and hour.
#[derive(Debug)]
pub struct OpenBatch {
    options: FileOptions,
    default_region: Region,
    max_files: usize,
    files: Vec<OpenFile>,
    /// The file that the last record went to: most follow it.
    last: usize,
    rows: u64,
    encoded_bytes: usize,
    memory_bytes: usize,
    oddities: Oddities,
}

impl OpenBatch {
    /// An empty batch.
    #[must_use]
    pub fn new(options: FileOptions, policy: &RawPolicy) -> Self {
        Self {
            options,
            default_region: policy.default_region.clone(),
            max_files: policy.rotation.files,
            files: Vec::new(),
            last: 0,
            rows: 0,
            encoded_bytes: 0,
            memory_bytes: 0,
            oddities: Oddities::default(),
        }
    }

    /// Adds a record, in offset order.
    ///
    /// # Errors
    /// [`archive::ArchiveError::Encode`]: the batch is of no use any more.
    pub fn push(&mut self, record: &Record<'_>) -> archive::Result<Pushed> {
        let header = archive::record::region_header(record.headers());
        let Some(place) = self.place(header, record.timestamp_ms()) else {
            return Ok(Pushed::Full);
        };
        let index = match place {
            Place::File(index) => index,
            Place::New(folder, odd_region) => {
                self.files.push(OpenFile {
                    folder,
                    odd_region,
                    header: header.map(<[u8]>::to_vec),
                    writer: FileWriter::new(&self.options)?,
                });
                self.files.len() - 1
            }
        };
        self.last = index;
        let writer = &mut self.files[index].writer;
        let before = (writer.encoded_bytes(), writer.memory_bytes());
        writer.push(&archive::Record {
            offset: record.offset(),
            timestamp_ms: record.timestamp_ms(),
            key: record.key(),
            value: record.value(),
            headers: record.headers(),
        })?;
        self.encoded_bytes = self.encoded_bytes + writer.encoded_bytes() - before.0;
        self.memory_bytes = self.memory_bytes + writer.memory_bytes() - before.1;
        self.rows += 1;
        Ok(Pushed::Taken)
    }

    /// The file of a record; none when there is no room for one more.
    fn place(&mut self, header: Option<&[u8]>, timestamp_ms: Option<i64>) -> Option<Place> {
        let hour = RawFolder::hour_of(timestamp_ms);
        let leads =
            |file: &OpenFile| file.header.as_deref() == header && file.folder.hour() == hour;
        let last = self.files.get(self.last).filter(|file| leads(file));
        let known = last
            .map(|_| self.last)
            .or_else(|| self.files.iter().position(leads));
        if let Some(index) = known {
            self.count(self.files[index].odd_region, timestamp_ms);
            return Some(Place::File(index));
        }
        let named = header.map(|bytes| {
            std::str::from_utf8(bytes)
                .ok()
                .and_then(|text| Region::parse(text).ok())
        });
        let odd_region = matches!(named, Some(None));
        let region = match named {
            None => self.default_region.clone(),
            Some(region) => region.unwrap_or_else(Region::other),
        };
        let folder = RawFolder::of(region, timestamp_ms);
        let found = self.files.iter().position(|file| file.folder == folder);
        let place = match found {
            Some(index) => Place::File(index),
            None if self.files.len() >= self.max_files => return None,
            None => Place::New(folder, odd_region),
        };
        self.count(odd_region, timestamp_ms);
        Some(place)
    }

    fn count(&mut self, odd_region: bool, timestamp_ms: Option<i64>) {
        self.oddities.no_time += u64::from(timestamp_ms.is_none_or(|ms| ms < 0));
        self.oddities.other_region += u64::from(odd_region);
    }

    /// How many records it holds.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many bytes its files would have now.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        // A writer has its fixed costs before its first record is counted.
        self.memory_bytes + self.files.len() * FILE_BYTES
    }

    /// What was odd about its records.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    /// Its finished files.
    ///
    /// # Errors
    /// [`archive::ArchiveError::Encode`].
    pub fn finish(self) -> archive::Result<Vec<(RawFolder, EncodedFile)>> {
        let finished = self.files.into_iter();
        finished
            .map(|file| Ok((file.folder, file.writer.finish()?)))
            .collect()
    }
}

enum Place {
    File(usize),
    /// None yet; and whether it is the header that names no region.
    New(RawFolder, bool),
}
