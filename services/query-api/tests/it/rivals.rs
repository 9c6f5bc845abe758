//! Two players' games against each other, whoever of them has played more: the same games by whichever way they are found.

use std::collections::BTreeSet;

use chrono::Duration;
use serde_json::Value;
use tokio_postgres::Client;

use crate::seed::{self, Seeded, at};
use crate::server::TestServer;

/// More games than a player may have to be walked without a question.
const MANY: i64 = 230;

/// Ann has played 230 games against others and 12 against ben, one each other month; ben 20 more, against cat.
async fn history() -> (TestServer, test_support::TestDatabase) {
    let (server, database) = TestServer::start().await;
    let first = at("2026-05-01T00:00:00Z");
    let game = |id: String, hours: i64, players: [&str; 2]| Seeded {
        players: players.map(str::to_owned),
        ..Seeded::new(&id, first + Duration::hours(hours))
    };
    let mut games = Vec::new();
    for n in 0..MANY {
        games.push(game(format!("other-{n}"), n * 17, ["ann", "dan"]));
    }
    for n in 0..12 {
        // Two at the same instant, and ann both sides.
        let players = if n % 3 == 0 {
            ["ben", "ann"]
        } else {
            ["ann", "ben"]
        };
        games.push(game(format!("both-{n:02}"), n / 2 * 500, players));
    }
    for n in 0..20 {
        games.push(game(format!("cat-{n}"), n * 100, ["ben", "cat"]));
    }
    seed::finished(&database.url(), &games).await;
    (server, database)
}

