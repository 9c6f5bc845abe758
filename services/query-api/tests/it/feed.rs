//! `GET /v1/games` and `/v1/games/count`.

use chrono::Duration;
use serde_json::{Value, json};

use crate::http::send;
use crate::seed::{self, Seeded, at, now};
use crate::server::TestServer;

fn ids(page: &Value) -> Vec<&str> {
    let games = page["data"].as_array().unwrap();
    games
        .iter()
        .map(|g| g["game_id"].as_str().unwrap())
        .collect()
}

fn game(id: &str, ended_at: &str, players: [&str; 2], mode: &'static str) -> Seeded {
    Seeded {
        players: players.map(str::to_owned),
        mode,
        ..Seeded::new(id, at(ended_at))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_of_the_feed_keeps_what_matches() {
    let (server, database) = TestServer::start().await;
    let games = [
        game("a", "2026-09-30T23:59:59.999Z", ["ann", "ben"], "rated"),
        game("b", "2026-10-01T00:00:00Z", ["ben", "cat"], "casual"),
        game("c", "2026-11-01T00:00:00Z", ["cat", "ann"], "casual"),
    ];
    seed::finished(&database.url(), &games).await;
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("UPDATE games SET tournament = 'Cup' WHERE game_id = 'b'")
        .await
        .unwrap();
    for (query, expected) in [
        ("", "c b a"),
        ("sort=ended_at", "a b c"),
        ("player=ann", "c a"),
        ("player=ann&player=ben", "a"),
        ("player=ann&sort=ended_at", "a c"),
        ("player=dan", ""),
        ("winner=cat", "c"),
        ("result=win&mode=casual", "c b"),
        ("result=draw", ""),
        ("tournament=Cup", "b"),
        ("tournament=Cup&player=ann", ""),
        ("opening=A", "c b a"),
        ("opening=A00", "c b a"),
        ("opening=B", ""),
        ("opening_name=barnes", "c b a"),
        ("opening_name=Opening", ""),
        ("platform=web&region=eu&game=chess", "c b a"),
        ("platform=phone", ""),
        ("incomplete=false", "c b a"),
        ("incomplete=true", ""),
        ("move_count_min=4&move_count_max=4", "c b a"),
        ("move_count_min=5", ""),
        ("duration_ms_min=60000&duration_ms_max=60000", "c b a"),
        ("duration_ms_min=60001", ""),
        ("rating_min=2801&rating_max=2850", "c b a"),
        ("rating_min=2802", ""),
        ("rating_max=2849", ""),
        ("since=2026-10-01T00:00:00Z&until=2026-11-01T00:00:00Z", "b"),
        ("time_field=started_at&until=2026-10-01T00:00:00Z", "b a"),
        ("time_field=started_at&since=2026-10-01T00:00:00Z", "c"),
        ("until_id=a", "c b"),
        ("until_id=c", ""),
        ("until_id=c&sort=ended_at", "a b"),
        (
            "termination=checkmate&variant=standard&time_control=180+1",
            "c b a",
        ),
    ] {
        let answer = server.get(&format!("/v1/games?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(ids(&answer.json()).join(" "), expected, "{query}");
        if !query.contains("sort") && !query.contains("until_id") {
            let count = server.get(&format!("/v1/games/count?{query}")).await.json();
            let expected = expected.split_whitespace().count();
            assert_eq!(
                (&count["count"], &count["exact"]),
                (&json!(expected), &json!(true)),
                "{query}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_forward_and_back_over_the_same_pages() {
    let (server, database) = TestServer::start().await;
    let games: Vec<Seeded> = (0..11)
        .map(|i| Seeded::new(&format!("g-{i:02}"), now() - Duration::minutes(i / 2)))
        .collect();
    seed::finished(&database.url(), &games).await;
    for list in ["/v1/games", "/v1/players/alice/games"] {
        let mut target = format!("{list}?limit=4&mode=rated&fields=game_id");
        let mut forward = Vec::new();
        loop {
            let page = server.get(&target).await.json();
            forward.push(page["data"].clone());
            let Some(next) = page["page"]["next"].as_str() else {
                assert_eq!(page["page"]["has_more"], false);
                break;
            };
            target = format!("{list}?limit=4&mode=rated&fields=game_id&cursor={next}");
        }
        let sizes: Vec<usize> = forward
            .iter()
            .map(|p| p.as_array().unwrap().len())
            .collect();
        assert_eq!(sizes, [4, 4, 3], "{list}");
        let mut back = vec![forward[2].clone()];
        loop {
            let answer = server.get(&target).await;
            let links = answer.header("link").unwrap_or_default().to_owned();
            let Some(prev) = links
                .split(", ")
                .find(|link| link.ends_with("rel=\"prev\""))
            else {
                break;
            };
            target = prev[1..prev.find('>').unwrap()].to_owned();
            back.push(server.get(&target).await.json()["data"].clone());
        }
        back.reverse();
        assert_eq!(back, forward, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_of_the_feed_is_the_game_without_its_moves_and_fields_choose() {
    let (server, database) = TestServer::start().await;
    seed::finished(
        &database.url(),
        &[Seeded::new("g-1", at("2026-11-20T10:00:00Z"))],
    )
    .await;
    let whole = server.get("/v1/games/g-1").await.json();
    let listed = server.get("/v1/games").await.json()["data"][0].clone();
    for (name, value) in listed.as_object().unwrap() {
        let name = if name == "game_id" { "id" } else { name };
        assert_eq!(value, &whole[name], "{name}");
    }
    assert!(listed.as_object().unwrap().len() > 15);
    let chosen = server.get("/v1/games?fields=winner,game_id").await.json();
    assert_eq!(
        chosen["data"][0],
        json!({"game_id": "g-1", "winner": "alice"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_sent_once_to_who_remembers_it_and_tells_its_lag() {
    let (server, database) = TestServer::start().await;
    let empty = server.get("/v1/games").await;
    assert_eq!(
        empty.header("x-projection-lag-ms"),
        None,
        "nothing to lag behind"
    );
    let server = TestServer::over(&database.url()).await;
    seed::finished(
        &database.url(),
        &[Seeded::new("g-1", at("2026-11-21T11:59:00Z"))],
    )
    .await;
    for target in [
        "/v1/games",
        "/v1/players/alice/games",
        "/v1/games/count",
        "/v1/players/alice",
        "/v1/players/alice/stats",
        "/v1/players/alice/opponents",
        "/v1/players/alice/rating-history",
        "/v1/players/alice/vs/bob",
    ] {
        let first = server.get(target).await;
        assert_eq!(first.status, 200, "{target}: {first:?}");
        let tag = first.header("etag").unwrap();
        // Seeded rows say that they were written at 12:00:00.5, a minute and a half behind the end.
        assert_eq!(
            first.header("x-projection-lag-ms"),
            Some("60500"),
            "{target}"
        );
        assert_eq!(first.header("cache-control"), Some("no-cache"), "{target}");
        let known = [("if-none-match", tag)];
        let again = send(server.address, "GET", target, &known).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{target}");
        let head = send(server.address, "HEAD", target, &[]).await;
        assert_eq!(
            (head.status, head.header("etag")),
            (200, Some(tag)),
            "{target}"
        );
        assert_eq!(head.body, "", "{target}");
    }
    let tag = server
        .get("/v1/games")
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    seed::finished(
        &database.url(),
        &[Seeded::new("g-2", at("2026-11-21T11:59:00Z"))],
    )
    .await;
    let changed = send(
        server.address,
        "GET",
        "/v1/games",
        &[("if-none-match", &tag)],
    )
    .await;
    assert_eq!(changed.status, 200);
}
