//! The job `summaries`: which days are written, when again, and that what is written is what the database has.

use std::time::Duration;

use archive::summaries::{
    DayKey, GameRow, Kind, PlayerRow, RevisionNumber, Summaries, SummaryManifest, SummaryRow,
};
use archive::{ArchiveStore, Region};
use archiver::summaries::{Done, Pass, SummariesConfig, once};

use crate::history::{History, at, won_game};
use crate::places;

pub(crate) fn day(day: &str, region: &str) -> DayKey {
    DayKey {
        day: day.parse().unwrap(),
        region: Region::parse(region).unwrap(),
    }
}

pub(crate) fn new_pass(store: &ArchiveStore) -> Pass {
    Pass::new(SummariesConfig::default(), Summaries::new(store.clone()))
}

pub(crate) async fn rows<R: SummaryRow>(
    store: &ArchiveStore,
    manifest: &SummaryManifest,
) -> Vec<R> {
    let mut rows = Summaries::new(store.clone()).rows::<R>(Some(manifest));
    let mut found = Vec::new();
    while let Some(row) = rows.next().await.unwrap() {
        found.push(row);
    }
    found
}

async fn newest(store: &ArchiveStore, key: &DayKey) -> SummaryManifest {
    let newest = Summaries::new(store.clone()).newest(key).await.unwrap();
    newest.unwrap().manifest
}

