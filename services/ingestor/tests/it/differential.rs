//! Random records, good, mutated and hostile, judged twice: by the product (its decoder and its fold) and by the judge of
//! `cargo dx verify`, which was written from the documents alone. Where they disagree, one of them has misread them.
//!
//! The judge's sources are taken in as they are; no crate of ours depends on it. Each seed is a partition's log of its own,
//! folded by the product in blocks and batches of random size with a directory that knows what was committed. A failing seed is
//! printed and runs alone with `DIFFERENTIAL_SEED=n`; `DIFFERENTIAL_SEEDS=n` says how many.

mod generator;
#[expect(dead_code, reason = "the judge's sources hold more than is asked here")]
mod judge;
mod product;

use std::collections::BTreeMap;

/// Records in a log.
const RECORDS: usize = 500;
/// How many logs unless `DIFFERENTIAL_SEEDS` says otherwise: 200,000 records.
const SEEDS: u64 = 400;

/// A record: key and value.
type Record = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What a log comes to, in words that both sides speak.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// By the counters' names.
    verdicts: BTreeMap<&'static str, u64>,
    /// Reason and game of each record that was set aside.
    set_aside: BTreeMap<i64, (&'static str, Option<String>)>,
    /// Games that are over, each told in full.
    finished: BTreeMap<String, String>,
    /// Games in progress.
    live: usize,
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a whole number"))
}

fn differ(seed: u64) -> Outcome {
    let log = generator::log(seed, RECORDS);
    let (product, judge) = (product::outcome(seed, &log), judge::outcome(&log));
    let mut wrong: Vec<String> = Vec::new();
    for offset in product.set_aside.keys().chain(judge.set_aside.keys()) {
        let (ours, theirs) = (product.set_aside.get(offset), judge.set_aside.get(offset));
        if ours != theirs {
            let (key, value) = &log[usize::try_from(*offset).unwrap()];
            let text = |bytes: &Option<Vec<u8>>| {
                bytes
                    .as_ref()
                    .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            };
            wrong.push(format!(
                "record {offset}: product {ours:?}, judge {theirs:?}\n  key {:?}\n  value {:?}",
                text(key),
                text(value)
            ));
        }
    }
    assert!(
        wrong.is_empty() && product == judge,
        "seed {seed}: repeat it with DIFFERENTIAL_SEED={seed}\n{}\nproduct {:?}\njudge {:?}\n{}",
        wrong.first().map_or("", String::as_str),
        product.verdicts,
        judge.verdicts,
        first_difference(&product, &judge),
    );
    product
}

fn first_difference(product: &Outcome, judge: &Outcome) -> String {
    let ids = product.finished.keys().chain(judge.finished.keys());
    let differs = |id: &&String| product.finished.get(*id) != judge.finished.get(*id);
    let games = ids.filter(differs).map(|id| {
        format!(
            "game {id}:\n  product {:?}\n  judge   {:?}",
            product.finished.get(id),
            judge.finished.get(id)
        )
    });
    games.take(1).collect()
}

#[test]
fn the_product_and_the_judge_agree_on_every_record() {
    if let Some(seed) = number("DIFFERENTIAL_SEED") {
        println!("{:#?}", differ(seed).verdicts);
        return;
    }
    let seeds = number("DIFFERENTIAL_SEEDS").unwrap_or(SEEDS);
    let (mut verdicts, mut finished, mut live) = (BTreeMap::new(), 0, 0);
    for seed in 0..seeds {
        let outcome = differ(seed);
        for (verdict, count) in outcome.verdicts {
            *verdicts.entry(verdict).or_insert(0_u64) += count;
        }
        finished += outcome.finished.len();
        live += outcome.live;
    }
    println!("{seeds} logs, {finished} games over, {live} in progress: {verdicts:#?}");
    // A search that never came to a verdict says nothing about it.
    if seeds >= SEEDS {
        assert!(
            finished > 1_000 && live > 1_000,
            "{finished} games over, {live} live"
        );
        for (verdict, count) in verdicts {
            assert!(count > 100, "{verdict}: only {count} times");
        }
    }
}
