//! `cargo dx verify`: the independent judge.
//!
//! Reads the whole topic and folds it with code of its own, then compares every game, move, player row, dead letter, snapshot
//! and counter with Postgres. It shares nothing with the projection: of this project's own crates it uses none, neither for
//! the rules of a game nor for events, tables, streams or publishing (`independence` below holds that). What both sides
//! read is the documents. Where the two disagree, one of them has misread them.
//!
//! All tables are read in one repeatable-read snapshot, and each partition's log is folded exactly up to the `next_offset` of
//! that snapshot: the answer is right while the ingestor goes on working. Where Kafka has removed the beginning of a partition (its
//! retention, or a hole that an operator has accepted), games that ended before are taken as the directory has them, games that
//! may have begun before are left out, counters are lower bounds, and the report says so.
//!
//! One thread folds, partition after partition, so that the games of one partition are in memory at a time.

mod about;
mod database;
mod decode;
mod event;
mod fold;
#[cfg(test)]
mod fold_tests;
mod games;
mod json;
mod log;
mod packed;
mod records;
mod report;
mod run;
mod time;

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::console::say;
use crate::stack::Endpoints;
pub(crate) use log::Log;

/// What to compare and how to tell it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Wait at most so many seconds for the ingestor to reach the end that the topic has now
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
    /// Compare as far as the ingestor has come, and don't wait
    #[arg(long)]
    allow_lag: bool,
    /// Show every difference instead of the first few of a kind
    #[arg(long)]
    all: bool,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Compare this partition only
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// The pipeline whose checkpoints and dead letters are compared
    #[arg(long, default_value = "games", value_name = "NAME")]
    pipeline: String,
}

/// Compares and prints; fails when anything differs.
///
/// # Errors
/// When Kafka or Postgres cannot be read, or at least one difference was found.
pub(crate) async fn run(args: Args, endpoints: &Endpoints) -> anyhow::Result<()> {
    let report = run::compare(&args, endpoints).await?;
    for line in report.lines(args.all) {
        say(line);
    }
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    match report.differences.len() {
        0 => Ok(()),
        1 => bail!("PostgreSQL is not what the log says: 1 difference"),
        many => bail!("PostgreSQL is not what the log says: {many} differences"),
    }
}

#[cfg(test)]
mod independence {
    use std::path::Path;

    /// The crates of the projection. A judge that uses one of them judges itself.
    const SHARED: [&str; 6] = [
        "domain",
        "events",
        "store",
        "stream",
        "ingestor",
        "publisher",
    ];

    #[test]
    fn nothing_is_shared_with_the_projection() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = vec![source.join("verify.rs")];
        let mut folders = vec![source.join("verify")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let list = if path.is_dir() {
                    &mut folders
                } else {
                    &mut files
                };
                list.push(path);
            }
        }
        assert!(files.len() > 10, "{files:?}");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for name in SHARED {
                // Built at run time, so that this test does not find itself.
                for used in [
                    format!("{name}{}", "::"),
                    format!("{} {name}", "use"),
                    format!("{} {name}", "crate"),
                ] {
                    let found = text
                        .lines()
                        .find(|line| line.contains(&used) && !line.contains(&format!("_{used}")));
                    assert_eq!(found, None, "{} uses {name}", file.display());
                }
            }
        }
    }
}
