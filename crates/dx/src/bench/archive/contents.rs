//! What an archiver left: how large it is, how fast it is read back, and how soon one game is found in it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::bail;
use archive::log::records_of_key;
use archive::{ArchiveStore, Chain, LogReader, NoTail, ReadLimits, Record, Stretch, TopicName};

use crate::bench::usage;

/// What the chains of a topic name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stored {
    pub(super) records: u64,
    /// Of all files.
    pub(super) bytes: u64,
    pub(super) files: u64,
    /// Batches.
    pub(super) links: u64,
}

/// Adds up what the manifests say.
///
/// # Errors
/// A chain can't be read.
pub(super) async fn stored(store: &ArchiveStore, topic: &TopicName) -> anyhow::Result<Stored> {
    let mut stored = Stored::default();
    for chain in chains(store, topic).await? {
        let mut links = chain.links(0);
        while let Some(link) = links.next().await? {
            stored.links += 1;
            for file in &link.manifest.files {
                stored.files += 1;
                stored.bytes += file.bytes;
                stored.records += file.rows;
            }
        }
    }
    Ok(stored)
}

async fn chains(store: &ArchiveStore, topic: &TopicName) -> anyhow::Result<Vec<Chain>> {
    let ids = archive::chain::chains_of(store, topic).await?;
    Ok(ids
        .into_iter()
        .map(|id| Chain::new(store.clone(), id))
        .collect())
}

/// What reading everything took.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadBack {
    pub(super) records: u64,
    pub(super) value_bytes: u64,
    pub(super) took: Duration,
    pub(super) cpu: Duration,
}

impl ReadBack {
    pub(super) fn per_second(&self) -> f64 {
        self.records as f64 / self.took.as_secs_f64().max(1e-3)
    }
}

/// Reads every partition through the log reader, one after the other, and shows each record's key.
///
/// # Errors
/// A file is damaged, or the archive has a gap.
pub(super) async fn read_back(
    store: &ArchiveStore,
    topic: &TopicName,
    mut see: impl FnMut(&[u8]),
) -> anyhow::Result<ReadBack> {
    let (cpu, began) = (usage::cpu_of_this()?, Instant::now());
    let (mut records, mut value_bytes) = (0, 0);
    for chain in chains(store, topic).await? {
        let mut reader = LogReader::new(chain, NoTail, 0, ReadLimits::default());
        while let Some(stretch) = reader.next().await? {
            let Stretch::Records(block) = stretch else {
                bail!("the archive of a bench has no gap");
            };
            for record in block.records() {
                records += 1;
                value_bytes += record.value.map_or(0, <[u8]>::len) as u64;
                see(record.key.unwrap_or_default());
            }
        }
    }
    Ok(ReadBack {
        records,
        value_bytes,
        took: began.elapsed(),
        cpu: usage::cpu_of_this()?.saturating_sub(cpu),
    })
}

/// A game that was looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) records: u64,
    pub(super) took: Duration,
    pub(super) bytes_read: u64,
}

/// Looks for each game in every partition, as `archiver cat --game` does.
///
/// # Errors
/// A file is damaged.
pub(super) async fn find(
    store: &ArchiveStore,
    topic: &TopicName,
    games: &[Vec<u8>],
) -> anyhow::Result<Vec<Found>> {
    let mut all = Vec::new();
    for game in games {
        let (began, bytes_before) = (Instant::now(), store.bytes_read());
        let mut records = 0;
        for chain in chains(store, topic).await? {
            let mut take = |_: &Record<'_>| {};
            let limits = ReadLimits::default();
            let searched =
                records_of_key(&chain, game, 0..i64::MAX, None, limits, &mut take).await?;
            records += searched.records;
        }
        all.push(Found {
            records,
            took: began.elapsed(),
            bytes_read: store.bytes_read() - bytes_before,
        });
    }
    Ok(all)
}

/// How many records each game has, by reading all there are.
///
/// # Errors
/// A file is damaged.
pub(super) async fn count(
    store: &ArchiveStore,
    topic: &TopicName,
    games: &[Vec<u8>],
) -> anyhow::Result<Vec<u64>> {
    let mut counts: HashMap<&[u8], u64> = games.iter().map(|game| (&**game, 0)).collect();
    read_back(store, topic, |key| {
        if let Some(count) = counts.get_mut(key) {
            *count += 1;
        }
    })
    .await?;
    Ok(games
        .iter()
        .map(|game| counts.get(&**game).copied().unwrap_or_default())
        .collect())
}
