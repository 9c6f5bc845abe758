//! `ingestor dead-letters`: what was set aside, and how each reason is put right.

use std::fmt::Write;

use anyhow::bail;
use domain::Reason;
use store::dead_letters::{self, DeadLetterFilter, DeadLetterRecord};
use store::{DatabaseConfig, connect};

use crate::run::PIPELINE;

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List them, the newest first
    List(ListArgs),
    /// Show one with its record
    Show {
        /// The partition
        partition: i32,
        /// The offset
        offset: i64,
    },
    /// Count them by reason
    Stats,
}

/// Which to list.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only this reason: `undecodable`, `unsupported`, `key_mismatch`, `invalid`, `conflict`, `orphan`, `gap_overflow`, `split_key`
    #[arg(long)]
    reason: Option<String>,
    /// Only this partition
    #[arg(long)]
    partition: Option<i32>,
    /// Only this game
    #[arg(long)]
    game: Option<String>,
    /// Only those written before this time (RFC 3339): the last time of the page before
    #[arg(long)]
    before: Option<chrono::DateTime<chrono::Utc>>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

/// Prints what was asked for.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn run(database: &DatabaseConfig, command: Command) -> anyhow::Result<()> {
    let mut connection = connect::establish(database).await?;
    match command {
        Command::Stats => {
            let stats = dead_letters::stats(&mut connection, PIPELINE).await?;
            if stats.is_empty() {
                println!("there are no dead letters");
            }
            for row in stats {
                let last = row.last_written_at.format("%Y-%m-%d %H:%M:%S");
                println!(
                    "{:>10}  {:<13} last {last}  {}",
                    row.count,
                    row.reason,
                    remedy(&row.reason)
                );
            }
        }
        Command::List(args) => {
            if let Some(reason) = args
                .reason
                .as_deref()
                .filter(|reason| known(reason).is_none())
            {
                bail!("there is no reason {reason:?}; see --help");
            }
            let ListArgs {
                reason,
                partition,
                game: game_id,
                before,
                limit,
            } = args;
            let filter = DeadLetterFilter {
                reason,
                partition,
                game_id,
                before,
                limit,
            };
            for line in dead_letters::list(&mut connection, PIPELINE, &filter).await? {
                println!(
                    "{}  {:>3}/{:<10} {:<13} {:<24} {}",
                    line.written_at
                        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
                    line.partition,
                    line.offset,
                    line.reason,
                    line.game_id.as_deref().unwrap_or("-"),
                    line.detail
                );
            }
        }
        Command::Show { partition, offset } => {
            match dead_letters::find(&mut connection, PIPELINE, partition, offset).await? {
                Some(letter) => println!("{}", describe(&letter)),
                None => bail!("there is no dead letter at partition {partition}, offset {offset}"),
            }
        }
    }
    Ok(())
}

fn known(reason: &str) -> Option<Reason> {
    Reason::ALL
        .into_iter()
        .find(|known| known.as_str() == reason)
}

/// How records with this reason are put right.
fn remedy(reason: &str) -> &'static str {
    match known(reason) {
        Some(Reason::Undecodable) => {
            "mend the producer; what the record meant must be sent anew as an event"
        }
        Some(Reason::Unsupported) => {
            "deploy an ingestor that knows the type or version, then rebuild the games it names"
        }
        Some(Reason::KeyMismatch) => {
            "set the record's key to its gameId in the producer; send the event again"
        }
        Some(Reason::Invalid) => {
            "the detail names the field; mend the producer; send the event again, corrected"
        }
        Some(Reason::Conflict) => {
            "two producers tell one game, or one repeats itself with changes: the first one stands"
        }
        Some(Reason::Orphan) => {
            "the game's GameCreated was never sent, or came later: send creates first and await them"
        }
        Some(Reason::GapOverflow) => {
            "a move is missing for more than 64 plies: the game ends incomplete; look for a lost send"
        }
        Some(Reason::SplitKey) => {
            "producers disagree about the partitioner: set partitioner=murmur2_random in all of them"
        }
        None => "",
    }
}

fn describe(letter: &DeadLetterRecord) -> String {
    let line = &letter.line;
    let mut text = format!(
        "topic       {} ({})\nrecord      partition {}, offset {}\nreason      {}: {}\nremedy      {}\ngame        {}\n",
        letter.topic,
        letter.topic_id,
        line.partition,
        line.offset,
        line.reason,
        line.detail,
        remedy(&line.reason),
        line.game_id.as_deref().unwrap_or("-"),
    );
    let time = letter
        .recorded_at
        .map_or("-".to_owned(), |at| at.to_rfc3339());
    // Writing into a String can't fail.
    let _ = writeln!(
        text,
        "timestamp   {time}\nset aside   {}",
        line.written_at.to_rfc3339()
    );
    let _ = writeln!(text, "key         {}", printable(letter.key.as_deref()));
    let _ = writeln!(text, "headers     {}", letter.headers);
    let _ = write!(text, "value       {}", printable(letter.raw.as_deref()));
    text
}

/// Untrusted bytes for a terminal: everything that is not plain text is escaped.
fn printable(bytes: Option<&[u8]>) -> String {
    bytes.map_or("(null)".to_owned(), |bytes| {
        let text: String = bytes.utf8_chunks().fold(String::new(), |mut text, chunk| {
            text.extend(chunk.valid().chars().flat_map(|c| {
                let escape = c.is_control();
                escape
                    .then(|| c.escape_default())
                    .into_iter()
                    .flatten()
                    .chain((!escape).then_some(c))
            }));
            chunk.invalid().iter().for_each(|byte| {
                let _ = write!(text, "\\x{byte:02x}");
            });
            text
        });
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_remedy() {
        for reason in Reason::ALL {
            assert!(!remedy(reason.as_str()).is_empty(), "{reason}");
        }
    }

    #[test]
    fn untrusted_bytes_are_shown_without_control_characters() {
        assert_eq!(printable(Some(b"a\x1b[31m\xff\"")), "a\\u{1b}[31m\\xff\"");
        assert_eq!(printable(None), "(null)");
    }
}
