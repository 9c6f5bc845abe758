//! Simulated games with the faults of real life.

use serde_json::Value;

use crate::history::History;

const FAULTS: [&str; 8] = [
    "--duplicates",
    "0.02",
    "--poison",
    "0.001",
    "--conflicts",
    "0.001",
    "--late",
    "0.005",
];

/// The faults of a ledger that must have become dead letters: partition, offset, reason.
fn expected_dead_letters(ledger: &str) -> Vec<(i64, i64, String)> {
    let lines = ledger
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let letters = lines.filter_map(|line| {
        let reason = line["reason"].as_str()?.to_owned();
        Some((
            line["partition"].as_i64()?,
            line["offset"].as_i64()?,
            reason,
        ))
    });
    let mut letters: Vec<_> = letters.collect();
    letters.sort_unstable();
    letters
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_games_with_faults_leave_no_difference() {
    let mut history = History::begin().await;
    history.start_ingestor();
    let ledger = history.file("ledger.ndjson");
    let args = [
        &[
            "simulate",
            "--games",
            "20000",
            "--seed",
            "11",
            "--ledger",
            ledger.to_str().unwrap(),
        ],
        &FAULTS[..],
    ];
    history.succeed(&args.concat());
    history.verify();
    let expected = expected_dead_letters(&std::fs::read_to_string(ledger).unwrap());
    assert!(expected.len() > 1_000, "only {} faults", expected.len());
    let letters = history.dead_letters().await;
    assert_eq!(letters, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_game_can_be_read_over_http_soon_after_its_end() {
    let mut history = History::begin().await;
    history.start_ingestor();
    let told = history.succeed(&[
        "simulate",
        "--games",
        "300",
        "--rate",
        "3000",
        "--seed",
        "5",
        "--measure-visibility",
    ]);
    assert!(told.contains("p99"), "{told}");
    history.verify();
}
