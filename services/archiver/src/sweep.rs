//! `archiver sweep`: removing, from a whole topic, the files of attempts that never came to count.
//!
//! Owners sweep behind themselves: what a killed one left is removed by whoever archives those offsets. What a stopped one still
//! writes after that stays until a sweep of the whole; it costs one listing.

use std::collections::BTreeMap;

use archive::chain::{Standing, Sweeper, chains_of};
use archive::keys::LogMark;
use archive::{ArchiveStore, Chain, RawFileName, TopicName};
use futures::TryStreamExt as _;

use crate::config::Config;

/// What to sweep.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic
    #[arg(long, default_value = events::GAME_EVENTS_TOPIC)]
    topic: String,
    /// Remove the files; without this the command only says which
    #[arg(long)]
    yes: bool,
}

/// What a sweep found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Files that no manifest names, and none ever can.
    pub orphans: u64,
    /// Files that count, or may yet.
    pub kept: u64,
    /// Objects that are no files of a known chain.
    pub foreign: u64,
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let store = ArchiveStore::open(&config.store)?;
    let topic = TopicName::parse(&args.topic)?;
    let found = sweep_topic(&store, &topic, args.yes, &mut |key| println!("{key}")).await?;
    let (did, hint) = if args.yes {
        ("removed", "")
    } else {
        ("would remove", "; repeat with --yes")
    };
    println!(
        "{did} {} files that no manifest can name; {} files count{hint}",
        found.orphans, found.kept
    );
    if found.foreign > 0 {
        println!(
            "{} objects are no files of a known chain and were left alone",
            found.foreign
        );
    }
    Ok(())
}

/// Sweeps a topic; `told` hears of each orphan.
///
/// # Errors
/// What the store answered, or a damaged manifest: then nothing more is removed.
pub async fn sweep_topic(
    store: &ArchiveStore,
    topic: &TopicName,
    remove: bool,
    told: &mut (dyn FnMut(&archive::ObjectKey) + Send),
) -> archive::Result<Found> {
    let mut sweepers = BTreeMap::new();
    for id in chains_of(store, topic).await? {
        let place = (LogMark::of(&id.topic_id), id.partition);
        sweepers.insert(place, Sweeper::new(Chain::new(store.clone(), id)).await?);
    }
    let mut found = Found::default();
    let mut listed = store.list(&topic.raw_folder());
    while let Some(object) = listed.try_next().await? {
        let name = RawFileName::parse(&object.key).ok();
        let sweeper = name.and_then(|name| sweepers.get_mut(&(name.log, name.partition)));
        let standing = match sweeper {
            Some(sweeper) => sweeper.standing(&object.key).await?,
            None => Standing::Foreign,
        };
        match standing {
            Standing::Foreign => found.foreign += 1,
            Standing::Kept => found.kept += 1,
            Standing::Orphan => {
                found.orphans += 1;
                told(&object.key);
                if remove {
                    store.delete(&object.key).await?;
                }
            }
        }
    }
    Ok(found)
}
