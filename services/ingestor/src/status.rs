//! `ingestor status`: the checkpoints as a table.

use store::ingest::{CheckpointStatus, checkpoint_statuses};
use store::{DatabaseConfig, connect};

use crate::run::PIPELINE;

/// Prints the checkpoints of the pipeline.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn print(database: &DatabaseConfig) -> anyhow::Result<()> {
    let mut connection = connect::establish(database).await?;
    let statuses = checkpoint_statuses(&mut connection, PIPELINE).await?;
    if statuses.is_empty() {
        println!(
            "no partition of pipeline {PIPELINE} was ever claimed: has an ingestor run against this database?"
        );
        return Ok(());
    }
    println!(
        "{:<20} {:>9} {:>12} {:>12} {:>12} {:>10} {:>8} {:>8}  state",
        "topic", "partition", "next offset", "replay from", "applied", "duplicates", "late", "dead"
    );
    for status in &statuses {
        println!("{}", line(status));
    }
    Ok(())
}

fn line(status: &CheckpointStatus) -> String {
    let state = match (&status.stopped_reason, &status.stopped_detail) {
        (Some(reason), Some(detail)) => format!("STOPPED {reason}: {detail}"),
        (Some(reason), None) => format!("STOPPED {reason}"),
        (None, _) => status
            .committed_at
            .map_or("never committed".to_owned(), |at| {
                format!("committed {}", at.format("%Y-%m-%d %H:%M:%S"))
            }),
    };
    format!(
        "{:<20} {:>9} {:>12} {:>12} {:>12} {:>10} {:>8} {:>8}  {state}",
        status.topic,
        status.partition,
        status.next_offset,
        status.replay_from,
        status.applied,
        status.duplicates,
        status.late,
        status.dead_letters
    )
}
