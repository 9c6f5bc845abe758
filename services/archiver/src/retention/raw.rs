//! Raw records that are older than their own retention, where one is set.
//!
//! From the beginning of a partition, whole links whose records are all of days that are over for long enough; where links are compacted,
//! whole compactions. What is let go is noted first and removed then, so nobody takes it for lost; a process that died in between is
//! followed by one that goes on.

use archive::compaction::Compactions;
use archive::expiry::{Expiries, Expiry};
use archive::{ArchiveError, ArchiveStore, Chain, ChainId, ObjectKey, TopicName};
use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::compact::day_of;

/// Lets go of a topic's records of days before the last `keep_days`, today included. Says how many files were removed.
///
/// # Errors
/// A damaged link, or what the store answered; what was noted stands, and the next pass goes on.
pub async fn expire(
    store: &ArchiveStore,
    topic: &TopicName,
    keep_days: u32,
    now: DateTime<Utc>,
) -> archive::Result<u64> {
    let today = now.date_naive();
    let before = today
        .checked_sub_days(Days::new(u64::from(keep_days.saturating_sub(1))))
        .unwrap_or_default();
    let mut removed = 0;
    for id in archive::chain::chains_of(store, topic).await? {
        let partition = Partition::new(store, &id);
        let newest = partition.expiries.newest().await?;
        if let Some(newest) = &newest {
            removed += partition.remove(newest).await?;
        }
        if let Some(next) = partition.next(newest.as_ref(), before, now).await?
            && partition.expiries.note(newest.as_ref(), &next).await?
        {
            tracing::info!(chain = %id, %before, links = next.links, end = next.end, "old records are let go");
            removed += partition.remove(&next).await?;
        }
    }
    Ok(removed)
}

struct Partition {
    chain: Chain,
    compactions: Compactions,
    expiries: Expiries,
}

impl Partition {
    fn new(store: &ArchiveStore, id: &ChainId) -> Self {
        Self {
            chain: Chain::new(store.clone(), id.clone()),
            compactions: Compactions::new(store.clone(), id.clone()),
            expiries: Expiries::new(store.clone(), id.clone()),
        }
    }

    /// What can be let go now, if there is anything.
    async fn next(
        &self,
        last: Option<&Expiry>,
        before: NaiveDate,
        now: DateTime<Utc>,
    ) -> archive::Result<Option<Expiry>> {
        let first = last.map_or(0, |last| last.links);
        let mut links = self.chain.links(first);
        // The end of the last link that may go, and its number.
        let mut reached = None;
        while let Some(link) = links.next().await? {
            let day = day_of(&link, now.date_naive() + Days::new(1))?;
            if day.is_some_and(|day| day >= before) {
                break;
            }
            // Records of no day that can be told go with the next ones that can.
            if day.is_some() || link.manifest.gap.is_some() {
                reached = Some((link.manifest.seq, link.manifest.end));
            }
        }
        let Some((mut seq, mut end)) = reached else {
            return Ok(None);
        };
        if let Some(compaction) = self.compactions.covering(end - 1).await?
            && compaction.last_link > seq
        {
            let Some(whole) = compaction.first_link.checked_sub(1) else {
                return Ok(None);
            };
            (seq, end) = (whole, compaction.start);
        }
        Ok((seq + 1 > first).then(|| Expiry::after(last, seq + 1, end, before, now)))
    }

    /// Removes the files that an expiry lets go, oldest first: a process that dies leaves the newest, from which the next one sees.
    async fn remove(&self, expiry: &Expiry) -> archive::Result<u64> {
        let keys = self.files_below(expiry).await?;
        for key in &keys {
            self.chain.store().delete(key).await?;
        }
        Ok(keys.len() as u64)
    }

    /// The files of this expiry's own links: those of the one before are gone.
    async fn files_below(&self, expiry: &Expiry) -> archive::Result<Vec<ObjectKey>> {
        let (mut keys, mut seq) = (Vec::new(), expiry.links);
        // Downwards, until files are found gone or the chain begins.
        while let Some(below) = seq.checked_sub(1) {
            seq = below;
            let link = self.chain.read(seq).await?;
            let mut of_link: Vec<ObjectKey> = link
                .manifest
                .files
                .into_iter()
                .map(|file| file.key)
                .collect();
            if let Some(compaction) = self.compactions.covering(link.manifest.end - 1).await? {
                of_link.extend(compaction.files.into_iter().map(|file| file.key));
                seq = compaction.first_link;
                for inner in compaction.first_link..compaction.last_link {
                    let inner = self.chain.read(inner).await?;
                    of_link.extend(inner.manifest.files.into_iter().map(|file| file.key));
                }
            }
            if of_link.is_empty() {
                continue;
            }
            if self.are_gone(&of_link).await? {
                break;
            }
            keys.extend(of_link);
        }
        keys.reverse();
        Ok(keys)
    }

    async fn are_gone(&self, keys: &[ObjectKey]) -> archive::Result<bool> {
        for key in keys {
            match self.chain.store().size(key).await {
                Ok(_) => return Ok(false),
                Err(ArchiveError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
