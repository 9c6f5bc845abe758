//! `GET /v1/players/{id}/games`: order, filters, and walks by cursor.

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::http::Answer;
use crate::seed::{self, Seeded, at, now};
use crate::server::TestServer;

fn ids(page: &Value) -> Vec<String> {
    let games = page["data"].as_array().unwrap();
    games
        .iter()
        .map(|g| g["game_id"].as_str().unwrap().to_owned())
        .collect()
}

/// Walks a list to its end; `between` is called after each page.
async fn walk(server: &TestServer, target: &str, limit: usize) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    let glue = if target.contains('?') { '&' } else { '?' };
    loop {
        let page = server
            .get(&format!("{target}{glue}limit={limit}{cursor}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let (found, next) = (ids(&page), page["page"]["next"].as_str());
        assert_eq!(page["page"]["has_more"], json!(next.is_some()));
        assert!(
            found.len() == limit || next.is_none(),
            "a page in the middle is full"
        );
        seen.extend(found);
        let Some(next) = next else { return seen };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_tells_each_game_from_the_players_side() {
    let (server, database) = TestServer::start().await;
    let games = [
        Seeded::new("g-1", at("2026-11-20T10:00:00Z")),
        Seeded::new("g-2", at("2026-11-20T11:00:00Z")),
    ];
    seed::finished(&database.url(), &games).await;
    let answer = server.get("/v1/players/alice/games?limit=1").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut page = answer.json();
    let next = page["page"]["next"].as_str().unwrap().to_owned();
    assert_eq!(
        answer.header("link"),
        Some(format!("</v1/players/alice/games?limit=1&cursor={next}>; rel=\"next\"").as_str())
    );
    let as_of: DateTime<Utc> = at(page["page"]["as_of"].as_str().unwrap());
    assert!(Utc::now() - as_of < Duration::seconds(60), "{as_of}");
    page["page"]["next"] = json!("[cursor]");
    page["page"]["as_of"] = json!("[time]");
    insta::assert_json_snapshot!(page);

    let bob = server.get("/v1/players/bob/games?limit=1").await.json();
    assert_eq!(bob["data"][0]["result"], "loss");
    assert_eq!(bob["data"][0]["opponents"], json!(["alice"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_nobody_knows_has_an_empty_list() {
    let (server, _database) = TestServer::start().await;
    let page = server.get("/v1/players/nobody/games").await.json();
    assert_eq!(page["data"], json!([]));
    assert_eq!(page["page"]["next"], Value::Null);
    assert_eq!(page["page"]["has_more"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_keeps_what_matches_and_they_combine() {
    let (server, database) = TestServer::start().await;
    let game = |id: &str, ended_at: &str, opponent: &str, mode| Seeded {
        players: ["alice".to_owned(), opponent.to_owned()],
        mode,
        ..Seeded::new(id, at(ended_at))
    };
    let mut games = vec![
        game("a", "2026-09-30T23:59:59.999Z", "bob", "rated"),
        game("b", "2026-10-01T00:00:00Z", "carol", "casual"),
        game("c", "2026-11-01T00:00:00Z", "bob", "casual"),
    ];
    games.push(Seeded {
        players: ["bob".to_owned(), "alice".to_owned()],
        ..games[2].clone()
    });
    games[3].id = "d".to_owned();
    seed::finished(&database.url(), &games).await;
    let ms = at("2026-10-01T00:00:00Z").timestamp_millis();
    let by_ms = format!("since={ms}");
    for (query, expected) in [
        ("", vec!["d", "c", "b", "a"]),
        ("mode=casual", vec!["d", "c", "b"]),
        ("mode=blitz", vec![]),
        ("variant=standard", vec!["d", "c", "b", "a"]),
        ("variant=chess960", vec![]),
        ("time_control=180+1", vec!["d", "c", "b", "a"]),
        ("time_control=180%2B1", vec!["d", "c", "b", "a"]),
        ("time_control=180", vec![]),
        ("result=win", vec!["c", "b", "a"]),
        ("result=loss", vec!["d"]),
        ("result=draw", vec![]),
        ("result=none", vec![]),
        ("opponent=carol", vec!["b"]),
        ("opponent=alice", vec![]),
        ("since=2026-10-01T00:00:00Z", vec!["d", "c", "b"]),
        (by_ms.as_str(), vec!["d", "c", "b"]),
        ("until=2026-10-01T00:00:00Z", vec!["a"]),
        (
            "since=2026-10-01T00:00:00Z&until=2026-11-01T00:00:00Z",
            vec!["b"],
        ),
        (
            "since=2026-10-01T02:00:00+02:00&opponent=bob&result=win",
            vec!["c"],
        ),
    ] {
        let page = server
            .get(&format!("/v1/players/alice/games?{query}"))
            .await;
        assert_eq!(page.status, 200, "{query}: {page:?}");
        assert_eq!(ids(&page.json()), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_refused_with_other_filters_and_for_other_players() {
    let (server, database) = TestServer::start().await;
    let games = [
        Seeded::new("g-1", at("2026-11-20T10:00:00Z")),
        Seeded::new("g-2", at("2026-11-20T10:00:00Z")),
    ];
    seed::finished(&database.url(), &games).await;
    let page = server
        .get("/v1/players/alice/games?limit=1&mode=rated")
        .await
        .json();
    let cursor = page["page"]["next"].as_str().unwrap();
    let ask =
        async |target: &str| -> Answer { server.get(&format!("{target}cursor={cursor}")).await };

    assert_eq!(ask("/v1/players/alice/games?mode=rated&").await.status, 200);
    assert_eq!(
        ask("/v1/players/alice/games?limit=7&mode=rated&")
            .await
            .status,
        200
    );
    for target in [
        "/v1/players/alice/games?",
        "/v1/players/alice/games?mode=casual&",
        "/v1/players/alice/games?mode=rated&variant=standard&",
        "/v1/players/bob/games?mode=rated&",
    ] {
        let problem = ask(target).await.problem(400, "cursor-mismatch");
        assert_eq!(problem["errors"][0]["parameter"], "cursor", "{target}");
    }
}

/// A player's games at some minutes before now, many of them at the same one; which of them are rated.
fn histories() -> impl Strategy<Value = Vec<(i64, bool)>> {
    let months = 5 * 30 * 24 * 60_i64;
    let minute = prop_oneof![0..3_i64, 0..months, (months - 2)..months];
    prop::collection::vec((minute, any::<bool>()), 0..40)
}

#[test]
fn a_walk_of_any_limit_lists_every_game_once_in_order_whatever_arrives_meanwhile() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, database) = runtime.block_on(TestServer::start());
    let (now, case) = (now(), std::cell::Cell::new(0));
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&(histories(), 1..12_usize), |(history, limit)| {
        case.set(case.get() + 1);
        let player = format!("p{}", case.get());
        let game = |i: usize, (minutes, rated): (i64, bool)| Seeded {
            players: [player.clone(), "bob".to_owned()],
            mode: if rated { "rated" } else { "casual" },
            moves: vec![],
            ..Seeded::new(
                &format!("{player}-{i:03}"),
                now - Duration::minutes(minutes),
            )
        };
        let games: Vec<Seeded> = history
            .iter()
            .enumerate()
            .map(|(i, g)| game(i, *g))
            .collect();
        let mut order: Vec<&Seeded> = games.iter().collect();
        order.sort_by(|a, b| (b.ended_at, &b.id).cmp(&(a.ended_at, &a.id)));
        let expected = |keep: fn(&Seeded) -> bool| -> Vec<String> {
            order
                .iter()
                .filter(|g| keep(g))
                .map(|g| g.id.clone())
                .collect()
        };
        runtime.block_on(async {
            seed::finished(&database.url(), &games).await;
            let list = format!("/v1/players/{player}/games");
            assert_eq!(walk(&server, &list, limit).await, expected(|_| true));
            let rated = format!("{list}?mode=rated");
            assert_eq!(
                walk(&server, &rated, limit).await,
                expected(|g| g.mode == "rated")
            );
        });
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_repeats_and_skips_nothing_while_games_arrive() {
    let (server, database) = TestServer::start().await;
    let old: Vec<Seeded> = (0..20)
        .map(|i| Seeded::new(&format!("old-{i:02}"), now() - Duration::minutes(i)))
        .collect();
    seed::finished(&database.url(), &old).await;
    let (mut seen, mut target) = (Vec::new(), "/v1/players/alice/games?limit=3".to_owned());
    for round in 0.. {
        let page = server.get(&target).await;
        seen.extend(ids(&page.json()));
        let links = page.header("link").unwrap_or_default();
        let next = links
            .split(", ")
            .find(|link| link.ends_with("rel=\"next\""));
        let Some(link) = next else {
            break;
        };
        target = link[1..link.find('>').unwrap()].to_owned();
        // One game at the top of the list, and one right where the walk is.
        let fresh = [
            Seeded::new(&format!("new-{round:02}"), now()),
            Seeded::new(
                &format!("mid-{round:02}"),
                old[seen.len().min(20) - 1].ended_at,
            ),
        ];
        seed::finished(&database.url(), &fresh).await;
    }
    seen.retain(|id| id.starts_with("old"));
    let expected: Vec<String> = old.into_iter().map(|g| g.id).collect();
    assert_eq!(seen, expected);
}
