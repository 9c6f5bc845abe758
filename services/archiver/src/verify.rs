//! `archiver verify`: proves that the archive is whole, the daily summaries too, and that it agrees with Kafka as far as Kafka still has
//! the records.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use archive::summaries::{Summaries, SummariesReport};
use archive::verify::{ChainReport, Depth, Fault, verify_chain};
use archive::{
    ArchiveStore, Chain, LogReader, LogTail as _, NoTail, ReadLimits, RecordBuffer, Stretch,
};
use serde::Serialize;

use crate::chains::Selection;
use crate::config::Config;
use crate::kafka_tail::{KafkaTail, KafkaTails};
use crate::sweep::{Found, sweep_topic};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What to verify.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// How much of each file to look at
    #[arg(long, value_enum, default_value_t = Look::Records)]
    depth: Look,
    /// Do not ask Kafka
    #[arg(long)]
    offline: bool,
    /// Compare every record that Kafka still has with the archived one
    #[arg(long, conflicts_with = "offline")]
    compare: bool,
    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Look {
    /// Manifests only
    Links,
    /// The bytes of each file against its hash
    Checksums,
    /// Every record too
    Records,
}

impl From<Look> for Depth {
    fn from(look: Look) -> Self {
        match look {
            Look::Links => Self::Links,
            Look::Checksums => Self::Checksums,
            Look::Records => Self::Records,
        }
    }
}

/// A partition's agreement with Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct InKafka {
    /// The oldest offset that Kafka has.
    first: i64,
    /// The offset after the newest.
    end: i64,
    /// Records that are not archived yet, at most.
    lag: i64,
    /// Records that were compared one by one.
    compared: u64,
}

/// One partition in the report.
#[derive(Debug, Serialize)]
struct Verified {
    #[serde(flatten)]
    chain: ChainReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    kafka: Option<InKafka>,
}

/// The whole report.
#[derive(Debug, Serialize)]
struct Report {
    store: String,
    sound: bool,
    faults: usize,
    /// Files that no manifest names and none can: garbage of attempts that did not count.
    orphans: u64,
    chains: Vec<Verified>,
    /// The daily summaries; none when only one partition was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    summaries: Option<SummariesReport>,
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let store = ArchiveStore::open(&config.store)?;
    let chains = args.selection.chains(&store).await?;
    let kafka = if args.offline {
        None
    } else {
        let tails = KafkaTails::join(&config.kafka.consumer(&args.selection.topic))?;
        let identity = tails
            .identity()
            .await
            .context("asking Kafka; --offline verifies without it")?;
        Some((tails, archive::TopicId::parse(&identity.topic_id)?))
    };
    let progress = Progress::start(chains.len());
    let mut verified = Vec::new();
    for chain in &chains {
        let told = |bytes: u64| progress.file(bytes);
        let report = verify_chain(chain, args.depth.into(), ReadLimits::default(), &told).await?;
        let mut one = Verified {
            chain: report,
            kafka: None,
        };
        if let Some((tails, current)) = &kafka
            && chain.id().topic_id == *current
        {
            compare(
                chain,
                tails.partition(chain.id().partition),
                args.compare,
                &mut one,
            )
            .await?;
        }
        progress.chain();
        tell(&one);
        verified.push(one);
    }
    let summaries = summaries(&store, &args, &progress).await?;
    progress.end();
    let found = orphans(&store, &args).await?;
    let of_summaries = summaries.as_ref().map_or(0, |found| found.faults.len());
    let of_chains = verified.iter().map(|one| one.chain.faults.len());
    let faults = of_chains.sum::<usize>() + of_summaries;
    let report = Report {
        store: store.url().to_owned(),
        sound: faults == 0,
        faults,
        orphans: found.orphans,
        chains: verified,
        summaries,
    };
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    let rows: u64 = report.chains.iter().map(|one| one.chain.rows).sum();
    println!(
        "{} partitions, {rows} records, {} orphans, {faults} faults",
        report.chains.len(),
        report.orphans
    );
    if faults > 0 {
        anyhow::bail!("the archive is not whole: {faults} faults, named above");
    }
    Ok(())
}

/// The daily summaries, of whatever topic their games came.
#[expect(clippy::print_stdout, reason = "the command's answer")]
async fn summaries(
    store: &ArchiveStore,
    args: &Args,
    progress: &Progress,
) -> archive::Result<Option<SummariesReport>> {
    if args.selection.partition.is_some() {
        return Ok(None);
    }
    let told = |bytes: u64| progress.file(bytes);
    let summaries = Summaries::new(store.clone());
    let found = summaries.verify(args.depth.into(), &told).await?;
    if found.days > 0 {
        println!(
            "summaries: {} days and regions, {} files, {} games, {} player rows",
            found.days, found.files, found.games, found.player_rows
        );
    }
    for Fault { key, detail } in &found.faults {
        println!("  FAULT {key}: {detail}");
    }
    Ok(Some(found))
}

