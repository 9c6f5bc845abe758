//! `archiver quarantine`: an operator moves a damaged or hostile file out of the way of everybody who globs for files.

use anyhow::{Context as _, bail};
use archive::chain::{Place, chains_of};
use archive::compaction::Compactions;
use archive::keys::LogMark;
use archive::quarantine::{Moved, Named, move_aside, place_of, why};
use archive::summaries::{DayKey, Summaries};
use archive::{ArchiveError, ArchiveStore, Chain, ObjectKey, RawFileName, TopicName};
use chrono::Utc;

use crate::config::Config;

/// Which file, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file's key, as `archiver verify` names it
    #[arg(long)]
    key: String,
    /// What is wrong with it, for those who come after
    #[arg(long)]
    reason: String,
    /// Who decides
    #[arg(long, env = "USER", default_value = "unknown")]
    by: String,
    /// Do it; without this the command only says what it would do
    #[arg(long)]
    yes: bool,
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let store = ArchiveStore::open(&config.store)?;
    let key = ObjectKey::parse(&args.key)?;
    let file = named(&store, &key)
        .await?
        .with_context(|| format!("no manifest names {key}: `archiver sweep` removes such files"))?;
    if !args.yes {
        match why(&store, &key).await? {
            Some(note) => println!("{key} was moved aside before: {}", note.reason),
            None => println!(
                "{key} would be moved to {} if its bytes are not those that its manifest names; readers go on to stop at it, and are told why. Repeat with --yes.",
                place_of(&key)?
            ),
        }
        return Ok(());
    }
    match move_aside(&store, &file, &args.reason, &args.by, Utc::now()).await? {
        Moved::Aside(_) if DayKey::of_file(&key).is_some() => println!(
            "{key} lies in {} now. While the day's rows are in PostgreSQL, the next look of the job `summaries` at all days, such as after \
             its start, writes the day again; after that only its bytes back at their place make it whole.",
            place_of(&key)?
        ),
        Moved::Aside(note) => println!(
            "{key} lies in {} now: {} bytes with the digest {}, of {} with {}. It is whole again when those stand at its place.",
            place_of(&key)?,
            note.found_bytes,
            note.found_sha256,
            note.bytes,
            note.sha256
        ),
        Moved::Whole => bail!("{key} is what its manifest says, byte for byte; it stays"),
    }
    Ok(())
}

/// What a manifest, or a compaction, says of a file; none where none names it.
async fn named(store: &ArchiveStore, key: &ObjectKey) -> anyhow::Result<Option<Named>> {
    if let Some((day, revision)) = DayKey::of_file(key) {
        let revision = match Summaries::new(store.clone()).revision(&day, revision).await {
            Ok(revision) => revision,
            Err(ArchiveError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut files = revision
            .manifest
            .games
            .iter()
            .chain(&revision.manifest.players);
        return Ok(files.find(|file| file.key == *key).map(Named::from));
    }
    let name = RawFileName::parse(key)?;
    let parts: Vec<&str> = key.as_str().split('/').collect();
    let topic = parts.get(1).and_then(|part| part.strip_prefix("topic="));
    let topic = TopicName::parse(topic.with_context(|| format!("{key} names no topic"))?)?;
    for id in chains_of(store, &topic).await? {
        if LogMark::of(&id.topic_id) != name.log || id.partition != name.partition {
            continue;
        }
        let chain = Chain::new(store.clone(), id);
        let files = if parts[0] == "compacted" {
            let compaction = Compactions::of(&chain).covering(name.start).await?;
            compaction.map_or_else(Vec::new, |compaction| compaction.files)
        } else {
            match chain.locate(name.start).await? {
                Place::In(link) => link.manifest.files,
                _ => Vec::new(),
            }
        };
        if let Some(file) = files.iter().find(|file| file.key == *key) {
            return Ok(Some(Named::from(file)));
        }
    }
    Ok(None)
}
