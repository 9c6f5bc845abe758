//! `archiver accept-gap`: an operator's word that a hole in the log is to be passed over.

use anyhow::{Context as _, bail};
use archive::manifest::VERSION;
use archive::{Appended, ArchiveStore, Chain, ChainId, Gap, Manifest, TopicId, TopicName};
use stream::TopicProbe;

use crate::config::Config;
use crate::raw::WriterId;

/// Which gap, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic
    #[arg(long, default_value = events::GAME_EVENTS_TOPIC)]
    topic: String,
    /// The partition that is stopped with the reason `log_gap`
    #[arg(long)]
    partition: i32,
    /// Why the records are given up, for those who come after
    #[arg(long)]
    reason: String,
    /// Who decides
    #[arg(long, env = "USER", default_value = "unknown")]
    by: String,
    /// Do it; without this the command only says what it would do
    #[arg(long)]
    yes: bool,
}

/// Writes a manifest without files for the offsets that Kafka has removed.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let (kafka, partition) = (config.kafka.consumer(&args.topic), args.partition);
    let question = tokio::task::spawn_blocking(move || {
        let probe = TopicProbe::new(&kafka)?;
        Ok::<_, stream::StreamError>((probe.identity()?, probe.watermarks(partition)?))
    });
    let (identity, (first, _)) = question.await.context("asking Kafka")??;
    let id = ChainId {
        topic: TopicName::parse(&args.topic)?,
        topic_id: TopicId::parse(&identity.topic_id)?,
        partition,
    };
    let chain = Chain::new(ArchiveStore::open(&config.store)?, id);
    let end = chain.head().await?.end;
    if end.is_none_or(|end| end >= first) {
        bail!(
            "partition {partition} has no gap: the log begins at offset {first}, the archive ends at {}",
            end.unwrap_or(first)
        );
    }
    if !args.yes {
        println!(
            "the archive of partition {partition} ends at offset {}, the log begins at {first} now. The records between are gone \
             and would be given up for good. Repeat with --yes.",
            end.unwrap_or(first)
        );
        return Ok(());
    }
    let gap = Gap {
        reason: args.reason,
        accepted_by: args.by,
    };
    match accept_gap(&chain, first, gap).await? {
        Some((from, to)) => println!(
            "accepted: offsets {from} to {to} are not in the archive. A running archiver goes on within half a minute."
        ),
        None => bail!("another archiver has written this place of the chain meanwhile; look again"),
    }
    Ok(())
}

/// Appends the link of a gap up to `first`, the log's first offset. Tells the offsets given up; none when there is no gap, or
/// another writer came first.
///
/// # Errors
/// What the store answered; ask again then.
pub async fn accept_gap(
    chain: &Chain,
    first: i64,
    gap: Gap,
) -> archive::Result<Option<(i64, i64)>> {
    let head = chain.head().await?;
    let Some(start) = head.end.filter(|end| *end < first) else {
        return Ok(None);
    };
    let writer = WriterId::random();
    let id = chain.id().clone();
    let manifest = Manifest {
        version: VERSION,
        topic: id.topic,
        topic_id: id.topic_id,
        partition: id.partition,
        seq: head.next_seq,
        start,
        end: first,
        files: Vec::new(),
        gap: Some(gap),
        previous_sha256: head.sha256,
        writer: writer.id(),
        attempt: 1,
    };
    match chain.append(&head, &manifest).await? {
        Appended::Mine(_) => Ok(Some((start, first))),
        Appended::Fenced => Ok(None),
    }
}