async fn orphans(store: &ArchiveStore, args: &Args) -> archive::Result<Found> {
    let topic = archive::TopicName::parse(&args.selection.topic)?;
    match sweep_topic(store, &topic, false, &mut |_| {}).await {
        // A damaged manifest has been named; what it names can't be told from garbage.
        Err(error) if error.is_damage() => Ok(Found::default()),
        found => found,
    }
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn tell(one: &Verified) {
    let ChainReport {
        partition,
        links,
        rows,
        start,
        end,
        gaps,
        faults,
        ..
    } = &one.chain;
    let kafka = one.kafka.as_ref().map_or(String::new(), |kafka| {
        format!(
            ", {} to go in Kafka, {} compared",
            kafka.lag, kafka.compared
        )
    });
    println!(
        "partition {partition}: offsets {} to {}, {links} manifests, {rows} records{kafka}",
        start.unwrap_or(0),
        end.unwrap_or(0)
    );
    for gap in gaps {
        println!(
            "  given up: offsets {} to {}: {} ({})",
            gap.start, gap.end, gap.gap.reason, gap.gap.accepted_by
        );
    }
    for Fault { key, detail } in faults {
        println!("  FAULT {key}: {detail}");
    }
}

/// Compares a chain with what Kafka still has of it.
async fn compare(
    chain: &Chain,
    mut tail: KafkaTail,
    each_record: bool,
    one: &mut Verified,
) -> anyhow::Result<()> {
    let Some(end) = one.chain.end else {
        return Ok(());
    };
    let (first, log_end) = tail.bounds().await?;
    let key = chain.id().folder().to_string();
    let mut fault = |detail: String| {
        let key = key.clone();
        one.chain.faults.push(Fault { key, detail });
    };
    if end > log_end {
        fault(format!(
            "it ends at offset {end}, Kafka's log at {log_end}: Kafka has lost records, or this is another log"
        ));
    }
    if end < first {
        fault(format!(
            "it ends at offset {end}, Kafka's log begins at {first}: the records between are lost"
        ));
    }
    let mut kafka = InKafka {
        first,
        end: log_end,
        lag: (log_end - end).max(0),
        compared: 0,
    };
    let from = first.max(one.chain.start.unwrap_or(first));
    if each_record && from < end {
        match same_records(chain, tail, from, end).await? {
            Ok(compared) => kafka.compared = compared,
            Err(detail) => fault(detail),
        }
    }
    one.kafka = Some(kafka);
    Ok(())
}

/// Reads both sides from `from` up to `end` and compares them record by record. How many there were, or the first difference.
async fn same_records(
    chain: &Chain,
    mut tail: KafkaTail,
    from: i64,
    end: i64,
) -> anyhow::Result<Result<u64, String>> {
    let mut reader = LogReader::new(chain.clone(), NoTail, from, ReadLimits::default());
    let (mut ours, mut mine) = (RecordBuffer::default(), 0);
    let (mut position, mut compared) = (from, 0);
    while position < end {
        let Some(theirs) = tail.read(position).await? else {
            break;
        };
        for wanted in theirs.records().filter(|record| record.offset < end) {
            while ours.get(mine).is_none() {
                match reader.next().await {
                    Ok(Some(Stretch::Records(block))) => (ours, mine) = (block, 0),
                    Ok(Some(Stretch::Gap { start, end, .. })) => {
                        return Ok(Err(format!(
                            "offsets {start} to {end} were given up, and Kafka has them"
                        )));
                    }
                    Ok(None) => {
                        return Ok(Err(format!(
                            "offset {} is in Kafka and not in the archive",
                            wanted.offset
                        )));
                    }
                    // Named already, with the file to blame.
                    Err(error) if error.is_damage() => return Ok(Ok(compared)),
                    Err(error) => return Err(error.into()),
                }
            }
            let Some(found) = ours.get(mine) else {
                continue;
            };
            let same = found.offset == wanted.offset
                && found.timestamp_ms == wanted.timestamp_ms
                && found.key == wanted.key
                && found.value == wanted.value
                && found.headers.eq(wanted.headers.clone());
            if !same {
                return Ok(Err(format!(
                    "offset {} differs from Kafka's {}",
                    found.offset, wanted.offset
                )));
            }
            (mine, compared) = (mine + 1, compared + 1);
        }
        position = theirs.next_offset().unwrap_or(end);
    }
    Ok(Ok(compared))
}

/// Tells a person at a terminal how far the work is.
struct Progress {
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct State {
    chains: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    fn start(chains: usize) -> Self {
        let state = Arc::new(State::default());
        let told = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TELL_EVERY);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                told.tell(chains);
            }
        });
        Self { state, task }
    }

    fn file(&self, bytes: u64) {
        self.state.files.fetch_add(1, Ordering::Relaxed);
        self.state.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn chain(&self) {
        self.state.chains.fetch_add(1, Ordering::Relaxed);
    }

    fn end(self) {
        self.task.abort();
    }
}

impl State {
    #[expect(
        clippy::print_stderr,
        reason = "progress for a person, beside the answer"
    )]
    fn tell(&self, chains: usize) {
        if std::io::stderr().is_terminal() {
            let (done, files) = (
                self.chains.load(Ordering::Relaxed),
                self.files.load(Ordering::Relaxed),
            );
            let megabytes = self.bytes.load(Ordering::Relaxed) >> 20;
            eprintln!("{done} of {chains} partitions, {files} files, {megabytes} MB");
        }
    }
}
