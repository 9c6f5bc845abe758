//! The job `compact`: a closed day's many small files of a partition into few large ones.
//!
//! For each partition, links are taken from where the last compaction ended up to the last one whose days are closed, a day (or
//! `stretch_bytes`) at a time. Their files are compared with their digests, their records written again by region and day, what was
//! written read back and held against what was read, and only then the compaction is published. Its inputs go when it has stood for the
//! grace time and its files were compared with their digests once more. A process that dies leaves files that count for nothing, which
//! the next pass sweeps.

mod config;
mod inputs;
mod plan;
mod tally;
mod write;

use archive::chain::Link;
use archive::compaction::{Compacted, CompactedHead, Compaction, Compactions, VERSION};
use archive::{ArchiveError, ArchiveStore, Chain, ChainId, TopicName};
use chrono::Utc;
use uuid::Uuid;

use crate::jobs::Rounds;

pub use config::CompactConfig;
pub(crate) use plan::day_of;
pub use write::Limits;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Compactions that were published.
    pub compactions: u64,
    /// Files that they replaced.
    pub files_before: u64,
    /// Files that took their place.
    pub files_after: u64,
    /// Replaced files that were removed.
    pub removed: u64,
}

/// Runs the job until shutdown. What fails is told and tried again.
pub(crate) async fn run(
    config: CompactConfig,
    topics: Vec<TopicName>,
    store: ArchiveStore,
    mut rounds: Rounds,
) {
    while rounds.next().await {
        rounds
            .pass(async {
                // One topic's damage does not keep the others'.
                let mut failed = Ok(());
                for topic in &topics {
                    let done = pass(&config, &store, topic, Utc::now()).await;
                    failed = failed.and(done.map(drop));
                }
                Ok(failed?)
            })
            .await;
    }
}

/// One look at every partition of a topic.
///
/// # Errors
/// [`ArchiveError`]; what was published stands.
pub async fn pass(
    config: &CompactConfig,
    store: &ArchiveStore,
    topic: &TopicName,
    now: chrono::DateTime<Utc>,
) -> archive::Result<Done> {
    let mut done = Done::default();
    for id in archive::chain::chains_of(store, topic).await? {
        compact_partition(config, store, &id, now, &mut done).await?;
        inputs::remove(config, store, &id, now, &mut done).await?;
    }
    Ok(done)
}

async fn compact_partition(
    config: &CompactConfig,
    store: &ArchiveStore,
    id: &ChainId,
    now: chrono::DateTime<Utc>,
    done: &mut Done,
) -> archive::Result<()> {
    let (chain, compactions) = (
        Chain::new(store.clone(), id.clone()),
        Compactions::new(store.clone(), id.clone()),
    );
    let mut head = compactions.head().await?;
    loop {
        let stretch = plan::next_stretch(&chain, &head, config, now).await?;
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
            return Ok(());
        };
        follows(&chain, &head, first)?;
        let writer = Uuid::now_v7();
        let files = write::write(&chain, &stretch, config.limits(), writer).await?;
        let compaction = Compaction {
            version: VERSION,
            topic: id.topic.clone(),
            topic_id: id.topic_id.clone(),
            partition: id.partition,
            seq: head.next_seq,
            first_link: first.manifest.seq,
            last_link: last.manifest.seq,
            last_link_sha256: last.sha256,
            start: first.manifest.start,
            end: last.manifest.end,
            files,
            previous_sha256: head.sha256,
            made_at: now,
            writer,
        };
        let Compacted::Mine(next) = compactions.append(&head, &compaction).await? else {
            tracing::warn!(chain = %id, seq = head.next_seq, "another archiver has compacted these links");
            inputs::sweep(&chain, &compactions, &compaction).await?;
            return Ok(());
        };
        tell(id, &stretch, &compaction, done);
        inputs::sweep(&chain, &compactions, &compaction).await?;
        head = next;
    }
}

/// Compactions and links are compared where they meet: what was compacted must be what the chain says.
fn follows(chain: &Chain, head: &CompactedHead, first: &Link) -> archive::Result<()> {
    if head.end.is_some_and(|end| end != first.manifest.start) {
        return Err(ArchiveError::damaged(
            &chain.key(first.manifest.seq),
            "it does not begin where the compactions before it end",
        ));
    }
    Ok(())
}

fn tell(id: &ChainId, stretch: &[Link], compaction: &Compaction, done: &mut Done) {
    let before: usize = stretch.iter().map(|link| link.manifest.files.len()).sum();
    done.compactions += 1;
    done.files_before += before as u64;
    done.files_after += compaction.files.len() as u64;
    metrics::counter!("archive_compactions_total").increment(1);
    tracing::info!(
        chain = %id, links = stretch.len(), rows = compaction.rows(), files_before = before, files_after = compaction.files.len(),
        start = compaction.start, end = compaction.end, "compacted"
    );
}
