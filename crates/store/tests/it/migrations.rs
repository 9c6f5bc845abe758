//! Migrations on an empty database: applied once, whoever comes.

use store::{DatabaseConfig, connect, migrate};
use test_support::TestDatabase;

#[tokio::test]
async fn an_empty_database_becomes_current() {
    let database = TestDatabase::without_schema().await;
    let config = DatabaseConfig::new(database.url());
    let mut session = connect::establish(&config).await.unwrap();
    assert!(!migrate::is_current(&mut session).await.unwrap());
    assert_eq!(migrate::applied_version(&mut session).await.unwrap(), None);

    let applied = migrate::run(&config).await.unwrap();
    assert_eq!(applied.last(), Some(&migrate::latest_version()));
    assert!(migrate::is_current(&mut session).await.unwrap());
    assert_eq!(
        migrate::applied_version(&mut session).await.unwrap(),
        Some(migrate::latest_version())
    );
    assert_eq!(migrate::run(&config).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn processes_that_migrate_at_once_apply_each_step_once() {
    let database = TestDatabase::without_schema().await;
    let config = DatabaseConfig::new(database.url());
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let config = config.clone();
            tokio::spawn(async move { migrate::run(&config).await })
        })
        .collect();
    let mut applied = Vec::new();
    for run in runs {
        applied.extend(run.await.unwrap().unwrap());
    }
    let mut once = applied.clone();
    once.sort();
    once.dedup();
    assert!(!applied.is_empty());
    assert_eq!(applied.len(), once.len(), "{applied:?}");
}
