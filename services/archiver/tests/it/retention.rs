//! The job `retention`: what leaves PostgreSQL is in the summaries, and nobody waits for it.

use std::time::{Duration, Instant};

use archive::summaries::{Compared, Summaries};
use archiver::retention::{RetentionConfig, RetentionError, Unproven, pass};
use archiver::summaries::{SummariesConfig, once};
use domain::GameId;
use store::partitions::{self, Month};
use store::read::{self, FoundGame};
use store::retention as tables;

use crate::history::{History, at, won_game};
use crate::places::{self, Place};
use crate::summaries::{day, new_pass};

fn hot_months(hot_months: u32) -> RetentionConfig {
    RetentionConfig {
        hot_months,
        lock_timeout: Duration::from_millis(400),
        ..RetentionConfig::default()
    }
}

fn january() -> Month {
    Month::of_datetime(at("2025-01-01T00:00:00Z"))
}

/// Two games of January 2025, and one of this month.
async fn old_and_new() -> History {
    let mut history = History::begin().await;
    let now = chrono::Utc::now()
        .format("%Y-%m-%dT%H:%M:%S.000Z")
        .to_string();
    history
        .finish(vec![
            won_game("old-1", "2025-01-05T10:00:00Z", Some("eu"), "bob"),
            won_game("old-2", "2025-01-31T23:59:59Z", Some("us"), "bob"),
            won_game("new-1", &now, Some("eu"), "bob"),
        ])
        .await;
    history
}

