//! What others make of the archive: `DuckDB` and Arrow's own reader, none of our code.

use archiver::summaries::once;
use serde_json::{Value, json};

use archive::FileFormat;

use crate::chain::{self, said};
use crate::history::{History, won_game};
use crate::places::{self, Place};
use crate::summaries::new_pass;

/// What a script prints, read as JSON.
fn answer(script: &str, arguments: &[&str]) -> Value {
    let output = test_support::python()
        .arg("-c")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn summed_up(place: &Place) {
    let mut history = History::begin().await;
    history
        .finish(vec![
            won_game("g-1", "2026-03-10T10:00:00Z", Some("eu"), "bob"),
            won_game("g-2", "2026-03-10T11:00:00Z", Some("eu"), "cyd"),
            won_game("g-3", "2026-03-10T12:00:00Z", Some("us"), "bob"),
            won_game("g-4", "2026-03-11T12:00:00Z", Some("us"), "bob"),
        ])
        .await;
    let mut pass = new_pass(&place.open());
    once(&mut pass, &history.config()).await.unwrap();
    // A second revision beside the first: readers of the folders have to tell them apart.
    history
        .finish(vec![won_game(
            "g-5",
            "2026-03-10T13:00:00Z",
            Some("us"),
            "bob",
        )])
        .await;
    assert_eq!(once(&mut pass, &history.config()).await.unwrap().written, 1);
}

/// Games by region and day, bob's games in order, and a game's moves.
fn expected() -> Value {
    json!({
        "by_region_and_day": [["eu", "2026-03-10", 2], ["us", "2026-03-10", 2], ["us", "2026-03-11", 1]],
        "of_bob": [["g-1", "loss"], ["g-3", "loss"], ["g-5", "loss"], ["g-4", "loss"]],
        "moves": ["f2f3", "e7e5", "g2g4", "d8h4"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_reads_the_summaries() {
    let place = Place::directory();
    summed_up(&place).await;
    let Place::Directory(folder) = &place else {
        unreachable!()
    };
    let folder = folder.path().display().to_string();
    let script = include_str!("foreign_readers/summaries_duckdb.py");
    assert_eq!(answer(script, &[&folder]), expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn pyarrow_reads_the_summaries_of_both_stores() {
    for place in places::both().await {
        summed_up(&place).await;
        let arguments = arguments(&place);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let script = include_str!("foreign_readers/summaries_pyarrow.py");
        assert_eq!(answer(script, &arguments), expected());
    }
}

/// Two links: games by region and hour, one of them over both, and a body that nobody can read.
async fn archived(place: &Place, format: FileFormat) {
    let store = place.open();
    let mut poison = said(12, "2026-11-18T10:59:00Z", "eu", "g-1");
    poison.body = "poison".to_owned();
    let links = [
        vec![
            said(10, "2026-11-18T10:00:00Z", "eu", "g-1"),
            said(11, "2026-11-18T10:00:01Z", "us", "g-2"),
            poison,
        ],
        vec![
            said(13, "2026-11-18T11:00:00Z", "eu", "g-1"),
            said(14, "2026-11-18T11:00:00.5Z", "eu", "g-1"),
        ],
    ];
    for link in &links {
        chain::append(&store, format, link).await;
    }
}

fn expected_of_raw() -> Value {
    json!({
        "by_region_and_hour": [["eu", "2026-11-18", "10", 2], ["eu", "2026-11-18", "11", 2], ["us", "2026-11-18", "10", 1]],
        "of_g_1": [[10, "MoveMade", 10], [13, "MoveMade", 13], [14, "MoveMade", 14]],
        "unreadable": [[12, "poison"]],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_reads_the_records_of_both_forms() {
    for (format, reader) in [
        (FileFormat::Parquet, "parquet"),
        (FileFormat::Jsonl, "jsonl"),
    ] {
        let place = Place::directory();
        archived(&place, format).await;
        let Place::Directory(folder) = &place else {
            unreachable!()
        };
        let folder = folder.path().display().to_string();
        let script = include_str!("foreign_readers/raw_duckdb.py");
        assert_eq!(answer(script, &[&folder, reader]), expected_of_raw());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pyarrow_reads_the_records_of_both_stores() {
    for place in places::both().await {
        archived(&place, FileFormat::Parquet).await;
        let arguments = arguments(&place);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let script = include_str!("foreign_readers/raw_pyarrow.py");
        assert_eq!(answer(script, &arguments), expected_of_raw());
    }
}

/// Where a store is, as the scripts for pyarrow take it.
fn arguments(place: &Place) -> Vec<String> {
    match place {
        Place::Directory(folder) => vec![folder.path().display().to_string()],
        Place::Bucket(bucket) => vec![
            bucket.name().to_owned(),
            bucket.endpoint().to_owned(),
            bucket.access_key().to_owned(),
            bucket.secret_key().to_owned(),
        ],
    }
}
