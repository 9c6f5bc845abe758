//! Finished games in memory: answered from there, asked about, forgotten.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::TestDatabase;

use crate::http::{Answer, post, send, send_with};
use crate::seed::{self, Seeded, at};
use crate::server::TestServer;
use crate::tokens::{SECRET, claims, signed};

const GAME: &str = "/v1/games/g-1";
const BY_SECRET: &str = "[auth]\nissuer = 'https://id.test'\naudience = 'game-history'";

async fn keeping(settings: &str) -> (TestServer, TestDatabase) {
    let database = TestDatabase::create().await;
    seed::finished(
        &database.url(),
        &[Seeded::new("g-1", at("2026-11-20T10:00:00Z"))],
    )
    .await;
    let server = TestServer::with_settings(&database.url(), settings).await;
    (server, database)
}

/// The revision that an answer is of.
fn revision(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    let tag = answer.header("etag").unwrap();
    tag.trim_start_matches('"').split('-').next().unwrap()
}

async fn correct(database: &TestDatabase) {
    let client = seed::client(&database.url()).await;
    let correction =
        "UPDATE game_directory SET revision = 2; UPDATE games SET termination = 'corrected'";
    client.batch_execute(correction).await.unwrap();
}

async fn invalidate(server: &TestServer, token: Option<&str>, body: &Value) -> Answer {
    let body = body.to_string();
    let (length, bearer) = (
        body.len().to_string(),
        format!("Bearer {}", token.unwrap_or("")),
    );
    let mut headers = vec![
        ("content-type", "application/json"),
        ("content-length", length.as_str()),
    ];
    headers.extend(token.map(|_| ("authorization", bearer.as_str())));
    let target = "/v1/admin/cache/invalidate";
    send_with(server.address, "POST", target, &headers, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_in_memory_needs_no_database_and_is_the_same_answer() {
    let (server, database) = keeping("[cache]\nfresh_for = '1h'\nkeep_for = '1h'").await;
    let first = server.get(GAME).await;
    assert_eq!(revision(&first), "1");
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DROP TABLE games, game_directory CASCADE")
        .await
        .unwrap();
    let second = server.get(GAME).await;
    assert_eq!((second.status, &second.body), (200, &first.body));
    for name in [
        "etag",
        "last-modified",
        "cache-control",
        "x-data-source",
        "vary",
    ] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    let tag = first.header("etag").unwrap();
    let known = send(server.address, "GET", GAME, &[("if-none-match", tag)]).await;
    assert_eq!(known.status, 304);
    for target in ["/v1/games/g-1?format=pgn", "/v1/games/g-1/moves?at=2"] {
        assert_eq!(server.get(target).await.status, 200, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_seen_when_the_game_is_no_longer_fresh() {
    let (server, database) = keeping("[cache]\nfresh_for = '1s'").await;
    assert_eq!(revision(&server.get(GAME).await), "1");
    correct(&database).await;
    assert_eq!(
        revision(&server.get(GAME).await),
        "1",
        "it is kept for a second"
    );
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let corrected = server.get(GAME).await;
    assert_eq!(revision(&corrected), "2");
    assert_eq!(corrected.json()["termination"], "corrected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_was_erased_is_not_answered_any_more() {
    let (server, database) = keeping("[cache]\nfresh_for = '0s'").await;
    assert_eq!(revision(&server.get(GAME).await), "1");
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DELETE FROM game_directory; DELETE FROM games")
        .await
        .unwrap();
    server.get(GAME).await.problem(404, "game-not-found");
}

async fn batch(server: &TestServer, ids: &[&str]) -> Answer {
    post(
        server.address,
        "/v1/games/batch",
        &json!({ "ids": ids }).to_string(),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_takes_from_memory_what_is_there_and_keeps_what_it_reads() {
    let (server, database) = keeping("[cache]\nfresh_for = '1h'\nkeep_for = '1h'").await;
    seed::finished(
        &database.url(),
        &[Seeded::new("g-2", at("2026-11-20T11:00:00Z"))],
    )
    .await;
    let first = server.get(GAME).await.json();
    let read = batch(&server, &["g-1", "g-2", "nope"]).await.json();
    assert_eq!(read["data"][0]["game"], first);
    assert_eq!(read["data"][1]["game"]["id"], "g-2");
    assert_eq!(read["data"][2]["status"], "missing");
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DROP TABLE games, game_directory CASCADE")
        .await
        .unwrap();
    let kept = batch(&server, &["g-2", "g-1"]).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    assert_eq!(kept.header("content-type"), Some("application/json"));
    let kept = kept.json();
    assert_eq!(kept["data"][0], read["data"][1]);
    assert_eq!(kept["data"][1], read["data"][0]);
    let missed = batch(&server, &["g-1", "nope"]).await;
    missed.problem(500, "internal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_reads_games_anew_that_are_no_longer_fresh() {
    let (server, database) = keeping("[cache]\nfresh_for = '0s'").await;
    let termination = |answer: Answer| answer.json()["data"][0]["game"]["termination"].to_string();
    let before = termination(batch(&server, &["g-1"]).await);
    assert_eq!(before, "\"checkmate\"");
    correct(&database).await;
    let after = termination(batch(&server, &["g-1"]).await);
    assert_eq!(after, "\"corrected\"");
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DELETE FROM game_directory; DELETE FROM games")
        .await
        .unwrap();
    let erased = batch(&server, &["g-1"]).await.json();
    assert_eq!(erased["data"][0]["status"], "missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_goes_on_is_never_kept() {
    let (server, database) = keeping("[cache]\nfresh_for = '1h'\nkeep_for = '1h'").await;
    seed::live(
        &database.url(),
        "live",
        at("2026-11-20T10:00:00Z"),
        &["e2e4"],
    )
    .await;
    let moves = |answer: Answer| answer.json()["moves"].as_array().unwrap().len();
    assert_eq!(moves(server.get("/v1/games/live").await), 1);
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DELETE FROM live_games")
        .await
        .unwrap();
    seed::live(
        &database.url(),
        "live",
        at("2026-11-20T10:00:00Z"),
        &["e2e4", "e7e5"],
    )
    .await;
    assert_eq!(moves(server.get("/v1/games/live").await), 2);
    server
        .get("/v1/games/nope")
        .await
        .problem(404, "game-not-found");
    seed::finished(
        &database.url(),
        &[Seeded::new("nope", at("2026-11-20T11:00:00Z"))],
    )
    .await;
    assert_eq!(server.get("/v1/games/nope").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_for_one_game_cause_one_reading_of_it() {
    let (server, database) = keeping("[cache]\nfresh_for = '1h'\nkeep_for = '1h'").await;
    let mut client = seed::client(&database.url()).await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE game_directory")
        .await
        .unwrap();
    let address = server.address;
    // More than there are sessions: each reading by itself, some would wait in vain.
    let asking: Vec<_> = (0..20)
        .map(|_| tokio::spawn(async move { send(address, "GET", GAME, &[]).await }))
        .collect();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let waiting: i64 = lock.query_one(waiting, &[]).await.unwrap().get(0);
    assert_eq!(waiting, 1, "one session reads");
    lock.rollback().await.unwrap();
    for answer in asking {
        assert_eq!(answer.await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_games_forgotten_and_nobody_else_can() {
    let settings = format!(
        "[cache]\nfresh_for = '1h'\nkeep_for = '1h'\n{BY_SECRET}\nhs256_secret = '{SECRET}'"
    );
    let (server, database) = keeping(&settings).await;
    let token = |scope: &str| signed(&claims(scope), SECRET);
    let operator = token("history:admin");
    let body = json!({"ids": ["g-1", "g-2"]});
    invalidate(&server, None, &body)
        .await
        .problem(401, "authentication-required");
    let reader = token("history:read history:export");
    invalidate(&server, Some(&reader), &body)
        .await
        .problem(403, "insufficient-scope");

    for (body, forgotten) in [
        (body, 1),
        (json!({"all": true}), 1),
        (json!({"all": true}), 0),
    ] {
        if forgotten == 1 {
            server.get(GAME).await;
            correct(&database).await;
        }
        let answer = invalidate(&server, Some(&operator), &body).await;
        assert_eq!(answer.json(), json!({"forgotten": forgotten}), "{body}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(revision(&server.get(GAME).await), "2");

    for body in [
        json!({}),
        json!({"all": false}),
        json!({"ids": ["x"], "all": true}),
        json!({"all": true, "x": 1}),
        json!([]),
    ] {
        invalidate(&server, Some(&operator), &body)
            .await
            .problem(400, "invalid-body");
    }
    for ids in [json!([]), json!(["x", "x"]), json!([""])] {
        let body = json!({ "ids": ids });
        invalidate(&server, Some(&operator), &body)
            .await
            .problem(400, "invalid-parameter");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cache_every_game_is_read() {
    let (server, database) = keeping("[cache]\nbytes = 0").await;
    assert_eq!(revision(&server.get(GAME).await), "1");
    correct(&database).await;
    assert_eq!(revision(&server.get(GAME).await), "2");
}
