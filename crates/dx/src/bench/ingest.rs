//! `cargo dx bench ingest`: the story of the measurement, one chapter a figure.
//!
//! Every chapter has a topic and a database of its own and runs alone; broker, PostgreSQL, producer and ingestor share the machine.

use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle;

use super::lines::{self, Line};
use super::measured::{Cpu, Measured};
use super::publish::{self, Games};
use super::report::{CatchUp, Memory, Partitions, Report, Steady};
use super::watch::{self, Watch};
use super::{databases, own_stack, plot};
use crate::console::{Step, say};
use crate::stack::{self, Endpoints, Profile};

/// Games live at a time, for every chapter but that of memory: as many as make 2,500 ends a second at 150,000 events a second.
const LIVE: usize = 20_000;
/// How many plies a live game has on average when its memory is measured: half a game.
const PLIES_LIVE: u64 = 30;
/// The partitions of most chapters.
const PARTITIONS: i32 = 8;
/// The most partitions.
const MANY_PARTITIONS: i32 = 128;
/// How many games are watched at a time. Each asks fifty times a second; more would be a load of their own.
const WATCHED: usize = 4;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many records the ingestor has to catch up on
    #[arg(long, default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(100_000..), value_name = "N")]
    events: u64,
    /// The steady stream, in events a second
    #[arg(long, default_value_t = 150_000, value_parser = clap::value_parser!(u64).range(1..), value_name = "EVENTS")]
    rate: u64,
    /// How long the steady stream lasts
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(5..), value_name = "S")]
    seconds: u64,
    /// How many games are live when memory is measured; 0 leaves that chapter out
    #[arg(long, default_value_t = 500_000, value_name = "N")]
    live_games: u64,
    /// How many records are caught up on with few and with many partitions; 0 leaves that chapter out
    #[arg(long, default_value_t = 1_200_000, value_name = "N")]
    partition_events: u64,
    /// Leave the chapter of catching up out, and what is told as a ratio to it
    #[arg(long)]
    steady_only: bool,
    /// Write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the picture goes [default: bench-ingest.svg in the profile's folder]
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Leave the stack running, to look further
    #[arg(long)]
    keep: bool,
}

/// Measures, prints the table, draws the picture; takes its stack down, however it ends.
///
/// # Errors
/// A part does not start, or something that was published is not committed.
pub(super) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    Box::pin(own_stack::measure_on(
        profile,
        args.keep,
        measure(profile, args),
    ))
    .await
}

async fn measure(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let mut report = Report::default();
    if !args.steady_only {
        let endpoints = databases::fresh(profile, "bench_catch_up", "bench-catch-up").await?;
        publish::backlog(&endpoints, PARTITIONS, 1, args.events, LIVE).await?;
        let (raw, fold) = measure_lines(&endpoints)?;
        report.raw = Some(raw);
        report.fold = Some(fold);
        report.catch_up = Some(catch_up(profile, &endpoints, "catch-up").await?);
    }
    report.steady = Some(steady(profile, args).await?);
    if args.live_games > 0 {
        report.memory = Some(memory(profile, args.live_games).await?);
    }
    if args.partition_events > 0 {
        report.partitions = Some(partitions(profile, args.partition_events).await?);
    }
    finish(profile, args, &report)
}

fn finish(profile: &Profile, args: &Args, report: &Report) -> anyhow::Result<()> {
    say(report.table());
    own_stack::write_json(args.json.as_deref(), &report.figures())?;
    let svg = own_stack::picture(profile, args.svg.as_deref(), "bench-ingest.svg");
    plot::draw(report, &svg)?;
    say(format_args!("picture: {}", svg.display()));
    Ok(())
}

/// Each line twice, in turns; the better one counts.
fn measure_lines(endpoints: &Endpoints) -> anyhow::Result<(Line, Line)> {
    let step = Step::start("lines", "raw consume, and decode and fold in memory");
    let measured = tokio::task::block_in_place(|| -> anyhow::Result<_> {
        let (raw, fold) = (
            lines::raw_consume(endpoints)?,
            lines::decode_and_fold(endpoints)?,
        );
        let raw = raw.better(lines::raw_consume(endpoints)?);
        Ok((raw, fold.better(lines::decode_and_fold(endpoints)?)))
    })?;
    step.done(format_args!(
        "{:.0} and {:.0} records a second",
        measured.0.per_second(),
        measured.1.per_second()
    ));
    Ok(measured)
}

