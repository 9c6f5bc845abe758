//! `cargo dx bench archive`: the story of the measurement, one chapter a figure.
//!
//! One backlog is archived several times, each time by a fresh archiver into a place of its own, from the topic's beginning to its
//! end. Broker, producer and archiver share the machine; nothing else is at work while one is measured.

mod archiver;
mod contents;
mod picture;
mod report;

use std::path::PathBuf;

use anyhow::ensure;
use archive::{ArchiveStore, FileFormat, TopicName};

use self::archiver::{Archived, Place, Setup};
use self::report::{Memory, Report};
use super::lines::{self, Line};
use super::{own_stack, publish};
use crate::console::{Step, say};
use crate::stack::{Endpoints, Profile};

/// The partitions of most chapters.
const PARTITIONS: i32 = 8;
/// The partitions of the chapter on memory.
const MANY_PARTITIONS: i32 = 64;
/// Games live at a time: the records of a game lie among those of so many others.
const LIVE: usize = 20_000;
/// How many games are looked for.
const GAMES_TO_FIND: u64 = 16;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many records are archived
    #[arg(long, default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(100_000..), value_name = "N")]
    records: u64,
    /// How many records are archived of 64 partitions, for the memory; 0 leaves that chapter out
    #[arg(long, default_value_t = 3_000_000, value_name = "N")]
    memory_records: u64,
    /// Archive into an S3 server on this machine as well (versitygw, built once)
    #[arg(long)]
    s3: bool,
    /// Leave out what needs no archiver of its own beside the first: JSON Lines and all cores
    #[arg(long)]
    parquet_only: bool,
    /// Compress by this level of zstd instead of the archiver's usual one
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=19), value_name = "LEVEL")]
    zstd_level: Option<i32>,
    /// Write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the picture goes [default: bench-archive.svg in the profile's folder]
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Leave the stack running, to look further
    #[arg(long)]
    keep: bool,
}

/// Measures, prints the table, draws the picture; takes its stack down, however it ends.
///
/// # Errors
/// A part does not start, or something that was published is not in the archive.
pub(super) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let with_s3;
    let profile = if args.s3 {
        with_s3 = profile.with_s3();
        &with_s3
    } else {
        profile
    };
    Box::pin(own_stack::measure_on(
        profile,
        args.keep,
        measure(profile, args),
    ))
    .await
}

async fn measure(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let endpoints = Endpoints {
        topic: "bench-archive".to_owned(),
        ..profile.endpoints()?
    };
    publish::backlog(&endpoints, PARTITIONS, 1, args.records, LIVE).await?;
    let raw = raw_consume(&endpoints)?;
    let parquet = Place::directory(&endpoints, "parquet");
    let usual = |format| Setup::usual(format).with_level(args.zstd_level);
    let on_one_core = usual(FileFormat::Parquet).on_one_core();
    let mut report = Report::new(
        raw,
        archived(profile, &endpoints, &parquet, on_one_core, raw.records).await?,
    );
    let topic = TopicName::parse(&endpoints.topic)?;
    let store = parquet.open()?;
    let (read_back, games) = read_back(&store, &topic, raw).await?;
    report.read_back = Some(read_back);
    report.found = find_games(&store, &topic, &games).await?;
    if !args.parquet_only {
        let all_cores = usual(FileFormat::Parquet);
        let place = Place::directory(&endpoints, "all-cores");
        report.all_cores =
            Some(archived(profile, &endpoints, &place, all_cores, raw.records).await?);
        let place = Place::directory(&endpoints, "jsonl");
        let jsonl = usual(FileFormat::Jsonl);
        report.jsonl = Some(archived(profile, &endpoints, &place, jsonl, raw.records).await?);
    }
    if args.s3 {
        let (place, setup) = (
            Place::bucket(&endpoints)?,
            usual(FileFormat::Parquet).on_one_core(),
        );
        report.s3 = Some(archived(profile, &endpoints, &place, setup, raw.records).await?);
    }
    if args.memory_records > 0 {
        report.memory = Some(memory(profile, args.memory_records).await?);
    }
    finish(profile, args, &report)
}

