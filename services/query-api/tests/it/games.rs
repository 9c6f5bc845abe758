//! `GET /v1/games/{id}`: finished, in progress, gone, unknown; conditional requests.

use serde_json::{Value, json};

use crate::http::send;
use crate::seed::{self, Seeded, at};
use crate::server::TestServer;

const ENDED: &str = "2026-11-20T10:01:00.250Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_game_is_answered_whole() {
    let (server, database) = TestServer::start().await;
    seed::finished(&database.url(), &[Seeded::new("g-1", at(ENDED))]).await;
    let answer = server.get("/v1/games/g-1").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    insta::assert_json_snapshot!(answer.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_in_progress_is_answered_from_its_snapshot() {
    let (server, database) = TestServer::start().await;
    seed::live(
        &database.url(),
        "g/é 1",
        at(ENDED),
        &["e2e4", "e7e5", "g1f3"],
    )
    .await;
    let answer = server.get("/v1/games/g%2F%C3%A9%201").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    insta::assert_json_snapshot!(answer.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_ended_wins_over_a_snapshot_that_is_left() {
    let (server, database) = TestServer::start().await;
    seed::live(&database.url(), "g-1", at(ENDED), &["e2e4"]).await;
    seed::finished(&database.url(), &[Seeded::new("g-1", at(ENDED))]).await;
    assert_eq!(
        server.get("/v1/games/g-1").await.json()["status"],
        "finished"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_nobody_knows_is_404() {
    let (server, _database) = TestServer::start().await;
    let problem = server
        .get("/v1/games/nope")
        .await
        .problem(404, "game-not-found");
    assert_eq!(problem["instance"], "/v1/games/nope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_past_retention_is_410() {
    let (server, database) = TestServer::start().await;
    seed::finished(&database.url(), &[Seeded::new("g-1", at(ENDED))]).await;
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DROP TABLE games_y2026m11")
        .await
        .unwrap();
    let problem = server
        .get("/v1/games/g-1")
        .await
        .problem(410, "past-retention");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(ENDED), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_position_needs_chess_and_every_move_legal() {
    let (server, database) = TestServer::start().await;
    let game = |id: &str, game, moves, incomplete| Seeded {
        game,
        moves,
        incomplete,
        ..Seeded::new(id, at(ENDED))
    };
    let games = [
        game("mate", "chess", vec!["f2f3", "e7e5", "g2g4", "d8h4"], false),
        game("no-moves", "chess", vec![], false),
        game("illegal", "chess", vec!["e2e5"], false),
        game("no-uci", "chess", vec!["Nf3"], false),
        game("incomplete", "chess", vec!["e2e4"], true),
        game("go", "go", vec!["e2e4"], false),
    ];
    seed::finished(&database.url(), &games).await;
    let mate = "rnb1kbnr/pppp1ppp/8/4p3/6Pq/5P2/PPPPP2P/RNBQKBNR w KQkq - 1 3";
    let start = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";
    for (id, expected) in [
        ("mate", json!(mate)),
        ("no-moves", json!(start)),
        ("illegal", Value::Null),
        ("no-uci", Value::Null),
        ("incomplete", Value::Null),
        ("go", Value::Null),
    ] {
        let game = server.get(&format!("/v1/games/{id}")).await.json();
        assert_eq!(game["final_position"], expected, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_game_is_sent_once_to_who_remembers_it() {
    let (server, database) = TestServer::start().await;
    seed::finished(&database.url(), &[Seeded::new("g-1", at(ENDED))]).await;
    let first = server.get("/v1/games/g-1").await;
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("\"1-"), "{tag}");
    assert_eq!(
        first.header("cache-control"),
        Some("public, max-age=300, stale-while-revalidate=86400")
    );
    let modified = first.header("last-modified").unwrap();
    assert_eq!(modified, "Sat, 21 Nov 2026 12:00:00 GMT");

    let weak = format!("\"x\", W/{tag}");
    for (header, value, status) in [
        ("if-none-match", tag.as_str(), 304),
        ("if-none-match", weak.as_str(), 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"2-other\"", 200),
        ("if-none-match", "nonsense", 200),
        ("if-modified-since", modified, 304),
        ("if-modified-since", "Sat, 21 Nov 2026 11:59:59 GMT", 200),
        ("if-modified-since", "nonsense", 200),
    ] {
        let answer = send(server.address, "GET", "/v1/games/g-1", &[(header, value)]).await;
        assert_eq!(answer.status, status, "{header}: {value}");
        assert_eq!(answer.body.is_empty(), status == 304, "{header}: {value}");
        assert_eq!(
            answer.header("etag"),
            Some(tag.as_str()),
            "{header}: {value}"
        );
    }

    let client = seed::client(&database.url()).await;
    client
        .batch_execute("UPDATE game_directory SET revision = 2")
        .await
        .unwrap();
    let corrected = send(
        server.address,
        "GET",
        "/v1/games/g-1",
        &[("if-none-match", &tag)],
    )
    .await;
    assert_eq!(corrected.status, 200);
    assert!(corrected.header("etag").unwrap().starts_with("\"2-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_like_get_without_the_body() {
    let (server, database) = TestServer::start().await;
    seed::finished(&database.url(), &[Seeded::new("g-1", at(ENDED))]).await;
    let get = server.get("/v1/games/g-1").await;
    let head = send(server.address, "HEAD", "/v1/games/g-1", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for name in ["etag", "last-modified", "content-length", "content-type"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_game_that_can_not_be_read_is_an_opaque_500() {
    let (server, database) = TestServer::start().await;
    seed::finished(&database.url(), &[Seeded::new("g-1", at(ENDED))]).await;
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("UPDATE games SET moves = '\\xff'")
        .await
        .unwrap();
    let answer = server.get("/v1/games/g-1").await;
    answer.problem(500, "internal");
    assert!(!answer.body.contains("byte"), "{answer:?}");
}
