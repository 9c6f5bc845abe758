//! The protocol under a storm of faults, thousands of times: the product's own worker and fold, a log and a database that do
//! everything a real one may do, and an oracle that shares none of their code.
//!
//! A run is decided by its seed alone: one thread, virtual time, no other source of chance. A failing seed is printed with the
//! command that repeats it.
//!
//! ```text
//! producer ──► oracle: what must be true below every offset
//!     │                                     │
//!     ▼                                     ▼
//! broker ──► ingestor::Worker ──► server ──► judge, after every commit
//!                 ▲ killed, stopped, woken    ▲ put back, restarted, answers lost
//! ```

mod broker;
mod bytes;
mod counts;
mod gate;
mod judge;
mod ledger;
mod oracle;
mod process;
mod producer;
mod random;
mod rows;
mod script;
mod server;
mod tables;
mod trace;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use server::StoreBug;
use world::{Report, simulate};

/// How many seeds a test run tries unless `SIMULATION_SEEDS` says otherwise.
const SEEDS: u64 = 10_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a whole number"))
}

/// Runs seeds on every processor until one fails; the failure with the shortest trace, and what happened in all.
fn search(
    first: u64,
    seeds: u64,
    bug: Option<StoreBug>,
) -> (Option<Report>, BTreeMap<&'static str, u64>) {
    let next = AtomicU64::new(first);
    let failed = AtomicBool::new(false);
    let worker = || {
        let (mut worst, mut counts) = (None, BTreeMap::<&str, u64>::new());
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                break;
            }
            let report = simulate(seed, bug);
            for (what, times) in &report.counts {
                *counts.entry(*what).or_default() += times;
            }
            if report.failure.is_some() {
                failed.store(true, Ordering::Relaxed);
                worst = Some(report);
            }
        }
        (worst, counts)
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(worker)).collect();
        let (mut worst, mut all): (Option<Report>, BTreeMap<&str, u64>) = Default::default();
        for thread in threads {
            let (report, counts) = thread.join().unwrap();
            for (what, times) in counts {
                *all.entry(what).or_default() += times;
            }
            if let Some(report) = report
                && worst
                    .as_ref()
                    .is_none_or(|worst| report.trace.len() < worst.trace.len())
            {
                worst = Some(report);
            }
        }
        (worst, all)
    })
}

/// What a person needs to understand a failure.
fn explain(report: &Report, command: &str) -> String {
    let lines = number("SIMULATION_LINES").unwrap_or(60);
    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
    let last = &report.trace[report.trace.len().saturating_sub(lines)..];
    let Report { seed, failure, .. } = report;
    format!(
        "{}\n{}\n\nseed {seed}: {}\nrepeat it with: SIMULATION_SEED={seed} {command}",
        last.iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
        report.log.join("\n"),
        failure.as_deref().unwrap_or("nothing is wrong")
    )
}

const REPEAT: &str = "cargo test -p ingestor --test it simulation::the_history -- --nocapture  (SIMULATION_LINES=n: more of the trace)";

#[test]
fn the_history_is_what_the_log_says_whatever_fails() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let report = simulate(seed, None);
        println!("{}", explain(&report, REPEAT));
        assert!(report.failure.is_none(), "seed {seed} fails");
        return;
    }
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let (failed, counts) = search(number("SIMULATION_FIRST").unwrap_or(0), seeds, None);
    if let Some(report) = failed {
        panic!("{}", explain(&report, REPEAT));
    }
    println!("{seeds} seeds in {:?}: {counts:#?}", began.elapsed());
    if seeds >= 1_000 {
        attacked(&counts);
    }
}

/// A search that attacked nothing proves nothing.
fn attacked(counts: &BTreeMap<&'static str, u64>) {
    let attacks = [
        "commits fenced",
        "answers lost, applied",
        "answers lost, not applied",
        "answers lost, applied later",
        "batches rolled back",
        "replays",
        "zombies",
        "rebalances",
        "processes killed",
        "processes stopped",
        "processes shut down",
        "sessions killed",
        "sessions lost on a statement",
        "sessions not opened in time",
        "database restarts",
        "database put back",
        "database put back, hidden",
        "blocks delivered twice",
        "blocks of an earlier start",
        "commits of snapshots alone",
        "games found ended",
        "partitions stopped",
        "lenient builds deployed",
        "idle transactions ended",
    ];
    let outcomes = oracle::VERDICTS
        .into_iter()
        .filter(|verdict| *verdict != "split_key");
    for what in attacks.into_iter().chain(outcomes) {
        let times = counts.get(what).copied().unwrap_or(0);
        assert!(times >= 10, "{what}: only {times} times in {counts:#?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let (one, other) = (simulate(seed, None), simulate(seed, None));
        assert_eq!(one.hash, other.hash, "seed {seed}");
        assert_ne!(one.hash, simulate(seed + 1, None).hash, "seed {seed}");
    }
}

/// The simulator must see each of these mistakes in a store, or it would not see them in ours. What it saw.
fn find(bug: StoreBug) -> String {
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let (failed, _) = search(0, seeds, Some(bug));
    let report = failed.unwrap_or_else(|| panic!("{bug:?} survives {seeds} seeds"));
    let failure = report.failure.unwrap_or_default();
    format!("{bug:?}: seed {}: {failure}", report.seed)
}

macro_rules! finds {
    ($($name:ident: $bug:ident,)*) => {
        $(#[test]
        fn $name() {
            println!("{}", find(StoreBug::$bug));
        })*
    };
}

finds! {
    a_store_that_checks_no_token_is_found: TokenNotChecked,
    a_store_that_checks_no_offset_is_found: OffsetNotChecked,
    a_claim_that_keeps_the_old_token_is_found: ClaimKeepsToken,
    rows_sent_before_the_row_count_is_known_are_found: RowCountNotAwaited,
    dead_letters_outside_the_transaction_are_found: DeadLettersOutsideTransaction,
    snapshots_outside_the_transaction_are_found: SnapshotsOutsideTransaction,
    a_live_row_kept_after_its_games_end_is_found: LiveRowKept,
    a_claim_that_reads_before_it_has_the_lock_is_found: ClaimReadsBeforeLock,
    a_checkpoint_committed_before_its_rows_is_found: CheckpointFirst,
}
