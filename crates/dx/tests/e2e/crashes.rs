//! Ingestors that die in the middle of the work.

use std::time::Duration;

use crate::history::{History, finish};

fn play(history: &History, seed: &str) -> std::process::Child {
    let args = [
        "simulate",
        "--games",
        "4000",
        "--rate",
        "25000",
        "--seed",
        seed,
        "--duplicates",
        "0.02",
        "--poison",
        "0.001",
    ];
    history.start(
        &[
            &args[..],
            &["--conflicts", "0.001", "--late", "0.005", "--gaps", "0.001"],
        ]
        .concat(),
    )
}

async fn until_games(history: &History, games: i64) {
    while history.count("SELECT count(*) FROM game_directory").await < games {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingestor_killed_in_the_middle_and_started_again_leaves_no_difference() {
    let mut history = History::begin().await;
    history.start_ingestor();
    let simulation = play(&history, "21");
    until_games(&history, 500).await;
    history.kill_ingestor();
    tokio::time::sleep(Duration::from_millis(500)).await;
    history.start_ingestor();
    finish("simulate", simulation);
    history.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_ingestors_killed_leaves_no_difference() {
    let mut history = History::begin().await;
    history.start_ingestor();
    history.start_ingestor();
    let simulation = play(&history, "22");
    until_games(&history, 500).await;
    history.kill_ingestor();
    finish("simulate", simulation);
    history.verify();
}
