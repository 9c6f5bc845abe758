//! What follows from facts about lag, stops and silence. Time stands still unless a test moves it.

use super::*;
use crate::stops::{Stop, StopReason};

fn told(next_offset: i64, oldest_waiting_ms: Option<i64>) -> PartitionProgress {
    PartitionProgress {
        told_at: Instant::now(),
        phase: Phase::Live,
        next_offset: Some(next_offset),
        oldest_waiting_ms,
        live_games: 0,
        commits_full: false,
        stop: None,
    }
}

fn stands(told: PartitionProgress, high: i64) -> Standing {
    let config = HealthConfig::default();
    let mut watched = Watched::default();
    watched.look(&told, Some(high), 0);
    standing(
        &config,
        true,
        None,
        &[(3, told)].into(),
        &[(3, watched)].into(),
    )
}

#[tokio::test(start_paused = true)]
async fn the_age_is_that_of_the_oldest_record_not_committed() {
    let mut watched = Watched::default();
    watched.look(&told(10, Some(4_000)), Some(15), 10_000);
    assert_eq!(
        watched.lag,
        Lag {
            records: Some(5),
            age: Some(Duration::from_secs(6))
        }
    );
    watched.look(&told(15, None), Some(15), 10_000);
    assert_eq!(
        watched.lag,
        Lag {
            records: Some(0),
            age: Some(Duration::ZERO)
        }
    );
}

#[tokio::test(start_paused = true)]
async fn records_that_nobody_reads_age_all_the_same() {
    let mut watched = Watched::default();
    watched.look(&told(10, None), Some(11), 0);
    tokio::time::advance(Duration::from_secs(40)).await;
    watched.look(&told(10, None), Some(11), 0);
    assert_eq!(watched.lag.age, Some(Duration::from_secs(40)));
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_not_told() {
    let mut watched = Watched::default();
    watched.look(&told(10, None), None, 0);
    assert_eq!(watched.lag, Lag::default());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_partition_is_broken_and_says_how_to_go_on() {
    let stop = Some(Stop::new(StopReason::LogGap, "the log begins at 7"));
    let Standing::Broken(why) = stands(
        PartitionProgress {
            stop,
            ..told(3, None)
        },
        9,
    ) else {
        panic!("not broken");
    };
    for part in ["partition 3", "log_gap", "begins at 7", "accept-gap"] {
        assert!(why.contains(part), "{part} in {why}");
    }
}

#[tokio::test(start_paused = true)]
async fn catching_up_is_neither_ready_nor_broken() {
    let far = HealthConfig::default().catching_up_records + 1;
    assert_eq!(stands(told(0, None), far - 1), Standing::Ready);
    assert!(matches!(
        stands(told(0, None), far),
        Standing::CatchingUp(_)
    ));
    let replaying = PartitionProgress {
        phase: Phase::Replaying,
        ..told(0, None)
    };
    assert!(matches!(stands(replaying, 0), Standing::CatchingUp(_)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_worker_is_not_ready_and_waits_for_a_look_up() {
    let old = told(0, None);
    tokio::time::advance(SILENT).await;
    assert_eq!(cause(&old), "look_up");
    assert!(matches!(stands(old, 0), Standing::CatchingUp(_)));
}

#[tokio::test(start_paused = true)]
async fn without_a_database_it_is_broken() {
    let (config, all) = (HealthConfig::default(), [(0, told(0, None))].into());
    let stands = standing(
        &config,
        true,
        Some("refused".into()),
        &all,
        &BTreeMap::new(),
    );
    assert_eq!(
        stands,
        Standing::Broken("no database session: refused".into())
    );
}
