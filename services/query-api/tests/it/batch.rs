//! `POST /v1/games/batch`, `GET /v1/games/{id}` as PGN, and `/v1/games/{id}/moves`.

use std::sync::Arc;

use domain::FinishedGame;
use futures::future::BoxFuture;
use query_api::cold::{ColdStore, ColdStoreError};
use serde_json::{Value, json};
use store::read::Departed;

use crate::http::{post, send, send_with};
use crate::seed::{self, Seeded, at};
use crate::server::TestServer;

const ENDED: &str = "2026-11-20T10:01:00.250Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_tells_of_each_id_in_its_order() {
    let (server, database) = TestServer::start().await;
    let old = at("2026-08-20T10:00:00Z");
    let games = [
        Seeded::new("g-1", at(ENDED)),
        Seeded::new("g-2", at("2026-10-20T10:01:00Z")),
        Seeded::new("gone", old),
    ];
    seed::finished(&database.url(), &games).await;
    seed::live(&database.url(), "live", at(ENDED), &["e2e4"]).await;
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DROP TABLE games_y2026m08")
        .await
        .unwrap();
    let body = r#"{"ids": ["nope", "g-2", "live", "gone", "g-1"]}"#;
    let answer = post(server.address, "/v1/games/batch", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = answer.json();
    let items = answer["data"].as_array().unwrap();
    let told: Vec<_> = items
        .iter()
        .map(|item| {
            (
                item["id"].as_str().unwrap(),
                item["status"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("nope", "missing"),
        ("g-2", "found"),
        ("live", "found"),
        ("gone", "gone"),
        ("g-1", "found"),
    ];
    assert_eq!(told, expected);
    assert_eq!(items[0]["game"], Value::Null);
    assert_eq!(items[2]["game"]["status"], "in_progress");
    let alone = server.get("/v1/games/g-1").await.json();
    assert_eq!(items[4]["game"], alone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_can_not_be_read_is_refused_with_what_is_wrong() {
    let (server, _database) = TestServer::start().await;
    let ids = |count: usize| -> String {
        let ids: Vec<String> = (0..count).map(|i| format!("g-{i}")).collect();
        json!({ "ids": ids }).to_string()
    };
    let huge = format!("{{\"ids\": [\"{}\"]}}", "x".repeat(600_000));
    for (body, status, code) in [
        ("", 400, "invalid-body"),
        ("[]", 400, "invalid-body"),
        ("{", 400, "invalid-body"),
        ("\u{feff}{}", 400, "invalid-body"),
        (r#"{"ids": "g-1"}"#, 400, "invalid-body"),
        (r#"{"ids": [1]}"#, 400, "invalid-body"),
        (r#"{"ids": ["g-1"], "limit": 1}"#, 400, "invalid-body"),
        (r#"{"ids": ["\ud800"]}"#, 400, "invalid-body"),
        (&"[".repeat(10_000), 400, "invalid-body"),
        (r#"{"ids": []}"#, 400, "invalid-parameter"),
        (&ids(301), 400, "invalid-parameter"),
        (r#"{"ids": ["a", "a"]}"#, 400, "invalid-parameter"),
        (r#"{"ids": ["a", ""]}"#, 400, "invalid-parameter"),
        (r#"{"ids": ["a\u0000"]}"#, 400, "invalid-parameter"),
        (&huge, 413, "payload-too-large"),
    ] {
        let answer = post(server.address, "/v1/games/batch", body).await;
        answer.problem(status, code);
    }
    assert_eq!(
        post(server.address, "/v1/games/batch", &ids(300))
            .await
            .status,
        200
    );
    let named = post(server.address, "/v1/games/batch", r#"{"ids": ["a", ""]}"#).await;
    assert_eq!(named.json()["errors"][0]["parameter"], "ids[1]");
    let text = send_with(
        server.address,
        "POST",
        "/v1/games/batch",
        &[("content-length", "2"), ("content-type", "text/plain")],
        "{}",
    )
    .await;
    text.problem(415, "unsupported-media-type");
    let wrong = server.get("/v1/games/batch").await;
    wrong.problem(405, "method-not-allowed");
    assert_eq!(wrong.header("allow"), Some("POST, OPTIONS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_can_be_had_as_pgn() {
    let (server, database) = TestServer::start().await;
    let games = [
        Seeded::new("g-1", at(ENDED)),
        Seeded {
            game: "go",
            ..Seeded::new("go", at(ENDED))
        },
        Seeded {
            moves: vec!["e2e5"],
            ..Seeded::new("illegal", at(ENDED))
        },
    ];
    seed::finished(&database.url(), &games).await;
    seed::live(&database.url(), "live", at(ENDED), &["e2e4"]).await;
    let by_format = server.get("/v1/games/g-1?format=pgn").await;
    assert_eq!(
        by_format.header("content-type"),
        Some("application/x-chess-pgn")
    );
    insta::assert_snapshot!(by_format.body);
    let accept = [("accept", "application/x-chess-pgn")];
    let by_accept = send(server.address, "GET", "/v1/games/g-1", &accept).await;
    assert_eq!(by_accept.body, by_format.body);
    assert!(by_accept.header("vary").unwrap().contains("Accept"));
    let tag = by_format.header("etag").unwrap();
    let json = server.get("/v1/games/g-1").await;
    assert_ne!(json.header("etag"), Some(tag), "each form has its own tag");
    let known = [("if-none-match", tag)];
    let again = send(server.address, "GET", "/v1/games/g-1?format=pgn", &known).await;
    assert_eq!(again.status, 304);
    for id in ["go", "illegal", "live"] {
        let answer = server.get(&format!("/v1/games/{id}?format=pgn")).await;
        answer.problem(406, "not-acceptable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_is_shown_as_it_stood_after_any_ply() {
    let (server, database) = TestServer::start().await;
    let games = [
        Seeded::new("mate", at(ENDED)),
        Seeded {
            incomplete: true,
            ..Seeded::new("part", at(ENDED))
        },
    ];
    seed::finished(&database.url(), &games).await;
    let start = server.get("/v1/games/mate/moves?at=0").await.json();
    assert_eq!(start["fen"], chess::START_FEN);
    assert_eq!(start["moves"], json!([]));
    assert_eq!(start["clocks"][0]["clock_ms"], Value::Null);
    let third = server.get("/v1/games/mate/moves?at=3").await.json();
    assert_eq!(
        third["fen"],
        chess::replay(None, ["f2f3", "e7e5", "g2g4"]).unwrap()
    );
    assert_eq!((&third["at"], &third["plies"]), (&json!(3), &json!(4)));
    // A clock loses 700 ms a ply in these games: white's stands after ply 3, black's after ply 2.
    assert_eq!(third["clocks"][0]["clock_ms"], 177_900);
    assert_eq!(third["clocks"][1]["clock_ms"], 178_600);
    let last = server.get("/v1/games/mate/moves").await;
    assert!(last.header("etag").is_some());
    let whole = server.get("/v1/games/mate").await.json();
    assert_eq!(last.json()["fen"], whole["final_position"]);
    assert_eq!(last.json()["moves"], whole["moves"]);
    let beyond = server.get("/v1/games/mate/moves?at=5").await;
    let problem = beyond.problem(404, "ply-not-found");
    assert!(problem["detail"].as_str().unwrap().contains("0 to 4"));
    let nope = server.get("/v1/games/nope/moves?at=1").await;
    nope.problem(404, "game-not-found");
}

/// An archive that has one game.
#[derive(Debug)]
struct Archive(FinishedGame);

impl ColdStore for Archive {
    fn game<'a>(
        &'a self,
        departed: &'a Departed,
    ) -> BoxFuture<'a, Result<Option<FinishedGame>, ColdStoreError>> {
        assert_eq!((departed.partition, departed.end_offset), (0, 1));
        let found = (departed.game_id == self.0.id).then(|| self.0.clone());
        Box::pin(std::future::ready(Ok(found)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_only_the_archive_holds_is_answered_from_there() {
    let (server, database) = TestServer::start().await;
    let games = [
        Seeded::new("kept", at(ENDED)),
        Seeded::new("lost", at(ENDED)),
    ];
    seed::finished(&database.url(), &games).await;
    let hot = server.get("/v1/games/kept").await;
    assert_eq!(hot.header("x-data-source"), Some("hot"));
    let game = {
        let pool = store::Pool::new(&store::DatabaseConfig::new(database.url()));
        let mut connection = pool.get().await.unwrap();
        let id = domain::GameId::parse("kept").unwrap();
        match store::read::game(&mut connection, &id).await.unwrap() {
            store::read::FoundGame::Finished(stored) => stored.game,
            other => panic!("{other:?}"),
        }
    };
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DROP TABLE games_y2026m11")
        .await
        .unwrap();
    let server = TestServer::with_archive(&database.url(), Arc::new(Archive(game))).await;
    let cold = server.get("/v1/games/kept").await;
    assert_eq!(cold.header("x-data-source"), Some("archive"));
    assert_eq!(cold.json(), hot.json());
    let lost = server.get("/v1/games/lost").await;
    lost.problem(410, "past-retention");
}