async fn some_games() -> History {
    let mut history = History::begin().await;
    let games = vec![
        won_game("g-2", "2026-03-10T00:00:00Z", Some("eu"), "bob"),
        won_game("g-1", "2026-03-10T23:59:59.999Z", Some("eu"), "cyd"),
        won_game("g-3", "2026-03-10T12:00:00Z", None, "bob"),
        won_game("g-4", "2026-03-10T12:00:00Z", Some("_odd"), "bob"),
        won_game("g-5", "2026-03-11T00:00:00Z", Some("eu"), "bob"),
    ];
    history.finish(games).await;
    history
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_day_is_written_by_region_and_not_again_while_nothing_changes() {
    let history = some_games().await;
    for place in places::both().await {
        let store = place.open();
        let mut pass = new_pass(&store);
        let done = once(&mut pass, &history.config()).await.unwrap();
        assert_eq!(done.written, 3);
        for _ in 0..2 {
            let again = once(&mut pass, &history.config()).await.unwrap();
            assert_eq!(again.written, 0);
        }
        let eu = newest(&store, &day("2026-03-10", "eu")).await;
        assert_eq!(eu.revision, RevisionNumber::FIRST);
        let games: Vec<GameRow> = rows(&store, &eu).await;
        let ids: Vec<&str> = games.iter().map(|game| game.game_id.as_str()).collect();
        assert_eq!(ids, ["g-1", "g-2"]);
        let game = &games[1];
        assert_eq!(game.ended_at, at("2026-03-10T00:00:00Z"));
        assert_eq!(game.winner.as_deref(), Some("ann"));
        let moves: Vec<(&str, &str, Option<i64>)> = game
            .moves
            .iter()
            .map(|made| (made.player_id.as_str(), made.text.as_str(), made.clock_ms))
            .collect();
        assert_eq!(
            moves,
            [
                ("bob", "f2f3", Some(179_999)),
                ("ann", "e7e5", Some(179_998)),
                ("bob", "g2g4", None),
                ("ann", "d8h4", Some(179_996)),
            ]
        );
        let players: Vec<PlayerRow> = rows(&store, &eu).await;
        let seats: Vec<(&str, &str)> = players
            .iter()
            .map(|row| (row.player_id.as_str(), row.game_id.as_str()))
            .collect();
        // By player, then by the end of the game.
        assert_eq!(
            seats,
            [
                ("ann", "g-2"),
                ("ann", "g-1"),
                ("bob", "g-2"),
                ("cyd", "g-1")
            ]
        );
        // Regions that can't be a folder, and none at all, lie together; the rows say what was given.
        let other = newest(&store, &day("2026-03-10", "_other")).await;
        let games: Vec<GameRow> = rows(&store, &other).await;
        let regions: Vec<Option<&str>> = games
            .iter()
            .map(|game| game.game_region.as_deref())
            .collect();
        assert_eq!(regions, [None, Some("_odd")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_a_rebuild_changed_is_written_again() {
    let history = some_games().await;
    let place = places::Place::directory();
    let store = place.open();
    let mut pass = new_pass(&store);
    once(&mut pass, &history.config()).await.unwrap();
    let client = history.client().await;
    client
        .execute(
            "UPDATE games SET termination = 'timeout', written_at = now() WHERE game_id = 'g-1'",
            &[],
        )
        .await
        .unwrap();
    let done = once(&mut pass, &history.config()).await.unwrap();
    assert_eq!(done.written, 1);
    let eu = newest(&store, &day("2026-03-10", "eu")).await;
    assert_eq!(eu.revision.get(), 2);
    let games: Vec<GameRow> = rows(&store, &eu).await;
    assert_eq!(games[0].termination, "timeout");

    // A game that left its day for another one leaves nothing of itself behind: found when all days are looked at.
    client
        .batch_execute(
            "DELETE FROM games WHERE game_id IN ('g-1', 'g-2'); DELETE FROM player_games WHERE game_id IN ('g-1', 'g-2')",
        )
        .await
        .unwrap();
    let done = once(&mut new_pass(&store), &history.config())
        .await
        .unwrap();
    assert_eq!(done.written, 1);
    let eu = newest(&store, &day("2026-03-10", "eu")).await;
    assert_eq!((eu.revision.get(), eu.rows(Kind::Games)), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_day_is_left_alone_and_written_when_it_is_closed() {
    let mut history = History::begin().await;
    let now = chrono::Utc::now()
        .format("%Y-%m-%dT%H:%M:%S.000Z")
        .to_string();
    history
        .finish(vec![won_game("g-1", &now, Some("eu"), "bob")])
        .await;
    let place = places::Place::directory();
    let store = place.open();
    let done = once(&mut new_pass(&store), &history.config())
        .await
        .unwrap();
    assert_eq!(done.written, 0);
    // Closed a whole day early: the same as looking a day later.
    let mut pass = Pass::new(
        SummariesConfig {
            close_after: Duration::ZERO,
            ..SummariesConfig::default()
        },
        Summaries::new(store.clone()),
    );
    let client = history.client().await;
    client
        .batch_execute(
            "UPDATE games SET ended_at = ended_at - interval '1 day'; UPDATE player_games SET ended_at = ended_at - interval '1 day'",
        )
        .await
        .unwrap();
    assert_eq!(once(&mut pass, &history.config()).await.unwrap().written, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_archivers_write_each_day_once() {
    let history = some_games().await;
    let place = places::Place::directory();
    let store = place.open();
    let (mut one, mut two) = (new_pass(&store), new_pass(&store));
    let config = history.config();
    let (one, two) = tokio::join!(once(&mut one, &config), once(&mut two, &config));
    let both: Vec<Done> = vec![one.unwrap(), two.unwrap()];
    let written: u64 = both.iter().map(|done| done.written).sum();
    assert_eq!(written, 3, "{both:?}");
    let eu = newest(&store, &day("2026-03-10", "eu")).await;
    assert_eq!(eu.revision, RevisionNumber::FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_game_is_named_and_its_day_not_written() {
    let history = some_games().await;
    let client = history.client().await;
    client
        .execute(
            "UPDATE games SET moves = '\\x07' WHERE game_id = 'g-5'",
            &[],
        )
        .await
        .unwrap();
    let place = places::Place::directory();
    let store = place.open();
    let error = once(&mut new_pass(&store), &history.config())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("g-5"), "{error}");
    let summaries = Summaries::new(store);
    let day = day("2026-03-11", "eu");
    assert_eq!(summaries.newest(&day).await.unwrap(), None);
}
