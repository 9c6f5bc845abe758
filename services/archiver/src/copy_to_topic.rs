//! `archiver copy-to-topic`: an archived topic into an empty one, for developers. Recovery reads the archive in place instead:
//! records behind others would be judged against them, and a game's order would be another.

use anyhow::{Context as _, bail};
use archive::{ArchiveStore, LogReader, NoTail, ReadLimits, RecordBuffer, Stretch};
use publisher::{GamePublisher, Pending, PublisherConfig, RawRecord};
use stream::TopicProbe;

use crate::chains::Selection;
use crate::config::Config;

/// Records on their way to the broker at a time.
const IN_FLIGHT: usize = 10_000;

/// From where to where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// The topic to fill; it has to exist and be empty
    #[arg(long)]
    to: String,
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let store = ArchiveStore::open(&config.store)?;
    let chains = args.selection.one_log(&store).await?;
    require_empty(config, &args.to).await?;
    let mut target = PublisherConfig::new(&config.kafka.brokers, &args.to);
    target.properties.clone_from(&config.kafka.properties);
    let publisher = GamePublisher::connect(target).await?;
    let mut records = 0_u64;
    for chain in chains {
        let mut reader = LogReader::new(chain, NoTail, 0, ReadLimits::default());
        while let Some(stretch) = reader.next().await? {
            if let Stretch::Records(block) = stretch {
                publish(&publisher, &block).await?;
                records += block.len() as u64;
            }
        }
    }
    println!(
        "copied {records} records to {}; each key's in their order, with new offsets and timestamps",
        args.to
    );
    Ok(())
}

/// Refuses a topic that has, or ever had, records.
async fn require_empty(config: &Config, topic: &str) -> anyhow::Result<()> {
    let kafka = config.kafka.consumer(topic);
    let question = tokio::task::spawn_blocking(move || {
        let probe = TopicProbe::new(&kafka)?;
        let count = probe.identity()?.partition_count;
        let used: Result<Vec<(i32, i64)>, stream::StreamError> = (0..count)
            .map(|partition| Ok((partition, probe.watermarks(partition)?.1)))
            .collect();
        used
    });
    let ends = question.await.context("asking Kafka")??;
    if let Some((partition, end)) = ends.iter().find(|(_, end)| *end > 0) {
        bail!(
            "the topic {topic} is not empty: partition {partition} ends at offset {end}. Records behind others would be judged against them; make a new topic"
        );
    }
    Ok(())
}

/// Publishes a block in order and waits for it.
async fn publish(publisher: &GamePublisher, block: &RecordBuffer) -> anyhow::Result<()> {
    let mut pending: Vec<Pending> = Vec::with_capacity(block.len().min(IN_FLIGHT));
    for record in block.records() {
        let headers: Vec<_> = record.headers.clone().collect();
        let headers: Vec<(&str, Option<&[u8]>)> = headers
            .iter()
            .map(|(name, value)| (name.as_ref(), *value))
            .collect();
        let raw = RawRecord {
            key: record.key,
            value: record.value,
            headers: &headers,
        };
        pending.push(publisher.send_raw(raw).await?);
        if pending.len() >= IN_FLIGHT {
            for sent in pending.drain(..) {
                sent.await?;
            }
        }
    }
    for sent in pending {
        sent.await?;
    }
    Ok(())
}
