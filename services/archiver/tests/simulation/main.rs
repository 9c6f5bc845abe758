//! The archive's protocol under a storm of faults, thousands of times: the product's own owners, chains and sweeps over a log and
//! a bucket that do everything real ones may do, and an oracle that shares none of their code. Needs no servers.
//!
//! A run is decided by its seed alone: one thread, virtual time, no other source of chance. A failing seed is printed with the
//! command that repeats it.
//!
//! ```text
//! broker ──► archiver::raw::Owner ──► bucket ──► judge, at every object
//!                ▲ killed, stopped, woken, two at a time     ▲ refuses, answers lost, carried out later, "exists"
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "everything here is a test or serves one"
)]

mod broker;
mod bucket;
mod chance;
mod judge;
mod life;
mod process;
mod story;
mod truth;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bucket::Mistake;
use world::{Report, simulate};

/// How many seeds a test run tries unless `SIMULATION_SEEDS` says otherwise: some 20 s of it.
const SEEDS: u64 = 300;
/// In how many seeds a mistake has to be found. The search ends with the first.
const MISTAKE_SEEDS: u64 = 1_000;
const REPEAT: &str = "cargo test -p archiver --test simulation the_archive_is -- --nocapture";

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a whole number"))
}

/// Runs seeds on every processor until one fails; that one, and what happened in all.
fn search(
    first: u64,
    seeds: u64,
    mistake: Option<Mistake>,
) -> (Option<Report>, BTreeMap<&'static str, u64>) {
    let (next, failed) = (AtomicU64::new(first), AtomicBool::new(false));
    let work = || {
        let (mut failure, mut counts) = (None, BTreeMap::<&str, u64>::new());
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                break;
            }
            let report = simulate(seed, mistake);
            for (what, times) in &report.counts {
                *counts.entry(*what).or_default() += times;
            }
            if report.failure.is_some() {
                failed.store(true, Ordering::Relaxed);
                failure = Some(report);
            }
        }
        (failure, counts)
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        let (mut failure, mut all) = (None, BTreeMap::<&str, u64>::new());
        for thread in threads {
            let (report, counts) = thread.join().unwrap();
            for (what, times) in counts {
                *all.entry(what).or_default() += times;
            }
            failure = failure.or(report);
        }
        (failure, all)
    })
}

/// What a person needs to understand a failure.
fn explain(report: &Report) -> String {
    let lines = usize::try_from(number("SIMULATION_LINES").unwrap_or(80)).unwrap_or(usize::MAX);
    let last = &report.lines[report.lines.len().saturating_sub(lines)..];
    let failure = report.failure.as_deref().unwrap_or("nothing is wrong");
    let seed = report.seed;
    format!(
        "{}\n\nseed {seed}: {failure}\nrepeat it with: SIMULATION_SEED={seed} {REPEAT}",
        last.join("\n")
    )
}

#[test]
fn the_archive_is_what_the_log_says_whatever_fails() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let report = simulate(seed, None);
        println!("{}", explain(&report));
        assert!(report.failure.is_none(), "seed {seed} fails");
        return;
    }
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let (failed, counts) = search(number("SIMULATION_FIRST").unwrap_or(0), seeds, None);
    if let Some(report) = failed {
        panic!("{}", explain(&report));
    }
    println!("{seeds} seeds in {:?}: {counts:#?}", began.elapsed());
    if seeds >= SEEDS {
        attacked(&counts);
    }
}

/// A search that attacked nothing proves nothing.
fn attacked(counts: &BTreeMap<&'static str, u64>) {
    for what in [
        "answers lost",
        "blocks delivered twice",
        "blocks of an earlier start",
        "conflicts over nothing",
        "gap accepted",
        "goes on",
        "killed",
        "left behind in the calm",
        "positions out of range",
        "rebalanced",
        "removed",
        "requests carried out later",
        "requests refused",
        "retention",
        "shut down",
        "stopped",
        "told of one's own object",
    ] {
        let times = counts.get(what).copied().unwrap_or(0);
        assert!(times >= 5, "{what}: only {times} times in {counts:#?}");
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

/// The simulator must see each of these mistakes, or it would not see them in the product. What it saw.
fn find(mistake: Mistake) -> String {
    let seeds = number("SIMULATION_SEEDS").unwrap_or(MISTAKE_SEEDS);
    let (failed, _) = search(0, seeds, Some(mistake));
    let report = failed.unwrap_or_else(|| panic!("{mistake:?} survives {seeds} seeds"));
    let failure = report.failure.unwrap_or_default();
    format!("{mistake:?}: seed {}: {failure}", report.seed)
}

macro_rules! finds {
    ($($name:ident: $mistake:ident,)*) => {
        $(#[test]
        fn $name() {
            println!("{}", find(Mistake::$mistake));
        })*
    };
}

finds! {
    a_store_that_overwrites_on_create_is_found: CreateOverwrites,
    names_that_a_zombie_can_overwrite_are_found: NamesWithoutAttempt,
    a_sweeper_with_a_clock_is_found: SweepByAge,
    a_put_that_is_lost_is_found: PutLost,
    a_put_that_is_cut_is_found: PutCut,
    a_loser_that_believes_it_has_won_is_found: LoserReadsItsOwn,
    a_listing_that_never_has_the_newest_link_is_found: ListingLate,
    owners_that_never_sweep_are_found: NobodySweeps,
}
