//! Removing what counts for nothing any more: replaced files after their grace time, and files of attempts that came to nothing.

use std::collections::BTreeSet;

use archive::compaction::{CompactedFolder, Compaction, Compactions, check_digest};
use archive::keys::LogMark;
use archive::{ArchiveStore, Chain, ChainId, ObjectKey, RawFileName};
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;

use super::Done;
use super::config::CompactConfig;

/// Removes the inputs of compactions that have stood for the grace time and whose files are whole.
///
/// # Errors
/// [`archive::ArchiveError::Damaged`] when a compacted file is not what it was: then its inputs stay. Or what the store answered.
pub(super) async fn remove(
    config: &CompactConfig,
    store: &ArchiveStore,
    id: &ChainId,
    now: DateTime<Utc>,
    done: &mut Done,
) -> archive::Result<()> {
    let compactions = Compactions::new(store.clone(), id.clone());
    let chain = Chain::new(store.clone(), id.clone());
    let grace = TimeDelta::from_std(config.grace).unwrap_or(TimeDelta::MAX);
    let Some(mut seq) = compactions.last_seq().await? else {
        return Ok(());
    };
    // From the newest down to one whose inputs are gone, and then oldest first.
    let mut due = Vec::new();
    loop {
        let (compaction, _) = compactions.read(seq).await?;
        if now.signed_duration_since(compaction.made_at) >= grace {
            if is_clear(&compactions, &chain, &compaction).await? {
                break;
            }
            due.push(compaction);
        }
        let Some(before) = seq.checked_sub(1) else {
            break;
        };
        seq = before;
    }
    for compaction in due.iter().rev() {
        done.removed += remove_inputs(&compactions, &chain, compaction, now).await?;
    }
    Ok(())
}

/// Whether the inputs were removed to the last one. The note comes before the removing, so a process may have died between.
async fn is_clear(
    compactions: &Compactions,
    chain: &Chain,
    compaction: &Compaction,
) -> archive::Result<bool> {
    if !compactions.inputs_removed(compaction.seq).await? {
        return Ok(false);
    }
    // The last file of the last link that has any goes last.
    for seq in (compaction.first_link..=compaction.last_link).rev() {
        if let Some(file) = chain.read(seq).await?.manifest.files.last() {
            return match chain.store().size(&file.key).await {
                Ok(_) => Ok(false),
                Err(archive::ArchiveError::Missing { .. }) => Ok(true),
                Err(error) => Err(error),
            };
        }
    }
    Ok(true)
}

async fn remove_inputs(
    compactions: &Compactions,
    chain: &Chain,
    compaction: &Compaction,
    now: DateTime<Utc>,
) -> archive::Result<u64> {
    for file in &compaction.files {
        check_digest(chain.store(), file).await?;
    }
    let last = chain.read(compaction.last_link).await?;
    if last.sha256 != compaction.last_link_sha256 {
        return Err(archive::ArchiveError::damaged(
            &compactions.key(compaction.seq),
            "it was made of another chain than stands there",
        ));
    }
    compactions.note_inputs_removed(compaction.seq, now).await?;
    let mut removed = 0;
    // The last link's files last: their absence says that all are gone.
    for seq in compaction.first_link..=compaction.last_link {
        for file in &chain.read(seq).await?.manifest.files {
            chain.store().delete(&file.key).await?;
            removed += 1;
        }
    }
    tracing::info!(
        chain = %chain.id(), first_link = compaction.first_link, last_link = compaction.last_link, removed,
        "removed files that were compacted"
    );
    Ok(removed)
}

/// Removes files in a compaction's folders that no compaction names and, their offsets being compacted, none can name later.
///
/// # Errors
/// What the store answered, or a damaged compaction: then nothing more is removed.
pub(super) async fn sweep(
    chain: &Chain,
    compactions: &Compactions,
    written: &Compaction,
) -> archive::Result<()> {
    let folders: BTreeSet<ObjectKey> = written.files.iter().map(|file| file.key.folder()).collect();
    let (mark, partition) = (LogMark::of(&chain.id().topic_id), chain.id().partition);
    for folder in folders
        .iter()
        .filter(|folder| CompactedFolder::parse(folder).is_some())
    {
        let listed: Vec<_> = chain.store().list(folder).try_collect().await?;
        for object in listed {
            let Ok(name) = RawFileName::parse(&object.key) else {
                continue;
            };
            if name.partition != partition || name.log != mark {
                continue;
            }
            let Some(stands) = compactions.covering(name.start).await? else {
                continue;
            };
            if !stands.files.iter().any(|file| file.key == object.key) {
                chain.store().delete(&object.key).await?;
            }
        }
    }
    Ok(())
}
