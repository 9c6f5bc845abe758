//! A player in numbers: `/v1/players/{id}`, `/stats`, `/rating-history`, `/opponents` and `/vs/`.

use serde_json::{Value, json};
use test_support::TestDatabase;
use tokio_postgres::Client;

use crate::seed::{self, Seeded, at};
use crate::server::TestServer;

/// Six games of ann in order: win, win, loss, none, draw, win; the first three are rated, against ben; the others casual,
/// against cat. Her rating goes 1500, 1510, 1520, 1505, then has no change, then is 1600 before the last game.
async fn history() -> (TestServer, TestDatabase) {
    let (server, database) = TestServer::start().await;
    let hours = [
        ("2026-10-31T22:00:00Z", "ben", "rated"),
        ("2026-11-01T10:00:00Z", "ben", "rated"),
        ("2026-11-01T11:00:00Z", "ben", "rated"),
        ("2026-11-01T12:00:00Z", "cat", "casual"),
        ("2026-11-02T10:00:00Z", "cat", "casual"),
        ("2026-11-02T10:00:00Z", "cat", "casual"),
    ];
    let games: Vec<Seeded> = hours
        .iter()
        .enumerate()
        .map(|(i, (ended_at, opponent, mode))| Seeded {
            players: ["ann".to_owned(), (*opponent).to_owned()],
            mode,
            ..Seeded::new(&format!("g-{i}"), at(ended_at))
        })
        .collect();
    seed::finished(&database.url(), &games).await;
    let client = seed::client(&database.url()).await;
    let told = [
        ("win", Some(1500), Some(1510)),
        ("win", Some(1510), Some(1520)),
        ("loss", Some(1520), Some(1505)),
        ("none", None, None),
        ("draw", Some(1505), None),
        ("win", Some(1600), None),
    ];
    for (i, (result, rating, rating_after)) in told.iter().enumerate() {
        update(&client, i, result, *rating, *rating_after).await;
    }
    (server, database)
}

async fn update(
    client: &Client,
    game: usize,
    result: &str,
    rating: Option<i32>,
    after: Option<i32>,
) {
    client
        .execute(
            "UPDATE player_games SET result = $2, rating = $3, rating_after = $4 WHERE player_id = 'ann' AND game_id = $1",
            &[&format!("g-{game}"), &result, &rating, &after],
        )
        .await
        .unwrap();
}

