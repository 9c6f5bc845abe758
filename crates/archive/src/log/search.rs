//! The records of one key: statistics and bloom filters tell which files can't have it, and those are not read.

use std::ops::{Range, RangeInclusive};

use futures::{StreamExt as _, TryStreamExt as _};

use crate::chain::{Chain, Place};
use crate::compaction::Compactions;
use crate::expiry::Expiries;
use crate::files::{FileReader, ReadLimits};
use crate::keys::RawFolder;
use crate::manifest::FileEntry;
use crate::quarantine::explain;
use crate::record::{Record, RecordBuffer};
use crate::{ArchiveError, Result};

/// Links that are fetched at a time.
const LINKS_AT_A_TIME: usize = 32;
/// Files that are looked into at a time.
const FILES_AT_A_TIME: usize = 8;

/// What a search looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Searched {
    /// Links that were read.
    pub links: u64,
    /// Files they name.
    pub files: u64,
    /// Files of which more than the end was read.
    pub files_read: u64,
    /// Records that were found.
    pub records: u64,
}

/// Finds the records with a key in one partition: those with offsets in `offsets` and, if given, in folders of `hours` (hours since
/// 1970). `found` gets them in offset order.
///
/// # Errors
/// A damaged link or file, or what the store answered.
pub async fn records_of_key(
    chain: &Chain,
    key: &[u8],
    offsets: Range<i64>,
    hours: Option<RangeInclusive<i64>>,
    limits: ReadLimits,
    found: &mut (dyn FnMut(&Record<'_>) + Send),
) -> Result<Searched> {
    let mut searched = Searched::default();
    let Some(last) = chain.last_seq().await? else {
        return Ok(searched);
    };
    let first = match chain.locate_within(offsets.start, last).await? {
        Place::Before => 0,
        Place::In(link) => link.manifest.seq,
        Place::Beyond => return Ok(searched),
    };
    let expired = Expiries::of(chain).newest().await?;
    let compactions = Compactions::of(chain);
    let head = compactions.head().await?;
    let first = first.max(expired.map_or(0, |expiry| expiry.links));
    // Few and large below the compactions' end, many and small above it.
    let mut compacted = Vec::new();
    let mut next = first;
    while next < head.next_link {
        let start = chain.read(next).await?.manifest.start.max(offsets.start);
        let Some(compaction) = compactions.covering(start).await? else {
            break;
        };
        next = compaction.last_link + 1;
        compacted.push(compaction.to_manifest());
        if start >= offsets.end {
            break;
        }
    }
    let links = futures::stream::iter(next..=last)
        .map(|seq| async move { Ok::<_, ArchiveError>(chain.read(seq).await?.manifest) })
        .buffered(LINKS_AT_A_TIME);
    let compacted = futures::stream::iter(compacted.into_iter().map(Ok));
    let mut manifests = std::pin::pin!(compacted.chain(links));
    while let Some(manifest) = manifests.try_next().await? {
        if manifest.start >= offsets.end {
            break;
        }
        searched.links += 1;
        searched.files += manifest.files.len() as u64;
        let wanted = manifest.files.into_iter().filter(|file| {
            let hour = RawFolder::parse(&file.key.folder()).map(|(_, folder)| folder.hour());
            let in_time = match (&hours, hour) {
                (Some(hours), Ok(hour)) => hours.contains(&hour),
                _ => true,
            };
            in_time && file.max_offset >= offsets.start && file.min_offset < offsets.end
        });
        let mut in_files: Vec<(RecordBuffer, bool)> = futures::stream::iter(wanted)
            .map(|file| search_file(chain, file, key, &offsets, limits))
            .buffered(FILES_AT_A_TIME)
            .try_collect()
            .await?;
        searched.files_read += in_files.iter().filter(|(_, read)| *read).count() as u64;
        in_files.retain(|(records, _)| !records.is_empty());
        searched.records += give_in_order(&in_files, found);
    }
    Ok(searched)
}

/// The records of one file with the key, and whether more than its end had to be read.
async fn search_file(
    chain: &Chain,
    entry: FileEntry,
    key: &[u8],
    offsets: &Range<i64>,
    limits: ReadLimits,
) -> Result<(RecordBuffer, bool)> {
    let opened = FileReader::open(chain.store(), &entry.key, entry.bytes, limits).await;
    let mut file = match opened {
        Ok(file) => file,
        Err(error) => return Err(explain(chain.store(), &entry.key, error).await),
    };
    file.skip_below(offsets.start);
    file.keep_key(key).await?;
    let (mut records, mut read) = (RecordBuffer::default(), false);
    while let Some(batch) = file.next_batch().await? {
        read = true;
        for record in batch.records() {
            if record.key == Some(key) && offsets.contains(&record.offset) {
                records.push(&record);
            }
        }
        // One key with gigabytes of records is not a game.
        if records.bytes() as u64 > limits.row_group_bytes {
            return Err(ArchiveError::TooLarge {
                key: entry.key.to_string(),
                what: "the size of the records with the key, in bytes,",
                size: records.bytes() as u64,
                limit: limits.row_group_bytes,
            });
        }
    }
    Ok((records, read))
}

/// Gives the records of some files in offset order.
fn give_in_order(
    files: &[(RecordBuffer, bool)],
    found: &mut (dyn FnMut(&Record<'_>) + Send),
) -> u64 {
    let mut order: Vec<(i64, usize, usize)> = Vec::new();
    for (file, (records, _)) in files.iter().enumerate() {
        order.extend(
            records
                .records()
                .enumerate()
                .map(|(place, record)| (record.offset, file, place)),
        );
    }
    order.sort_unstable();
    for (_, file, place) in &order {
        if let Some(record) = files[*file].0.get(*place) {
            found(&record);
        }
    }
    order.len() as u64
}