fn finish(profile: &Profile, args: &Args, report: &Report) -> anyhow::Result<()> {
    say(report.table());
    own_stack::write_json(args.json.as_deref(), &report.figures())?;
    let svg = own_stack::picture(profile, args.svg.as_deref(), "bench-archive.svg");
    picture::draw(report, &svg)?;
    say(format_args!("picture: {}", svg.display()));
    Ok(())
}

/// Twice; the better one counts.
fn raw_consume(endpoints: &Endpoints) -> anyhow::Result<Line> {
    let step = Step::start("line", "raw consume");
    let raw = tokio::task::block_in_place(|| -> anyhow::Result<_> {
        Ok(lines::raw_consume(endpoints)?.better(lines::raw_consume(endpoints)?))
    })?;
    step.done(format_args!("{:.0} records a second", raw.per_second()));
    Ok(raw)
}

/// One archiver from the beginning of the topic to its end, and the proof that it left nothing out.
async fn archived(
    profile: &Profile,
    endpoints: &Endpoints,
    place: &Place,
    setup: Setup,
    records: u64,
) -> anyhow::Result<Archived> {
    let step = Step::start(place.name(), "archiving");
    let mut archived = archiver::archive(profile, endpoints, place, &setup, records).await?;
    archived.stored =
        contents::stored(&place.open()?, &TopicName::parse(&endpoints.topic)?).await?;
    ensure!(
        archived.stored.records == records,
        "the archive in {} holds {} of {records} records",
        place.name(),
        archived.stored.records
    );
    step.done(format_args!("{:.0} records a second", archived.per_second));
    Ok(archived)
}

/// Everything through the log reader, and the games that will be looked for.
async fn read_back(
    store: &ArchiveStore,
    topic: &TopicName,
    raw: Line,
) -> anyhow::Result<(contents::ReadBack, Vec<Vec<u8>>)> {
    let step = Step::start("read back", "reading the archive");
    let every = (raw.records / GAMES_TO_FIND).max(1);
    let mut games = Vec::new();
    let mut seen = 0_u64;
    let read = contents::read_back(store, topic, |key| {
        seen += 1;
        if seen.is_multiple_of(every) {
            games.push(key.to_vec());
        }
    })
    .await?;
    ensure!(
        (read.records, read.value_bytes) == (raw.records, raw.value_bytes),
        "the archive gives {} records with {} bytes, the topic has {} with {}",
        read.records,
        read.value_bytes,
        raw.records,
        raw.value_bytes
    );
    step.done(format_args!("{:.0} records a second", read.per_second()));
    games.sort_unstable();
    games.dedup();
    Ok((read, games))
}

/// Finds each of the games, and proves by reading everything that nothing of one was missed.
async fn find_games(
    store: &ArchiveStore,
    topic: &TopicName,
    games: &[Vec<u8>],
) -> anyhow::Result<Vec<contents::Found>> {
    let step = Step::start("find", "games by their ids");
    let found = contents::find(store, topic, games).await?;
    let counted = contents::count(store, topic, games).await?;
    for ((game, found), counted) in games.iter().zip(&found).zip(counted) {
        ensure!(
            found.records == counted,
            "{} of the {counted} records of game {} were found",
            found.records,
            String::from_utf8_lossy(game)
        );
    }
    step.done(format_args!("{} games", found.len()));
    Ok(found)
}

/// Many partitions, several regions each, all open at a time.
async fn memory(profile: &Profile, records: u64) -> anyhow::Result<Memory> {
    let endpoints = Endpoints {
        topic: "bench-archive-memory".to_owned(),
        ..profile.endpoints()?
    };
    publish::backlog(&endpoints, MANY_PARTITIONS, 2, records, LIVE).await?;
    let raw = lines_of(&endpoints)?;
    let place = Place::directory(&endpoints, "many-partitions");
    let setup = Setup::usual(FileFormat::Parquet);
    let archived = archived(profile, &endpoints, &place, setup, raw.records).await?;
    Ok(Memory {
        partitions: MANY_PARTITIONS,
        bound_bytes: Setup::MEMORY_BYTES,
        archived,
    })
}

fn lines_of(endpoints: &Endpoints) -> anyhow::Result<Line> {
    tokio::task::block_in_place(|| lines::raw_consume(endpoints))
}
