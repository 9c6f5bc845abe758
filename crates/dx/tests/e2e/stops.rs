//! Partitions that stop for an operator: they say so everywhere, and go on when they may.

use crate::events::{self, create, end, from_the_future, made, whole};
use crate::history::History;

const RETRY: (&str, &str) = ("INGESTOR__GAMES__STOPPED_RETRY", "1s");
const NEXT: &str =
    "SELECT coalesce(max(next_offset), -1) FROM stream_checkpoints WHERE partition = 0";

fn games(numbers: std::ops::Range<u32>) -> Vec<events::Record> {
    numbers
        .flat_map(|number| whole(&format!("game-{number}")))
        .collect()
}

/// Waits until the partition is stopped, then looks wherever an operator would: the reason, and how to go on, stand everywhere.
async fn stopped(history: &History, reason: &str, remedy: &str) {
    let label = format!("reason=\"{reason}\"");
    let labels = ["partition=\"0\"", label.as_str()];
    history
        .until_metric("ingest_partition_stopped", &labels, |on| on == 1.0)
        .await;
    history
        .until_metric("ingest_stops_total", &labels, |times| times >= 1.0)
        .await;
    let (status, health) = history.health().await;
    assert_eq!(status, 503);
    let said = history.ingestor_says(&["status"]);
    for (where_, text) in [("health", &health), ("status", &said)] {
        for part in [reason, remedy] {
            assert!(text.contains(part), "{where_} lacks {part}: {text}");
        }
    }
    assert!(said.contains(&format!("STOPPED {reason}")), "{said}");
    assert!(health.contains("broken"), "{health}");
    let log = history.ingestor_log();
    let told = |line: &&str| line.contains("partition stopped") && line.contains(reason);
    assert!(
        log.lines().any(|line| told(&line) && line.contains(remedy)),
        "{log}"
    );
}

/// How often the log tells of a stop.
fn stops_told(history: &History) -> usize {
    let log = history.ingestor_log();
    log.lines()
        .filter(|line| line.contains("partition stopped"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_gap_stops_a_partition_until_an_operator_accepts_it() {
    let mut history = History::with_partitions(1).await;
    history.start_ingestor();
    events::publish(history.topic(), games(0..30));
    history.until_count(NEXT, 300).await;
    history.end_ingestor();
    // Games 30 to 39 are lost whole, game 40 loses its beginning, the rest is there.
    events::publish(history.topic(), games(30..60));
    events::remove_below(history.topic(), 0, 404).await;

    history.start_ingestor_with(&[RETRY]);
    stopped(&history, "log_gap", "accept-gap").await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(stops_told(&history), 1, "{}", history.ingestor_log());
    // A stopped partition's lag goes on being told.
    history
        .until_metric("ingest_lag_records", &[], |lag| lag == 300.0)
        .await;
    history
        .until_metric("ingest_lag_seconds", &[], |age| age >= 2.0)
        .await;

    let gap = [
        "accept-gap",
        "--partition",
        "0",
        "--reason",
        "a short retention",
        "--by",
        "tester",
    ];
    let would = history.ingestor_says(&gap);
    assert!(would.contains("404") && would.contains("--yes"), "{would}");
    assert_eq!(
        history.count(NEXT).await,
        300,
        "nothing happens without --yes"
    );
    let did = history.ingestor_says(&[&gap[..], &["--yes"]].concat());
    assert!(did.contains("104 new records are lost"), "{did}");
    history
        .until_metric("ingest_partition_stopped", &[], |stopped| stopped == 0.0)
        .await;
    history.until_count(NEXT, 600).await;
    history
        .until_metric("ingest_lag_records", &[], |lag| lag == 0.0)
        .await;
    assert!(history.ingestor_log().contains("partition goes on"));
    let recorded = "SELECT count(*) FROM accepted_gaps WHERE from_offset = 300 AND to_offset = 404 AND accepted_by = 'tester'";
    assert_eq!(history.count(recorded).await, 1);
    assert_eq!(history.count("SELECT count(*) FROM games").await, 30 + 19);
    assert_eq!(
        history.count("SELECT orphan FROM stream_checkpoints").await,
        6
    );
    let told = history.verify();
    assert!(
        told.contains("a short retention") && told.contains("tester"),
        "{told}"
    );

    // The judge still judges what it can.
    history
        .execute("UPDATE games SET move_count = 7 WHERE game_id = 'game-50'")
        .await;
    let found = history.run(&["verify", "--wait", "5"]);
    assert!(!found.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_again_stops_its_partitions_while_they_are_read() {
    let mut history = History::with_partitions(1).await;
    history.start_ingestor_with(&[RETRY]);
    events::publish(history.topic(), games(0..5));
    history.until_count(NEXT, 50).await;
    events::recreate(history.topic(), 1).await;
    events::publish(history.topic(), games(5..7));
    stopped(&history, "topic_recreated", "begin a new history").await;
    assert_eq!(history.count(NEXT).await, 50);
    assert_eq!(history.count("SELECT count(*) FROM games").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_partition_count_stops_every_partition_new_ones_too() {
    let mut history = History::with_partitions(1).await;
    history.start_ingestor_with(&[RETRY]);
    events::publish(history.topic(), games(0..5));
    history.until_count(NEXT, 50).await;
    events::grow(history.topic(), 2).await;
    stopped(&history, "partition_count_changed", "new topic").await;
    // A member that starts afterwards gets the new partition as well.
    history.end_ingestor();
    history.start_ingestor_with(&[RETRY]);
    let labels = ["partition=\"1\"", "reason=\"partition_count_changed\""];
    history
        .until_metric("ingest_partition_stopped", &labels, |on| on == 1.0)
        .await;
    events::publish(history.topic(), games(5..20));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(history.count("SELECT count(*) FROM games").await, 5);
    assert_eq!(
        history
            .count("SELECT count(*) FROM stream_checkpoints")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_poison_stops_a_partition_and_a_build_that_can_take_it_goes_on() {
    let mut history = History::with_partitions(1).await;
    let strict = ("INGESTOR__GAMES__FOLD__UNREADABLE_RUN", "20");
    history.start_ingestor_with(&[RETRY, strict]);
    let before = [games(0..3), vec![create("odd"), made("odd", 1)]].concat();
    let poison: Vec<_> = (0..30).map(|_| from_the_future("odd")).collect();
    events::publish(
        history.topic(),
        [before, poison, vec![end("odd")], games(3..5)].concat(),
    );
    stopped(&history, "unreadable_run", "deploy a build").await;
    // What came before the run is committed, the run is not: a build that can read it judges it again.
    history.until_count(NEXT, 32).await;
    assert_eq!(history.count("SELECT count(*) FROM dead_letters").await, 0);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(stops_told(&history), 1, "{}", history.ingestor_log());
    assert_eq!(
        history.metric("ingest_partition_stopped", &[]).await,
        Some(1.0)
    );

    history.end_ingestor();
    history.start_ingestor_with(&[RETRY]);
    history.until_count("SELECT count(*) FROM games", 6).await;
    assert_eq!(
        history
            .count("SELECT unsupported FROM stream_checkpoints")
            .await,
        30
    );
    history.verify();
    history
        .until_metric("ingest_partition_stopped", &[], |stopped| stopped == 0.0)
        .await;
}