async fn retain(history: &History, place: &Place) -> Result<Vec<Month>, RetentionError> {
    let summaries = Summaries::new(place.open());
    let (config, summing_up) = (hot_months(1), SummariesConfig::default());
    pass(&config, &summing_up, &history.config(), &summaries).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_leaves_when_its_summaries_are_proven_and_its_games_are_found_there() {
    for place in places::both().await {
        let mut history = old_and_new().await;
        assert_eq!(retain(&history, &place).await.unwrap(), [january()]);
        assert_eq!(history.count("SELECT count(*) FROM games").await, 1);
        assert_eq!(history.count("SELECT count(*) FROM player_games").await, 2);
        let left = "SELECT count(*) FROM pg_class WHERE relname LIKE '%games_y2025m01'";
        assert_eq!(history.count(left).await, 0);

        let id = GameId::parse("old-1").unwrap();
        let mut session = history.session().await;
        let found = read::game(&mut session, &id).await.unwrap();
        assert!(
            matches!(found, FoundGame::Gone { .. }),
            "the directory has to remember the game: {found:?}"
        );
        let summaries = Summaries::new(place.open());
        let found = summaries
            .find_game("old-1", "2025-01-05".parse().unwrap())
            .await;
        assert_eq!(found.unwrap().unwrap().moves.len(), 4);
        // Nothing is left to do, and ingestion goes on.
        assert_eq!(retain(&history, &place).await.unwrap(), []);
        history
            .finish(vec![won_game("new-2", "2026-02-01T00:00:00Z", None, "bob")])
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_month_stays_unless_a_number_of_hot_ones_is_set() {
    let history = old_and_new().await;
    let summaries = Summaries::new(Place::directory().open());
    let (config, summing_up) = (hot_months(0), SummariesConfig::default());
    let dropped = pass(&config, &summing_up, &history.config(), &summaries).await;
    assert_eq!(dropped.unwrap(), []);
    assert_eq!(history.count("SELECT count(*) FROM games").await, 3);
    let ahead = Month::of_datetime(chrono::Utc::now()).next().next().next();
    let name = format!("games_{}", ahead.suffix());
    let made = format!("SELECT count(*) FROM pg_class WHERE relname = '{name}'");
    assert_eq!(history.count(&made).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_whose_summaries_differ_stays_until_they_are_right() {
    let history = old_and_new().await;
    let place = Place::directory();
    once(&mut new_pass(&place.open()), &history.config())
        .await
        .unwrap();
    // The stamp says that nothing has changed: only the row itself tells.
    let client = history.client().await;
    client
        .execute(
            "UPDATE games SET termination = 'timeout' WHERE game_id = 'old-2'",
            &[],
        )
        .await
        .unwrap();
    let error = retain(&history, &place).await.unwrap_err();
    let RetentionError::Unproven {
        unproven: Unproven::Different(Compared { different: 1, .. }),
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert!(error.to_string().contains("old-2"), "{error}");
    assert_eq!(
        history.count("SELECT count(*) FROM games_y2025m01").await,
        2
    );

    client
        .execute(
            "UPDATE games_y2025m01 SET termination = 'checkmate' WHERE game_id = 'old-2'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(retain(&history, &place).await.unwrap(), [january()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_of_a_detached_month_is_written_again_and_proven_before_its_rows_go() {
    let history = old_and_new().await;
    let place = Place::directory();
    let Place::Directory(folder) = &place else {
        unreachable!()
    };
    once(&mut new_pass(&place.open()), &history.config())
        .await
        .unwrap();
    let mut session = history.session().await;
    tables::raise_floor(&mut session, january().next())
        .await
        .unwrap();
    tables::detach(&mut session, january()).await.unwrap();
    let summaries = Summaries::new(place.open());
    let eu = day("2025-01-05", "eu");
    let newest = summaries.newest(&eu).await.unwrap().unwrap();
    let file = folder.path().join(newest.manifest.games[0].key.as_str());
    let mut flipped = std::fs::read(&file).unwrap();
    flipped[40] ^= 1;
    std::fs::write(&file, flipped).unwrap();

    // A manifest that can't be read is no reason to write anything: the month stays, and its days are as they were.
    let manifest = folder
        .path()
        .join(eu.manifest(newest.manifest.revision).as_str());
    let whole = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, "{").unwrap();
    let error = retain(&history, &place).await.unwrap_err();
    assert!(error.to_string().contains("000001.json"), "{error}");
    assert_eq!(
        history.count("SELECT count(*) FROM games_y2025m01").await,
        2
    );

    std::fs::write(&manifest, whole).unwrap();
    assert_eq!(retain(&history, &place).await.unwrap(), [january()]);
    let newest = summaries.newest(&eu).await.unwrap().unwrap();
    assert_eq!(newest.manifest.revision.get(), 2);
    let found = summaries
        .find_game("old-1", "2025-01-05".parse().unwrap())
        .await;
    assert_eq!(found.unwrap().unwrap().moves.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_lost_games_since_it_was_summed_up_stays() {
    let history = old_and_new().await;
    let place = Place::directory();
    once(&mut new_pass(&place.open()), &history.config())
        .await
        .unwrap();
    let mut session = history.session().await;
    tables::raise_floor(&mut session, january().next())
        .await
        .unwrap();
    tables::detach(&mut session, january()).await.unwrap();
    let client = history.client().await;
    client
        .execute("DELETE FROM games_y2025m01 WHERE game_id = 'old-1'", &[])
        .await
        .unwrap();
    let error = retain(&history, &place).await.unwrap_err();
    let expected = Unproven::Fewer {
        games: 0,
        summed_up: 1,
    };
    assert!(
        matches!(&error, RetentionError::Unproven { unproven, .. } if *unproven == expected),
        "{error}"
    );
    assert_eq!(
        history.count("SELECT count(*) FROM games_y2025m01").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_between_summing_up_and_detaching_is_summed_up_again() {
    let mut history = old_and_new().await;
    let place = Place::directory();
    once(&mut new_pass(&place.open()), &history.config())
        .await
        .unwrap();
    history
        .finish(vec![won_game(
            "old-3",
            "2025-01-05T10:00:01Z",
            Some("eu"),
            "bob",
        )])
        .await;
    // A process that died between detaching and proving leaves this.
    let mut session = history.session().await;
    tables::raise_floor(&mut session, january().next())
        .await
        .unwrap();
    tables::detach(&mut session, january()).await.unwrap();
    assert_eq!(retain(&history, &place).await.unwrap(), [january()]);
    let found = Summaries::new(place.open())
        .find_game("old-3", "2025-01-05".parse().unwrap())
        .await;
    assert!(found.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_ends_below_the_floor_is_kept_and_summed_up() {
    for place in places::both().await {
        let mut history = old_and_new().await;
        retain(&history, &place).await.unwrap();
        history
            .finish(vec![
                won_game("late-1", "2025-01-05T11:00:00Z", Some("eu"), "bob"),
                won_game("late-2", "1999-12-31T11:00:00Z", None, "bob"),
            ])
            .await;
        assert_eq!(
            history
                .count("SELECT count(*) FROM games_below_floor")
                .await,
            2
        );
        let made = "SELECT count(*) FROM pg_class WHERE relname ~ 'games_y(2025|1999)'";
        assert_eq!(history.count(made).await, 0);

        let store = place.open();
        let done = once(&mut new_pass(&store), &history.config())
            .await
            .unwrap();
        assert_eq!(done.merged, 2);
        let waiting = "SELECT (SELECT count(*) FROM games_below_floor) + (SELECT count(*) FROM player_games_below_floor)";
        assert_eq!(history.count(waiting).await, 0);
        let summaries = Summaries::new(store.clone());
        for (id, day) in [
            ("old-1", "2025-01-05"),
            ("late-1", "2025-01-05"),
            ("late-2", "1999-12-31"),
        ] {
            let found = summaries.find_game(id, day.parse().unwrap()).await.unwrap();
            assert!(found.is_some(), "{id}");
        }
        let eu = summaries
            .newest(&day("2025-01-05", "eu"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(eu.manifest.revision.get(), 2);
        let again = once(&mut new_pass(&store), &history.config())
            .await
            .unwrap();
        assert_eq!((again.merged, again.written), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn games_that_were_merged_before_a_crash_are_not_merged_twice() {
    let mut history = old_and_new().await;
    let place = Place::directory();
    retain(&history, &place).await.unwrap();
    let late = won_game("late-1", "2025-01-05T11:00:00Z", Some("eu"), "bob");
    history.finish(vec![late]).await;
    let client = history.client().await;
    client
        .batch_execute(
            "CREATE TABLE g AS TABLE games_below_floor; CREATE TABLE p AS TABLE player_games_below_floor",
        )
        .await
        .unwrap();
    once(&mut new_pass(&place.open()), &history.config())
        .await
        .unwrap();
    // The process died after the revision stood and before its games were let go.
    client
        .batch_execute(
            "INSERT INTO games_below_floor TABLE g; INSERT INTO player_games_below_floor TABLE p",
        )
        .await
        .unwrap();
    once(&mut new_pass(&place.open()), &history.config())
        .await
        .unwrap();
    assert_eq!(
        history
            .count("SELECT count(*) FROM games_below_floor")
            .await,
        0
    );
    let summaries = Summaries::new(place.open());
    let eu = summaries
        .newest(&day("2025-01-05", "eu"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        eu.manifest.revision.get(),
        2,
        "a third revision would say nothing new"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_while_a_month_in_use_is_detached() {
    let mut history = old_and_new().await;
    let place = Place::directory();
    once(&mut new_pass(&place.open()), &history.config())
        .await
        .unwrap();
    let mut reader = history.client().await;
    let reading = reader.transaction().await.unwrap();
    reading
        .query("SELECT count(*) FROM games", &[])
        .await
        .unwrap();

    let detaching = tokio::spawn({
        let (config, summaries) = (history.config(), Summaries::new(place.open()));
        async move {
            let retention = hot_months(1);
            pass(&retention, &SummariesConfig::default(), &config, &summaries).await
        }
    });
    let mut slowest = Duration::ZERO;
    for index in 0.. {
        if detaching.is_finished() {
            break;
        }
        let begun = Instant::now();
        let now = chrono::Utc::now()
            .format("%Y-%m-%dT%H:%M:%S.000Z")
            .to_string();
        history
            .finish(vec![won_game(
                &format!("during-{index}"),
                &now,
                None,
                "bob",
            )])
            .await;
        slowest = slowest.max(begun.elapsed());
    }
    let error = detaching.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    assert!(
        slowest < Duration::from_millis(350),
        "a commit took {slowest:?}"
    );

    // Half detached the month looks empty to whoever asks the hot tables; that is no state to be summed up.
    once(&mut new_pass(&place.open()), &history.config())
        .await
        .unwrap();
    reading.rollback().await.unwrap();
    assert_eq!(retain(&history, &place).await.unwrap(), [january()]);
    let summaries = Summaries::new(place.open());
    let newest = summaries
        .newest(&day("2025-01-05", "eu"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(newest.manifest.revision.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_a_month_again_that_retention_has_taken() {
    let history = old_and_new().await;
    let place = Place::directory();
    retain(&history, &place).await.unwrap();
    let mut session = history.session().await;
    let months = [january(), january().previous()].into();
    partitions::ensure(&mut session, &months).await.unwrap();
    // The floor is never lowered.
    tables::raise_floor(&mut session, january()).await.unwrap();
    partitions::ensure(&mut session, &months).await.unwrap();
    let made = "SELECT count(*) FROM pg_class WHERE relname ~ 'games_y202[45]'";
    assert_eq!(history.count(made).await, 0);
}