fn ids(games: &Value) -> Vec<&str> {
    let games = games.as_array().unwrap();
    games
        .iter()
        .map(|game| game["game_id"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_games_of_two_players_are_the_same_from_either_side() {
    let (server, _database) = history().await;
    let of_ann = server.get("/v1/players/ann/vs/ben?limit=100").await.json();
    let of_ben = server.get("/v1/players/ben/vs/ann?limit=100").await.json();
    let walked = server
        .get("/v1/players/ann/games?opponent=ben&limit=200")
        .await
        .json();
    assert_eq!(ids(&of_ann["latest"]).len(), 12);
    assert_eq!(ids(&of_ann["latest"]), ids(&walked["data"]));
    assert_eq!(ids(&of_ann["latest"]), ids(&of_ben["latest"]));
    let (ann, ben) = (&of_ann["total"], &of_ben["total"]);
    assert_eq!(ann["games"], 12);
    assert_eq!((&ann["wins"], &ann["losses"]), (&8.into(), &4.into()));
    assert_eq!(
        (&ann["wins"], &ann["losses"]),
        (&ben["losses"], &ben["wins"])
    );
    assert_eq!(ann["streaks"]["longest_wins"], 2);
    assert_eq!(of_ann["kinds"][0]["games"], 12);
    // From her side, not from his.
    assert!(
        of_ann["latest"]
            .as_array()
            .unwrap()
            .iter()
            .all(|game| game["opponents"][0] == "ben")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_against_one_opponent_keep_to_the_other_filters() {
    let (server, _database) = history().await;
    let stats = async |query: &str| {
        let target = format!("/v1/players/ann/stats?opponent=ben{query}");
        let answer = server.get(&target).await.json();
        let groups = answer["data"].as_array().unwrap();
        groups
            .iter()
            .map(|group| group["games"].as_i64().unwrap())
            .sum::<i64>()
    };
    assert_eq!(stats("").await, 12);
    assert_eq!(stats("&role=white").await, 8);
    assert_eq!(stats("&until=2026-06-01T00:00:00Z").await, 4);
    assert_eq!(stats("&group_by=month").await, 12);
    assert_eq!(stats("&mode=casual").await, 0);
}

/// A game's row of one player: against these others, with this opening's code.
async fn seat(
    client: &Client,
    game: &str,
    minute: &str,
    player: &str,
    others: &[&str],
    code: &str,
) {
    client
        .execute(
            "INSERT INTO player_games (player_id, game_id, ended_at, started_at, role, result, opponents, game, variant, mode, \
             termination, opening_code, move_count, incomplete) \
             SELECT $1, $2, t, t - interval '30 s', 'seat', 'win', $3, 'go', 'standard', 'rated', 'agreement', $4, 1, false \
             FROM (SELECT ('2026-05-01T10:' || $5 || ':00Z')::timestamptz AS t) s",
            &[&player, &game, &others, &code, &minute],
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn games_whose_opponent_no_index_names_are_found_and_counted_like_others() {
    let (server, database) = TestServer::start().await;
    let day = at("2026-05-01T00:00:00Z");
    seed::months(&database.url(), day, day).await;
    let client = seed::client(&database.url()).await;
    // Too wide for the index, together with their opening's code.
    let (wide, code): (String, String) = ("\u{10400}".repeat(100), "\u{10401}".repeat(200));
    seat(&client, "two", "01", "ann", &["ben"], "A00").await;
    seat(&client, "two", "01", "ben", &["ann"], "A00").await;
    for (player, others) in [
        ("ann", ["ben", "cat"]),
        ("ben", ["ann", "cat"]),
        ("cat", ["ann", "ben"]),
    ] {
        seat(&client, "three", "02", player, &others, "A00").await;
    }
    seat(&client, "wide", "03", "ann", &[&wide], &code).await;
    seat(&client, "wide", "03", &wide, &["ann"], &code).await;
    seat(&client, "alone", "04", "ann", &[], "A00").await;
    // Ann and dan have so many games that the index is asked for their opponents.
    let many = "INSERT INTO player_games (player_id, game_id, ended_at, started_at, role, result, opponents, game, variant, mode, \
        termination, move_count, incomplete) \
        SELECT me, 'many-' || n, '2026-05-01T09:00:00Z'::timestamptz + n * interval '1 s', '2026-05-01T08:00:00Z', 'seat', 'draw', \
        ARRAY[other], 'go', 'standard', 'rated', 'agreement', 1, false \
        FROM generate_series(1, 230) n CROSS JOIN (VALUES ('ann', 'dan'), ('dan', 'ann')) s(me, other)";
    client.batch_execute(many).await.unwrap();
    for minute in 10..20 {
        seat(
            &client,
            &format!("eve-{minute}"),
            &minute.to_string(),
            "dan",
            &["eve"],
            "A00",
        )
        .await;
    }

    let list = server.get("/v1/players/ann/opponents").await.json();
    let told: Vec<(&str, i64)> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["player_id"].as_str().unwrap(),
                row["games"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("dan", 230), ("ben", 2), ("cat", 1), (wide.as_str(), 1)]
    );
    for rivals in ["ann/vs/dan", "dan/vs/ann"] {
        let both = server
            .get(&format!("/v1/players/{rivals}?limit=100"))
            .await
            .json();
        assert_eq!(both["total"]["games"], 230, "{rivals}");
        assert_eq!(ids(&both["latest"]).len(), 100);
    }
    let wide: String = wide.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for (a, b, expected) in [
        ("ann", "ben", vec!["three", "two"]),
        ("ben", "ann", vec!["three", "two"]),
        ("cat", "ann", vec!["three"]),
        ("ann", wide.as_str(), vec!["wide"]),
        (wide.as_str(), "ann", vec!["wide"]),
        (wide.as_str(), "ben", vec![]),
    ] {
        let rivals = server.get(&format!("/v1/players/{a}/vs/{b}")).await.json();
        assert_eq!(ids(&rivals["latest"]), expected, "{a} {b}");
        let page = server
            .get(&format!("/v1/players/{a}/games?opponent={b}"))
            .await;
        assert_eq!(ids(&page.json()["data"]), expected, "{a} {b}");
        let own = server
            .get(&format!("/v1/players/{a}/opponents?opponent={b}"))
            .await
            .json();
        assert_eq!(
            own["data"].as_array().unwrap().is_empty(),
            expected.is_empty()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_with_several_filters_crosses_the_years_game_by_game() {
    let (server, database) = TestServer::start().await;
    let games: Vec<Seeded> = (0..40_i64)
        .map(|n| Seeded {
            players: ["ann".to_owned(), "ben".to_owned()],
            mode: if n % 4 == 0 { "casual" } else { "rated" },
            ..Seeded::new(&format!("g-{n:02}"), seed::now() - Duration::days(n * 25))
        })
        .collect();
    seed::finished(&database.url(), &games).await;
    // Three conditions: planned each time, near months first, then a year, then the rest.
    let list = "/v1/players/ann/games?mode=casual&role=white&result=win";
    for sort in ["-ended_at", "ended_at"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let target = format!("{list}&sort={sort}&limit=3{cursor}");
            let page = server.get(&target).await.json();
            seen.extend(ids(&page["data"]).into_iter().map(str::to_owned));
            match page["page"]["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut expected: Vec<String> = (0..10).map(|n| format!("g-{:02}", n * 4)).collect();
        if sort == "ended_at" {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{sort}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 10);
    }
}
