//! Back-pressure and limits: what is large, slow or much stays within what was configured.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::events::{self, create, end, made, padded};
use crate::history::{self, History};

const MIB: u64 = 1 << 20;
/// Small buffers, so that a stalled database is felt soon.
const SMALL: [(&str, &str); 4] = [
    ("INGESTOR__KAFKA__TOTAL_BUFFER_BYTES", "8388608"),
    ("INGESTOR__KAFKA__PARTITION_BUFFER_BYTES", "4194304"),
    ("INGESTOR__KAFKA__PREFETCH_KB_PER_PARTITION", "1024"),
    ("INGESTOR__GAMES__FOLD__BATCH_RECORDS", "5000"),
];

/// The server's processes of the ingestor's sessions, held still until this is dropped.
struct Stalled(Vec<u32>);

impl Stalled {
    async fn begin(history: &History) -> Self {
        let (client, connection) =
            tokio_postgres::connect(&history.database().url(), tokio_postgres::NoTls)
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        let query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                     AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let rows = client.query(query, &[]).await.unwrap();
        connection.abort();
        let pids: Vec<u32> = rows
            .iter()
            .map(|row| row.get::<_, i32>(0).unsigned_abs())
            .collect();
        assert!(!pids.is_empty(), "the ingestor has no sessions");
        pids.iter()
            .for_each(|pid| history::signal(*pid, Signal::STOP));
        Self(pids)
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.0
            .iter()
            .for_each(|pid| history::signal(*pid, Signal::CONT));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_database_pauses_reading_within_bounded_memory_and_the_member_stays() {
    let mut history = History::with_partitions(4).await;
    history.start_ingestor_with(&SMALL);
    history.succeed(&["simulate", "--games", "300", "--seed", "31"]);
    history
        .until_metric("ingest_lag_records", &[], |lag| lag == 0.0)
        .await;
    let members = events::members(history.topic(), history.topic().name()).await;
    let claims = history.metric("ingest_claims_total", &[]).await;
    let before = history.ingestor_memory_bytes();

    let stalled = Stalled::begin(&history).await;
    let began = Instant::now();
    history.succeed(&["simulate", "--games", "2500", "--seed", "32"]);
    history
        .until_metric("ingest_paused_seconds", &[], |paused| paused > 0.0)
        .await;
    // Beyond the session timeout of six seconds.
    let mut most = history.ingestor_memory_bytes();
    while began.elapsed() < Duration::from_secs(12) {
        most = history.ingestor_memory_bytes().max(most);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let (status, health) = history.health().await;
    assert_eq!(status, 503, "{health}");
    assert!(!health.contains("broken"), "{health}");
    history
        .until_metric("ingest_lag_seconds", &[], |age| age >= 5.0)
        .await;
    drop(stalled);

    // 8 MiB of buffers, four times one of prefetch, two batches on their way and one open for each of four workers.
    let grown = most.saturating_sub(before);
    assert!(grown < 96 * MIB, "grown by {} MiB", grown / MIB);
    history.verify();
    assert_eq!(
        events::members(history.topic(), history.topic().name()).await,
        members
    );
    assert_eq!(history.metric("ingest_claims_total", &[]).await, claims);
    assert!(history.metric("ingest_pauses_total", &[]).await.unwrap() >= 1.0);
    let lasted = history
        .metric("ingest_paused_milliseconds_total", &[])
        .await
        .unwrap();
    assert!(lasted >= 5_000.0, "paused for {lasted} ms");
    history
        .until_metric("ingest_paused_seconds", &[], |paused| paused == 0.0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_of_a_hundred_thousand_plies_is_kept_whole() {
    const PLIES: u32 = 100_000;
    let mut history = History::with_partitions(1).await;
    history.start_ingestor_with(&SMALL);
    let moves = (1..=PLIES).map(|ply| made("long", ply));
    let game = [create("long")]
        .into_iter()
        .chain(moves)
        .chain([end("long")]);
    events::publish(history.topic(), game);
    history.until_count("SELECT count(*) FROM games", 1).await;
    let found = "SELECT move_count::bigint FROM games WHERE NOT incomplete";
    assert_eq!(history.count(found).await, i64::from(PLIES));
    let (status, game) = history.get("/v1/games/long").await;
    assert_eq!(status, 200);
    assert_eq!(game["moves"].as_array().unwrap().len(), PLIES as usize);
    let memory = history.ingestor_memory_bytes();
    assert!(memory < 200 * MIB, "{} MiB", memory / MIB);
    history.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_a_megabyte_and_held_moves_stay_within_their_limits() {
    let mut history = History::with_partitions(1).await;
    history.start_ingestor_with(&SMALL);
    // As large as Kafka takes a record by default.
    let padding = "x".repeat(1_000_000);
    let mut records = vec![create("large")];
    records.extend((1..=20).map(|ply| padded("large", ply, &padding)));
    records.extend((0..20).map(|_| ("large".to_owned(), vec![b'{'; 1_000_000])));
    records.push(end("large"));
    // Plies 2 to 65 wait for the first, the 66th is one too many until there is room.
    records.push(create("gap"));
    records.extend((2..=66).map(|ply| made("gap", ply)));
    records.extend([made("gap", 1), made("gap", 66), end("gap")]);
    events::publish(history.topic(), records);
    history
        .until_count("SELECT count(*) FROM games WHERE NOT incomplete", 2)
        .await;
    let count = async |query: &str| history.count(query).await;
    assert_eq!(
        count("SELECT move_count::bigint FROM games WHERE game_id = 'gap'").await,
        66
    );
    assert_eq!(
        count("SELECT gap_overflow FROM stream_checkpoints").await,
        1
    );
    assert_eq!(
        count("SELECT undecodable FROM stream_checkpoints").await,
        20
    );
    assert_eq!(
        count("SELECT min(length(raw))::bigint FROM dead_letters WHERE reason = 'undecodable'")
            .await,
        1_000_000
    );
    let memory = history.ingestor_memory_bytes();
    assert!(memory < 250 * MIB, "{} MiB", memory / MIB);
    history.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_with_a_backlog_does_not_hold_up_another_one_of_its_worker() {
    const GAMES: u32 = 20_000;
    let mut history = History::with_partitions(2).await;
    let behind = (0..GAMES).flat_map(|game| events::whole(&format!("behind-{game}")));
    events::publish_to(history.topic(), Some(0), behind);
    events::publish_to(history.topic(), Some(1), events::whole("apart"));
    history.start_ingestor_with(&[("INGESTOR__GAMES__WORKERS", "1")]);
    let apart = "SELECT count(*) FROM games WHERE game_id = 'apart'";
    history.until_count(apart, 1).await;
    let done = "SELECT next_offset FROM stream_checkpoints WHERE partition = 0";
    let done = history.count(done).await;
    println!("{done} of {} records are done", GAMES * 10);
    assert!(done < i64::from(GAMES) * 10, "the backlog came first");
    history
        .until_count("SELECT count(*) FROM games", i64::from(GAMES) + 1)
        .await;
}

/// `LIVE_GAMES` says how many, for a look at more than a test has time for.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_with_many_live_games_takes_its_share_of_memory_and_is_taken_over() {
    let games: u32 = std::env::var("LIVE_GAMES").map_or(20_000, |text| text.parse().unwrap());
    let mut history = History::with_partitions(1).await;
    history.start_ingestor_with(&SMALL);
    history
        .until_metric("ingest_claims_total", &[], |claims| claims == 1.0)
        .await;
    let before = history.ingestor_memory_bytes();
    let records = (0..games).flat_map(|game| {
        let id = format!("live-{game:08}");
        [create(&id), made(&id, 1), made(&id, 2), made(&id, 3)]
    });
    events::publish(history.topic(), records);
    let all = i64::from(games);
    let until = |live: f64| live >= f64::from(games);
    history.until_metric("ingest_live_games", &[], until).await;
    history
        .until_count("SELECT count(*) FROM live_games", all)
        .await;
    history
        .until_metric("ingest_lag_records", &[], |lag| lag == 0.0)
        .await;
    let grown = history.ingestor_memory_bytes().saturating_sub(before);
    println!(
        "{games} live games: {} MiB, {} bytes each",
        grown / MIB,
        grown / u64::from(games)
    );
    // A base for the buffers and batches, and what the aim says for each game.
    assert!(
        grown < 160 * MIB + u64::from(games) * 700,
        "{} MiB",
        grown / MIB
    );
    history.end_ingestor();
    let began = Instant::now();
    history.start_ingestor_with(&SMALL);
    history.until_metric("ingest_live_games", &[], until).await;
    println!(
        "taken over in {:?}: {} MiB",
        began.elapsed(),
        history.ingestor_memory_bytes() / MIB
    );
    events::publish(
        history.topic(),
        (0..games.min(1_000)).map(|game| end(&format!("live-{game:08}"))),
    );
    history
        .until_count("SELECT count(*) FROM games", all.min(1_000))
        .await;
    history.verify();
}
