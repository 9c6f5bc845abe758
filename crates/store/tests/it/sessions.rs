//! Sessions and the pool: what they are set to, and what happens when the server is not there.

use std::time::{Duration, Instant};

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use store::{DatabaseConfig, Pool, StoreError, connect};
use test_support::TestDatabase;

#[derive(diesel::QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

async fn setting(session: &mut AsyncPgConnection, name: &str) -> String {
    let row: Setting = diesel::sql_query("SELECT current_setting($1) AS value")
        .bind::<Text, _>(name)
        .get_result(session)
        .await
        .unwrap();
    row.value
}

#[tokio::test]
async fn a_session_has_the_configured_timeouts_and_name() {
    let database = TestDatabase::create().await;
    let mut config = DatabaseConfig::new(database.url());
    config.statement_timeout = Duration::from_millis(1_234);
    config.application_name = Some("a test".to_owned());
    let mut session = connect::establish(&config).await.unwrap();
    assert_eq!(setting(&mut session, "statement_timeout").await, "1234ms");
    assert_eq!(setting(&mut session, "application_name").await, "a test");
    assert_eq!(setting(&mut session, "TimeZone").await, "UTC");
}

#[tokio::test]
async fn a_pooled_session_refuses_to_write() {
    let database = TestDatabase::create().await;
    let pool = Pool::new(&DatabaseConfig::new(database.url()));
    let mut session = pool.get().await.unwrap();
    let error = session
        .batch_execute("DELETE FROM games")
        .await
        .map_err(StoreError::query("delete everything"))
        .unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    assert!(!error.is_connection());
}

#[tokio::test]
async fn a_pool_without_a_server_says_so_at_once() {
    let pool = Pool::new(&DatabaseConfig::new("postgres://nobody@127.0.0.1:1/none"));
    let begun = Instant::now();
    let error = pool.get().await.err().unwrap();
    assert!(matches!(error, StoreError::Connect { .. }), "{error}");
    assert!(
        error.to_string().contains("127.0.0.1:1/none as nobody"),
        "{error}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_pool_whose_sessions_are_all_in_use_says_so_in_time() {
    let database = TestDatabase::create().await;
    let mut config = DatabaseConfig::new(database.url());
    config.pool.max_size = 1;
    config.pool.min_idle = 0;
    config.pool.wait_timeout = Duration::from_millis(200);
    let pool = Pool::new(&config);
    let held = pool.get().await.unwrap();
    let error = pool.get().await.err().unwrap();
    assert!(matches!(error, StoreError::PoolExhausted { .. }), "{error}");
    drop(held);
    assert!(pool.get().await.is_ok());
}

#[tokio::test]
async fn who_waits_for_a_session_is_served_before_who_comes_later() {
    let database = TestDatabase::create().await;
    let mut config = DatabaseConfig::new(database.url());
    config.pool.max_size = 1;
    config.pool.min_idle = 0;
    let pool = Pool::new(&config);
    let held = pool.get().await.unwrap();
    let first = pool.clone();
    let first = tokio::spawn(async move { first.get().await.map(drop).map(|()| Instant::now()) });
    tokio::task::yield_now().await;
    drop(held);
    // Nothing has run between: the session lies in the pool, and yet it is not this one's.
    drop(pool.get().await.unwrap());
    let later = Instant::now();
    assert!(first.await.unwrap().unwrap() < later);
}

#[tokio::test]
async fn a_lost_session_is_a_connection_error() {
    let database = TestDatabase::create().await;
    let config = DatabaseConfig::new(database.url());
    let mut session = connect::establish(&config).await.unwrap();
    let end = session
        .batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")
        .await;
    let error = end.map_err(StoreError::query("end myself")).unwrap_err();
    assert!(error.is_connection(), "{error}");
}