/// One ingestor from the beginning of the topic to its end.
async fn catch_up(
    profile: &Profile,
    endpoints: &Endpoints,
    label: &str,
) -> anyhow::Result<CatchUp> {
    let step = Step::start(label, "the ingestor catches up");
    let written_before = written_bytes(endpoints).await?;
    let ingestor = Measured::ingestor(profile, endpoints, label).await?;
    let cpu = Cpu::now(profile, &ingestor)?;
    let samples = Watch::new(endpoints).await?.until_caught_up().await?;
    let cpu = Cpu::now(profile, &ingestor)?.since(cpu);
    let measured = CatchUp {
        records: samples
            .last()
            .map_or(0, |last| last.committed.unsigned_abs()),
        per_second: watch::committed_per_second(&samples),
        cpu,
        peak_memory_bytes: ingestor.peak_memory_bytes()?,
        written_bytes: written_bytes(endpoints)
            .await?
            .saturating_sub(written_before),
        samples,
    };
    ingestor.stop().await?;
    step.done(format_args!("{:.0} records a second", measured.per_second));
    Ok(measured)
}

/// Bytes of write-ahead log since the server was made.
async fn written_bytes(endpoints: &Endpoints) -> anyhow::Result<u64> {
    let client = stack::connect(&endpoints.postgres).await?;
    let written: i64 = client
        .query_one(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint",
            &[],
        )
        .await?
        .get(0);
    Ok(written.unsigned_abs())
}

/// A stream at a rate, and how soon its games are readable.
async fn steady(profile: &Profile, args: &Args) -> anyhow::Result<Steady> {
    let mut endpoints = databases::fresh(profile, "bench_steady", "bench-steady").await?;
    stack::new_topic(&endpoints.kafka, &endpoints.topic, PARTITIONS).await?;
    let step = Step::start("steady", "playing the stream into memory");
    let games = Games {
        seed: 2,
        games: None,
        most_records: Some(args.rate * args.seconds),
        live: LIVE,
    };
    let stream = tokio::task::block_in_place(|| games.prepare());
    let ingestor = Measured::ingestor(profile, &endpoints, "steady").await?;
    let api = Measured::query_api(profile, &endpoints, "steady").await?;
    endpoints.api = api.url();
    let watch = Watch::new(&endpoints).await?;
    watch.until_claimed().await?;
    step.doing(&format!("{} events a second", args.rate));
    let cpu = Cpu::now(profile, &ingestor)?;
    let watching = watch.watching();
    let (rate, runtime, target) = (args.rate, Handle::current(), endpoints.clone());
    let publishing = move || publish::at_rate(&stream, rate, &target, WATCHED, &runtime);
    let (published, seen) = tokio::task::spawn_blocking(publishing).await??;
    let (watch, mut samples) = watching.finish().await?;
    let cpu = Cpu::now(profile, &ingestor)?.since(cpu);
    samples.extend(watch.until_caught_up().await?);
    seen.check()?;
    let measured = Steady {
        wanted_per_second: args.rate,
        produced_per_second: published.per_second(),
        records: published.records,
        cpu,
        peak_memory_bytes: ingestor.peak_memory_bytes()?,
        samples,
        seen,
    };
    api.stop().await?;
    ingestor.stop().await?;
    step.done(format_args!(
        "{:.0} records published a second",
        published.per_second()
    ));
    Ok(measured)
}

/// Many games live at a time, half played.
async fn memory(profile: &Profile, live_games: u64) -> anyhow::Result<Memory> {
    let endpoints = databases::fresh(profile, "bench_memory", "bench-memory").await?;
    let records = live_games * (1 + PLIES_LIVE);
    let step = Step::start(
        "publish",
        &format!("{records} records of {live_games} live games"),
    );
    stack::new_topic(&endpoints.kafka, &endpoints.topic, PARTITIONS).await?;
    let many = Games {
        seed: 3,
        games: None,
        most_records: Some(records),
        live: usize::try_from(live_games)?,
    };
    let published = tokio::task::block_in_place(|| many.flat_out(&endpoints))?;
    step.done(format_args!("{:.0} a second", published.per_second()));
    let caught_up = catch_up(profile, &endpoints, "memory").await?;
    let client = stack::connect(&endpoints.postgres).await?;
    let live: i64 = client
        .query_one("SELECT count(*) FROM live_games", &[])
        .await?
        .get(0);
    Ok(Memory {
        live_games: live.unsigned_abs(),
        caught_up,
    })
}

/// The same work over few and over many partitions.
async fn partitions(profile: &Profile, records: u64) -> anyhow::Result<Partitions> {
    let mut measured = Vec::new();
    for (count, seed) in [(PARTITIONS, 4), (MANY_PARTITIONS, 5)] {
        let name = format!("bench-{count}-partitions");
        let endpoints = databases::fresh(profile, &name.replace('-', "_"), &name).await?;
        publish::backlog(&endpoints, count, seed, records, LIVE / 4).await?;
        measured.push((count, catch_up(profile, &endpoints, &name).await?));
        // Whatever PostgreSQL puts off until after a load is not the next one's.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    Ok(Partitions { measured })
}
