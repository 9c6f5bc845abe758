//! How much may be asked: rates, requests in hand, exports under way, the size of a request's head.

use std::time::{Duration, Instant};

use test_support::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::http::{Answer, send};
use crate::seed::{self, Seeded, at};
use crate::server::TestServer;
use crate::tokens::{SECRET, claims, signed};

const GAME: &str = "/v1/games/nope";
const EXPORT: &str = "/v1/games/export";
const BY_SECRET: &str = "issuer = 'https://id.test'\naudience = 'game-history'";

async fn limited(settings: &str) -> (TestServer, TestDatabase) {
    let database = TestDatabase::create().await;
    let server = TestServer::with_settings(&database.url(), settings).await;
    (server, database)
}

fn standing(answer: &Answer) -> (&str, &str) {
    let header = |name| {
        answer
            .header(name)
            .unwrap_or_else(|| panic!("{name}: {answer:?}"))
    };
    (header("ratelimit-policy"), header("ratelimit"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_what_is_left_and_one_too_many_waits() {
    let (server, _database) = limited("[limits]\nreads = { requests = 3, window = '1h' }").await;
    for (target, status, left) in [
        (GAME, 404, "\"reads\";r=2;t=1200"),
        ("/v1/games?limit=0", 400, "\"reads\";r=1;t=2400"),
        ("/v1/games", 200, "\"reads\";r=0;t=3600"),
    ] {
        let answer = server.get(target).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(
            standing(&answer),
            ("\"reads\";q=3;w=3600", left),
            "{target}"
        );
    }
    let answer = server.get(GAME).await;
    answer.problem(429, "too-many-reads");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1_100..=1_200).contains(&wait), "{wait}");
    assert_eq!(standing(&answer).1, "\"reads\";r=0;t=3600");
    // What is no read of the history is not counted.
    for target in [
        EXPORT,
        "/health/live",
        "/metrics",
        "/openapi.json",
        "/nowhere",
    ] {
        let answer = server.get(target).await;
        assert!(matches!(answer.status, 200 | 404), "{answer:?}");
        assert_eq!(answer.header("ratelimit"), None, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_counted_by_themselves() {
    let (server, _database) = limited("[limits]\nexports = { requests = 1, window = '1h' }").await;
    assert_eq!(server.get(EXPORT).await.status, 200);
    server.get(EXPORT).await.problem(429, "too-many-exports");
    server
        .get("/v1/players/x/games/export")
        .await
        .problem(429, "too-many-exports");
    server.get(GAME).await.problem(404, "game-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_and_each_address_is_counted_by_itself_and_bad_tokens_by_their_address() {
    let settings = format!(
        "[limits]\nreads = {{ requests = 2, window = '1h' }}\nclient_address = {{ header = 'x-real-ip' }}\n\
         [auth]\n{BY_SECRET}\nhs256_secret = '{SECRET}'"
    );
    let (server, _database) = limited(&settings).await;
    let token = |subject: &str| {
        let mut claims = claims("history:read");
        claims["sub"] = subject.into();
        format!("Bearer {}", signed(&claims, SECRET))
    };
    let [one, two] = ["u-1", "u-2"].map(token);
    let bad = "Bearer nonsense".to_owned();
    for (authorization, address, statuses) in [
        (Some(&one), "1.1.1.1", [404, 404, 429]),
        (Some(&two), "1.1.1.1", [404, 404, 429]),
        (None, "1.1.1.1", [404, 404, 429]),
        (None, "1.1.1.2", [404, 404, 429]),
        (Some(&bad), "1.1.1.3", [401, 401, 429]),
        (Some(&one), "1.1.1.4", [429, 429, 429]),
    ] {
        for status in statuses {
            let mut headers = vec![("x-real-ip", address)];
            headers.extend(authorization.map(|value| ("authorization", value.as_str())));
            let answer = send(server.address, "GET", GAME, &headers).await;
            assert_eq!(answer.status, status, "{address}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_not_trusted_makes_nobody_another() {
    let (server, _database) = limited("[limits]\nreads = { requests = 1, window = '1h' }").await;
    let ask = async |address| {
        let headers = [("x-forwarded-for", address), ("forwarded", address)];
        send(server.address, "GET", GAME, &headers).await.status
    };
    assert_eq!(ask("1.1.1.1").await, 404);
    assert_eq!(ask("1.1.1.2").await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_a_problem() {
    let (server, _database) = TestServer::start().await;
    let long = "x".repeat(17 * 1024);
    for target in [format!("/v1/games/{long}"), format!("/nowhere?{long}")] {
        server.get(&target).await.problem(414, "uri-too-long");
    }
    let headers = [("x-long", long.as_str())];
    let answer = send(server.address, "GET", GAME, &headers).await;
    answer.problem(431, "headers-too-large");
    let many: Vec<(String, String)> = (0..90)
        .map(|n| (format!("x-{n}"), "y".repeat(200)))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let answer = send(server.address, "GET", "/health/live", &many).await;
    answer.problem(431, "headers-too-large");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_may_be_in_hand_are_sent_away_at_once() {
    let (server, database) = limited("[limits]\nrequests_at_once = 2").await;
    let mut client = seed::client(&database.url()).await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE game_directory")
        .await
        .unwrap();
    let address = server.address;
    // Two games: who asks for the same one waits for the first, and not for the database.
    let waiting = [GAME, "/v1/games/second"]
        .map(|game| tokio::spawn(async move { send(address, "GET", game, &[]).await }));
    let blocked = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
        WHERE NOT l.granted AND d.datname = current_database()";
    while lock.query_one(blocked, &[]).await.unwrap().get::<_, i64>(0) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let begun = Instant::now();
    let shed = (server.get("/v1/games/other").await, begun.elapsed());
    shed.0.problem(503, "overloaded");
    assert_eq!(shed.0.header("retry-after"), Some("1"));
    assert!(shed.1 < Duration::from_millis(500), "{:?}", shed.1);
    assert_eq!(server.get("/health/live").await.status, 200);
    lock.rollback().await.unwrap();
    for answer in waiting {
        answer.await.unwrap().problem(404, "game-not-found");
    }
    server.get(GAME).await.problem(404, "game-not-found");
}

/// Begins an export and takes nothing of it.
async fn stalled(server: &TestServer) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let request = format!("GET {EXPORT} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

/// Games whose export is larger than what lies in buffers between a server and its client.
async fn large_games(database: &TestDatabase) {
    let games: Vec<Seeded> = (0..3)
        .map(|n| Seeded {
            moves: vec!["e2e4"; 60_000],
            ..Seeded::new(&format!("g-{n}"), at("2026-11-20T10:00:00Z"))
        })
        .collect();
    seed::finished(&database.url(), &games).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_client_takes_nothing_loses_its_place() {
    let (server, database) = limited("[limits]\nexports_at_once = 1\nexport_stall = '1s'").await;
    large_games(&database).await;
    let stream = stalled(&server).await;
    let answer = server.get(EXPORT).await;
    answer.problem(503, "overloaded");
    // Reads are not exports.
    server.get(GAME).await.problem(404, "game-not-found");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let whole = server.get(EXPORT).await;
    assert_eq!(whole.status, 200);
    assert!(
        whole.body.contains("\"type\":\"end\""),
        "{}",
        whole.body.len()
    );
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_has_no_more_exports_under_way_than_it_may() {
    let (server, database) = limited("[limits]\nexports_at_once_per_caller = 1").await;
    large_games(&database).await;
    let stream = stalled(&server).await;
    let answer = server.get(EXPORT).await;
    answer.problem(429, "too-many-exports-at-once");
    assert_eq!(answer.header("retry-after"), Some("5"));
    drop(stream);
    for _ in 0..50 {
        if server.get(EXPORT).await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the place was not given back");
}
