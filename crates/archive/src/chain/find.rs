//! Which chains an archive has.

use std::collections::BTreeSet;

use crate::Result;
use crate::keys::{ChainId, TopicName};
use crate::store::ArchiveStore;

/// The chains of a topic: of each log that had its name, and of each partition.
///
/// # Errors
/// What the store answered.
pub async fn chains_of(store: &ArchiveStore, topic: &TopicName) -> Result<BTreeSet<ChainId>> {
    let mut chains = BTreeSet::new();
    for log in store.folders(&topic.manifest_folder()).await? {
        for partition in store.folders(&log).await? {
            // What somebody else has put there is not ours to read.
            chains.extend(ChainId::of_folder(&partition).ok());
        }
    }
    Ok(chains)
}

/// The topics that have chains.
///
/// # Errors
/// What the store answered.
pub async fn topics_of(store: &ArchiveStore) -> Result<BTreeSet<TopicName>> {
    let root = crate::keys::ObjectKey::parse("_manifests")?;
    let folders = store.folders(&root).await?;
    let topic = |folder: &crate::keys::ObjectKey| {
        TopicName::parse(folder.name().strip_prefix("topic=")?).ok()
    };
    Ok(folders.iter().filter_map(topic).collect())
}
