//! Months that leave: who may make them, who may drop them, and what a half-done step leaves.

use std::collections::BTreeSet;
use std::time::Duration;

use store::partitions::{self, Month};
use store::{DatabaseConfig, connect, retention};
use test_support::TestDatabase;
use tokio_postgres::{Client, NoTls};

/// "gamepart" in ASCII: whoever makes partitions or raises the floor holds it.
const PARTITIONS_LOCK: i64 = 0x6761_6d65_7061_7274;

async fn client(database: &TestDatabase) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

fn months(days: &[&str]) -> BTreeSet<Month> {
    days.iter()
        .map(|day| Month::of_day(day.parse().unwrap()))
        .collect()
}

fn january() -> Month {
    Month::of_day("2025-01-31".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_read_the_floor_a_moment_too_early_makes_no_month_below_it() {
    let database = TestDatabase::create().await;
    let config = DatabaseConfig::new(database.url());
    let client = client(&database).await;
    client
        .batch_execute(&format!(
            "BEGIN; SELECT pg_advisory_xact_lock({PARTITIONS_LOCK})"
        ))
        .await
        .unwrap();
    let making = tokio::spawn(async move {
        let mut session = connect::establish(&config).await.unwrap();
        partitions::ensure(&mut session, &months(&["2025-01-01", "2025-02-01"])).await
    });
    // It has read that there is no floor, and waits.
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client
        .batch_execute("INSERT INTO retention_floor (ended_at) VALUES ('2025-02-01'); COMMIT")
        .await
        .unwrap();
    making.await.unwrap().unwrap();
    let mut session = connect::establish(&DatabaseConfig::new(database.url()))
        .await
        .unwrap();
    let tables = retention::month_tables(&mut session).await.unwrap();
    assert_eq!(tables.attached, months(&["2025-02-01"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_month_is_not_dropped_and_a_half_detached_one_is_finished() {
    let database = TestDatabase::create().await;
    let mut config = DatabaseConfig::new(database.url());
    config.lock_timeout = Duration::from_millis(300);
    let mut session = connect::establish(&config).await.unwrap();
    partitions::ensure(&mut session, &months(&["2025-01-01"]))
        .await
        .unwrap();
    let error = retention::drop_detached(&mut session, january())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is attached"), "{error}");

    // Somebody reads, so the first table's detaching is given up half way.
    let mut reader = client(&database).await;
    let reading = reader.transaction().await.unwrap();
    reading
        .query("SELECT count(*) FROM games", &[])
        .await
        .unwrap();
    let error = retention::detach(&mut session, january())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    let tables = retention::month_tables(&mut session).await.unwrap();
    assert!(tables.attached.contains(&january()) && tables.detached.is_empty());
    reading.rollback().await.unwrap();

    retention::detach(&mut session, january()).await.unwrap();
    retention::detach(&mut session, january()).await.unwrap();
    let tables = retention::month_tables(&mut session).await.unwrap();
    assert_eq!(tables.detached, months(&["2025-01-01"]));
    retention::drop_detached(&mut session, january())
        .await
        .unwrap();
    retention::drop_detached(&mut session, january())
        .await
        .unwrap();
    let tables = retention::month_tables(&mut session).await.unwrap();
    assert_eq!(tables, retention::MonthTables::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_floor_only_rises() {
    let database = TestDatabase::create().await;
    let mut session = connect::establish(&DatabaseConfig::new(database.url()))
        .await
        .unwrap();
    for (month, floor) in [
        (january(), "2025-01-01T00:00:00.000Z"),
        (january().next(), "2025-02-01T00:00:00.000Z"),
        (january().previous(), "2025-02-01T00:00:00.000Z"),
    ] {
        retention::raise_floor(&mut session, month).await.unwrap();
        let found = partitions::retention_floor(&mut session).await.unwrap();
        assert_eq!(found.unwrap().to_string(), floor);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archivers_jobs_are_done_by_one_session_at_a_time() {
    let database = TestDatabase::create().await;
    let config = DatabaseConfig::new(database.url());
    let mut one = connect::establish(&config).await.unwrap();
    let mut two = connect::establish(&config).await.unwrap();
    assert!(retention::try_lock(&mut one).await.unwrap());
    assert!(!retention::try_lock(&mut two).await.unwrap());
    drop(one);
    while !retention::try_lock(&mut two).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
