//! The job `summaries`: which days are written, when again, and that what is written is what the database has.

use std::time::Duration;

use archive::summaries::{
    DayKey, GameRow, Kind, PlayerRow, RevisionNumber, Summaries, SummaryManifest, SummaryRow,
};
use archive::{ArchiveStore, Region};
use archiver::summaries::{Done, Pass, SummariesConfig, once};

use crate::chain;
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

/// A command of the archiver over a directory: its exit code, and all that it said.
fn command(place: &places::Place, words: &[&str]) -> (Option<i32>, String) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_archiver"))
        .args(words)
        .env("ARCHIVER__STORE__URL", place.settings().url)
        .output();
    let done = done.unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_moved_aside_and_its_day_written_again_from_the_rows() {
    let history = some_games().await;
    let place = places::Place::directory();
    let places::Place::Directory(folder) = &place else {
        unreachable!()
    };
    let store = place.open();
    // A verification is of a topic, and of the summaries beside it.
    let said = chain::said(0, "2026-03-10T09:00:00Z", "eu", "g-1");
    chain::append(&store, archive::FileFormat::Parquet, &[said]).await;
    once(&mut new_pass(&store), &history.config())
        .await
        .unwrap();
    let verify = ["verify", "--offline", "--topic", "game-events"];
    assert_eq!(command(&place, &verify).0, Some(0));

    let eu = day("2026-03-10", "eu");
    let victim = newest(&store, &eu).await.games[0].key.clone();
    let file = folder.path().join(victim.as_str());
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    // Its footer: also one who does not look at the digest can't read it.
    let near_end = whole.len() - 20;
    flipped[near_end] ^= 0xff;
    std::fs::write(&file, flipped).unwrap();
    let (code, told) = command(&place, &verify);
    assert!(
        code == Some(1) && told.matches("FAULT").count() == 1,
        "{told}"
    );
    assert!(told.contains(victim.as_str()), "{told}");

    // It is not trusted, and stands in nobody's way.
    let summaries = Summaries::new(store.clone());
    let date = eu.day;
    let error = summaries.find_game("g-1", date).await.unwrap_err();
    assert!(error.to_string().contains(victim.as_str()), "{error}");
    assert!(summaries.find_game("g-3", date).await.unwrap().is_some());
    let next = date.succ_opt().unwrap();
    assert!(summaries.find_game("g-5", next).await.unwrap().is_some());

    let quarantine = |key: &str| {
        let words = ["quarantine", "--key", key, "--reason", "a bad disk"];
        command(&place, &[&words[..], &["--by", "ann", "--yes"]].concat())
    };
    let players = newest(&store, &eu).await.players[0].key.to_string();
    let (code, told) = quarantine(&players);
    assert!(code == Some(1) && told.contains("it stays"), "{told}");
    let (code, told) = quarantine(victim.as_str());
    assert!(code == Some(0) && !file.exists(), "{told}");
    let (code, told) = command(&place, &verify);
    assert!(
        code == Some(1) && told.contains("a bad disk (ann"),
        "{told}"
    );
    let error = summaries.find_game("g-1", date).await.unwrap_err();
    assert!(error.to_string().contains("a bad disk"), "{error}");

    // Nothing in the database has changed, and yet the day is written.
    let done = once(&mut new_pass(&store), &history.config()).await;
    assert_eq!(done.unwrap().written, 1);
    let again = newest(&store, &eu).await;
    assert_eq!(again.revision.get(), 2);
    let games: Vec<GameRow> = rows(&store, &again).await;
    assert_eq!(games.len(), 2);
    assert!(summaries.find_game("g-1", date).await.unwrap().is_some());
    let (code, told) = command(&place, &verify);
    assert_eq!(code, Some(0), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_manifest_is_named_at_every_look_and_keeps_no_other_day() {
    let history = some_games().await;
    let place = places::Place::directory();
    let places::Place::Directory(folder) = &place else {
        unreachable!()
    };
    let store = place.open();
    let mut pass = new_pass(&store);
    once(&mut pass, &history.config()).await.unwrap();
    let eu = day("2026-03-10", "eu");
    let manifest = folder
        .path()
        .join(eu.manifest(RevisionNumber::FIRST).as_str());
    let whole = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, "{").unwrap();
    let changed = "UPDATE games SET termination = 'timeout', written_at = now()";
    history.client().await.execute(changed, &[]).await.unwrap();
    for _ in 0..2 {
        let error = once(&mut pass, &history.config()).await.unwrap_err();
        assert!(error.to_string().contains("000001.json"), "{error}");
        for other in [day("2026-03-10", "_other"), day("2026-03-11", "eu")] {
            assert_eq!(newest(&store, &other).await.revision.get(), 2);
        }
    }
    std::fs::write(&manifest, whole).unwrap();
    assert_eq!(once(&mut pass, &history.config()).await.unwrap().written, 1);
    assert_eq!(newest(&store, &eu).await.revision.get(), 2);
}
