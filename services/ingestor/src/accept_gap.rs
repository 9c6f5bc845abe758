//! `ingestor accept-gap`: an operator's word that a hole in the log is to be passed over.

use anyhow::{Context, bail};
use store::connect;
use store::ingest::{GapAcceptance, accept_gap};
use stream::TopicProbe;

use crate::config::Config;
use crate::run::PIPELINE;

/// Which gap, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
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

/// Moves the partition's checkpoint to the oldest record that is still there.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let (kafka, partition) = (config.kafka.clone(), args.partition);
    let question =
        tokio::task::spawn_blocking(move || TopicProbe::new(&kafka)?.watermarks(partition));
    let (first_offset, _) = question.await.context("asking Kafka")??;
    if !args.yes {
        println!(
            "partition {partition} of {} begins at offset {first_offset} now. Everything its checkpoint still needs below \
             that would be given up: new records are lost, games in progress may end incomplete. Repeat with --yes.",
            config.kafka.topic
        );
        return Ok(());
    }
    let mut connection = connect::establish(&config.database).await?;
    let gap = GapAcceptance {
        pipeline: PIPELINE,
        topic: &config.kafka.topic,
        partition,
        first_offset,
        reason: &args.reason,
        accepted_by: &args.by,
    };
    let Some(before) = accept_gap(&mut connection, &gap).await? else {
        bail!(
            "partition {partition} has no gap: nothing its checkpoint needs lies below offset {first_offset}"
        );
    };
    let lost = (first_offset - before.next_offset).max(0);
    println!(
        "accepted: {lost} new records are lost, live games may miss events of offsets {} to {first_offset}. A running \
         ingestor goes on within half a minute.",
        before.replay_from
    );
    Ok(())
}