async fn get(server: &TestServer, target: &str) -> Value {
    let answer = server.get(target).await;
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_players_statistics_are_those_of_the_games() {
    let (server, _database) = history().await;
    let mut stats = get(&server, "/v1/players/ann/stats").await;
    stats["as_of"] = json!("[time]");
    insta::assert_json_snapshot!(stats);
    for (query, expected) in [
        ("mode=rated", (3, 2, 1, 0, 0)),
        ("opponent=cat", (3, 1, 0, 1, 1)),
        ("result=win", (3, 3, 0, 0, 0)),
        (
            "since=2026-11-01T11:00:00Z&until=2026-11-02T00:00:00Z",
            (2, 0, 1, 0, 1),
        ),
        ("rating_min=1510&rating_max=1520", (2, 1, 1, 0, 0)),
        ("opening_name=x", (0, 0, 0, 0, 0)),
    ] {
        let stats = get(&server, &format!("/v1/players/ann/stats?{query}")).await;
        let group = &stats["data"][0];
        let number = |name: &str| group[name].as_u64().unwrap_or(0);
        let found = (
            number("games"),
            number("wins"),
            number("losses"),
            number("draws"),
            number("none"),
        );
        assert_eq!(found, expected, "{query}");
    }
    let nobody = get(&server, "/v1/players/nobody/stats").await;
    assert_eq!(nobody["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_told_apart_by_up_to_three_keys() {
    let (server, _database) = history().await;
    let groups = async |query: &str| -> Vec<(Value, u64)> {
        let stats = get(&server, &format!("/v1/players/ann/stats?{query}")).await;
        let groups = stats["data"].as_array().unwrap();
        groups
            .iter()
            .map(|g| (g["group"].clone(), g["games"].as_u64().unwrap()))
            .collect()
    };
    assert_eq!(
        groups("group_by=mode,opponent").await,
        [
            (json!({"mode": "casual", "opponent": "cat"}), 3),
            (json!({"mode": "rated", "opponent": "ben"}), 3)
        ]
    );
    assert_eq!(
        groups("group_by=month").await,
        [
            (json!({"month": "2026-11"}), 5),
            (json!({"month": "2026-10"}), 1)
        ]
    );
    // 1 November 2026 is a Sunday.
    assert_eq!(
        groups("group_by=weekday&min_games=2").await,
        [(json!({"weekday": "7"}), 3), (json!({"weekday": "1"}), 2)]
    );
    assert_eq!(
        groups("group_by=hour,role,game&mode=rated").await,
        [
            (json!({"hour": "10", "role": "white", "game": "chess"}), 1),
            (json!({"hour": "11", "role": "white", "game": "chess"}), 1),
            (json!({"hour": "22", "role": "white", "game": "chess"}), 1)
        ]
    );
    assert_eq!(
        groups("group_by=opponent_rating_band,opening,opening_name").await,
        [(
            json!({"opponent_rating_band": "2800", "opening": "A00", "opening_name": null}),
            6
        )]
    );
    let every = "variant,time_control,region,tournament,termination";
    for key in every.split(',') {
        assert_eq!(groups(&format!("group_by={key}")).await.len(), 1, "{key}");
    }
    let one = get(&server, "/v1/players/ann/stats?group_by=hour&limit=1").await;
    assert_eq!(
        (one["data"].as_array().unwrap().len(), &one["has_more"]),
        (1, &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_is_summed_up_with_the_latest_ratings() {
    let (server, _database) = history().await;
    let player = get(&server, "/v1/players/ann").await;
    assert_eq!(player["total"]["games"], 6);
    let ratings: Vec<_> = player["ratings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["mode"].as_str().unwrap(), r["rating"].as_i64().unwrap()))
        .collect();
    assert_eq!(ratings, [("casual", 1600), ("rated", 1505)]);
    let nobody = server.get("/v1/players/nobody").await;
    nobody.problem(404, "player-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_is_followed_by_games_and_by_days() {
    let (server, _database) = history().await;
    let mut target = "/v1/players/ann/rating-history?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = get(&server, &target).await;
        for point in page["data"].as_array().unwrap() {
            seen.push((
                point["game_id"].as_str().unwrap().to_owned(),
                point["rating"].as_i64(),
            ));
        }
        let Some(next) = page["page"]["next"].as_str() else {
            break;
        };
        target = format!("/v1/players/ann/rating-history?limit=2&cursor={next}");
    }
    let expected = [
        ("g-5", 1600),
        ("g-4", 1505),
        ("g-2", 1520),
        ("g-1", 1510),
        ("g-0", 1500),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(id, r)| ((*id).to_owned(), Some(*r)))
        .collect();
    assert_eq!(
        seen, expected,
        "the game without a rating is not part of it"
    );

    let (mut target, mut days) = (
        "/v1/players/ann/rating-history?resolution=day&limit=1".to_owned(),
        Vec::new(),
    );
    loop {
        let page = get(&server, &target).await;
        days.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["page"]["next"].as_str() else {
            break;
        };
        target = format!("/v1/players/ann/rating-history?resolution=day&limit=1&cursor={next}");
    }
    assert_eq!(
        days,
        [
            json!({"day": "2026-11-02", "games": 2, "open": 1505, "high": 1600, "low": 1505, "close": 1600}),
            json!({"day": "2026-11-01", "games": 2, "open": 1510, "high": 1520, "low": 1505, "close": 1505}),
            json!({"day": "2026-10-31", "games": 1, "open": 1500, "high": 1510, "low": 1500, "close": 1510}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn opponents_are_listed_by_their_games_page_by_page() {
    let (server, database) = history().await;
    let another = Seeded {
        players: ["ann".to_owned(), "ben".to_owned()],
        ..Seeded::new("g-9", at("2026-11-03T10:00:00Z"))
    };
    let once = Seeded {
        players: ["dan".to_owned(), "ann".to_owned()],
        ..Seeded::new("g-10", at("2026-11-03T10:00:00Z"))
    };
    seed::finished(&database.url(), &[another, once]).await;
    let page = get(&server, "/v1/players/ann/opponents?limit=2").await;
    let told = |page: &Value| -> Vec<(String, i64, i64, i64, i64)> {
        let number = |o: &Value, name: &str| o[name].as_i64().unwrap();
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|o| {
            let id = o["player_id"].as_str().unwrap().to_owned();
            (
                id,
                number(o, "games"),
                number(o, "wins"),
                number(o, "losses"),
                number(o, "draws"),
            )
        })
        .collect()
    };
    assert_eq!(
        told(&page),
        [
            ("ben".to_owned(), 4, 3, 1, 0),
            ("cat".to_owned(), 3, 1, 0, 1)
        ]
    );
    let next = page["page"]["next"].as_str().unwrap();
    let last = get(
        &server,
        &format!("/v1/players/ann/opponents?limit=2&cursor={next}"),
    )
    .await;
    assert_eq!(told(&last), [("dan".to_owned(), 1, 0, 1, 0)]);
    assert_eq!(last["page"]["next"], Value::Null);
    let often = get(&server, "/v1/players/ann/opponents?min_games=4").await;
    assert_eq!(told(&often).len(), 1);
    let other = format!("/v1/players/ann/opponents?min_games=4&cursor={next}");
    server.get(&other).await.problem(400, "cursor-mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_players_are_told_from_the_first_ones_side() {
    let (server, _database) = history().await;
    let versus = get(&server, "/v1/players/ann/vs/cat?limit=2").await;
    assert_eq!(versus["total"]["games"], 3);
    assert_eq!(versus["total"]["wins"], 1);
    assert_eq!(
        versus["kinds"][0]["group"],
        json!({"game": "chess", "mode": "casual", "variant": "standard"})
    );
    let latest: Vec<_> = versus["latest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g["game_id"].as_str().unwrap())
        .collect();
    assert_eq!(latest, ["g-5", "g-4"]);
    let strangers = get(&server, "/v1/players/ben/vs/cat").await;
    assert_eq!(
        (&strangers["total"], &strangers["latest"]),
        (&Value::Null, &json!([]))
    );
}
