//! What every answer has in common: coding, caching, origins, methods, ids of requests and traces.

use std::time::Duration;

use serde_json::Value;
use test_support::TestDatabase;

use crate::http::{exchange, send};
use crate::seed::{self, Seeded, at};
use crate::server::TestServer;
use crate::tokens::{SECRET, claims, signed};

const GAME: &str = "/v1/games/g-1";
const ORIGIN: &str = "https://play.example";
const BY_SECRET: &str =
    "[auth]\nanonymous_scopes = []\nissuer = 'https://id.test'\naudience = 'game-history'";

async fn serving(settings: &str) -> (TestServer, TestDatabase) {
    let database = TestDatabase::create().await;
    let games = [
        Seeded::new("g-1", at("2026-11-20T10:00:00Z")),
        Seeded {
            moves: vec!["e2e4"; 200],
            ..Seeded::new("long", at("2026-11-20T10:00:00Z"))
        },
    ];
    seed::finished(&database.url(), &games).await;
    seed::live(
        &database.url(),
        "live",
        at("2026-11-20T10:00:00Z"),
        &["e2e4"],
    )
    .await;
    let server = TestServer::with_settings(&database.url(), settings).await;
    (server, database)
}

/// Every route of the document that is read, with ids that exist.
fn read_routes() -> Vec<String> {
    let document = query_api::openapi::document().to_json().unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let read = paths.iter().filter(|(_, item)| item["get"].is_object());
    let targets = read.map(|(path, _)| {
        let id = if path.starts_with("/v1/games") {
            "g-1"
        } else {
            "alice"
        };
        path.replace("{id}", id)
            .replace("{a}", "alice")
            .replace("{b}", "bob")
    });
    targets
        .chain([
            "/docs".to_owned(),
            "/docs/".to_owned(),
            "/docs/swagger-ui.css".to_owned(),
        ])
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_coded_as_the_client_likes_best() {
    let (server, _database) = serving("").await;
    let plain = exchange(server.address, "GET", "/v1/games/long", &[], b"").await;
    assert_eq!(plain.header("content-encoding"), None);
    let tag = plain.header("etag").unwrap();
    assert!(tag.starts_with('"'), "{tag}");
    for (accepted, coding) in [
        ("zstd", Some("zstd")),
        ("gzip, zstd;q=0.5", Some("gzip")),
        ("gzip", Some("gzip")),
        ("br", None),
        ("identity;q=0", None),
        ("nonsense;;;", None),
    ] {
        let headers = [("accept-encoding", accepted)];
        let answer = exchange(server.address, "GET", "/v1/games/long", &headers, b"").await;
        assert_eq!(answer.status, 200, "{accepted}");
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
        assert_eq!(
            answer.header("vary"),
            Some("Accept, Accept-Encoding"),
            "{accepted}"
        );
        assert_eq!(
            answer.body.len() < plain.body.len() / 2,
            coding.is_some(),
            "{accepted}"
        );
        match coding {
            Some("zstd") => assert_eq!(zstd::decode_all(&*answer.body).unwrap(), plain.body),
            Some(_) => assert_eq!(&answer.body[..2], b"\x1f\x8b"),
            None => assert_eq!(answer.body, plain.body),
        }
        let weak = format!("W/{tag}");
        let expected = if coding.is_some() { weak.as_str() } else { tag };
        assert_eq!(answer.header("etag"), Some(expected), "{accepted}");
        // Either tag is known again, whatever the coding.
        for known in [tag, weak.as_str()] {
            let headers = [("accept-encoding", accepted), ("if-none-match", known)];
            let again = exchange(server.address, "GET", "/v1/games/long", &headers, b"").await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{accepted}");
            assert_eq!(again.header("etag"), Some(expected), "{accepted}");
            assert_eq!(again.header("content-encoding"), None, "{accepted}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_answers_and_streams_go_as_they_are() {
    let (server, _database) = serving("").await;
    for target in [
        "/v1/games/count",
        "/v1/games/nope",
        "/v1/games/export",
        "/v1/players/alice/games/export",
    ] {
        let headers = [("accept-encoding", "gzip, zstd")];
        let answer = send(server.address, "GET", target, &headers).await;
        assert_eq!(answer.header("content-encoding"), None, "{target}");
        assert!(
            answer.header("vary").unwrap().contains("Accept-Encoding"),
            "{target}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_like_get_on_every_route_that_is_read() {
    let (server, _database) = serving("").await;
    while server.get("/health/ready").await.status != 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for target in read_routes() {
        for headers in [&[][..], &[("accept-encoding", "zstd")][..]] {
            let get = exchange(server.address, "GET", &target, headers, b"").await;
            let head = exchange(server.address, "HEAD", &target, headers, b"").await;
            assert_eq!((head.status, head.body.len()), (get.status, 0), "{target}");
            for name in [
                "content-type",
                "cache-control",
                "etag",
                "vary",
                "content-encoding",
                "location",
            ] {
                if name != "etag" || !target.starts_with("/metrics") {
                    assert_eq!(head.header(name), get.header(name), "{name} of {target}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_says_what_it_takes() {
    let (server, _database) = serving(BY_SECRET).await;
    for target in read_routes()
        .iter()
        .filter(|target| !target.starts_with("/docs/"))
    {
        let answer = send(server.address, "OPTIONS", target, &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{target}");
        assert_eq!(
            answer.header("allow"),
            Some("GET, HEAD, OPTIONS"),
            "{target}"
        );
        assert!(answer.header("x-request-id").is_some(), "{target}");
    }
    for target in ["/v1/games/batch", "/v1/admin/cache/invalidate"] {
        let answer = send(server.address, "OPTIONS", target, &[]).await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (204, Some("POST, OPTIONS")),
            "{target}"
        );
    }
    let nowhere = send(server.address, "OPTIONS", "/nowhere", &[]).await;
    nowhere.problem(404, "unknown-route");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_read_what_the_operator_lets_them() {
    let settings = format!(
        "[cors]\norigins = ['{ORIGIN}']\n[limits]\nreads = {{ requests = 5, window = '1h' }}"
    );
    let (server, _database) = serving(&settings).await;
    for (target, status) in [
        (GAME, 200),
        ("/v1/games/nope", 404),
        ("/v1/games?x=1", 400),
        ("/nowhere", 404),
    ] {
        let answer = send(server.address, "GET", target, &[("origin", ORIGIN)]).await;
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(ORIGIN),
            "{target}"
        );
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in [
            "link",
            "etag",
            "retry-after",
            "ratelimit",
            "x-request-id",
            "x-projection-lag-ms",
        ] {
            assert!(
                exposed.split(", ").any(|given| given == name),
                "{name} in {exposed}"
            );
        }
        assert!(
            answer.header("vary").unwrap().ends_with("Origin"),
            "{answer:?}"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    for origin in [
        "https://evil.example",
        "https://play.example.evil.example",
        "null",
        "http://play.example",
    ] {
        let answer = send(server.address, "GET", "/health/live", &[("origin", origin)]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{origin}"
        );
        assert!(
            answer.header("vary").unwrap().ends_with("Origin"),
            "{origin}"
        );
    }
    let asking = [
        ("origin", ORIGIN),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization"),
    ];
    let preflight = send(server.address, "OPTIONS", GAME, &asking).await;
    assert_eq!((preflight.status, preflight.body.as_str()), (204, ""));
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        Some(ORIGIN)
    );
    assert!(
        preflight
            .header("access-control-allow-methods")
            .unwrap()
            .contains("GET")
    );
    assert!(
        preflight
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    assert_eq!(preflight.header("access-control-max-age"), Some("3600"));
    // A page has to be able to read that it asked too much.
    let refused = loop {
        let answer = send(server.address, "GET", GAME, &[("origin", ORIGIN)]).await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_eq!(refused.header("access-control-allow-origin"), Some(ORIGIN));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_configured_origins_no_page_may_read_and_with_a_star_all_may() {
    let (server, _database) = serving("").await;
    let answer = send(server.address, "GET", GAME, &[("origin", ORIGIN)]).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(
        !answer.header("vary").unwrap().contains("Origin"),
        "{answer:?}"
    );
    let (server, _database) = serving("[cors]\norigins = ['*']").await;
    let answer = send(server.address, "GET", GAME, &[("origin", ORIGIN)]).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(
        !answer.header("vary").unwrap().contains("Origin"),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_has_what_every_answer_has() {
    let (server, database) = serving("[cors]\norigins = ['*']").await;
    let mut client = seed::client(&database.url()).await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE game_directory")
        .await
        .unwrap();
    let answer = send(server.address, "GET", GAME, &[("origin", ORIGIN)]).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(["timeout", "unavailable"].contains(&answer.json()["code"].as_str().unwrap()));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("retry-after").is_some() && answer.header("x-request-id").is_some());
    lock.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_answer_says_how_long_it_may_be_kept() {
    let (server, _database) = serving("").await;
    for (target, kept) in [
        (GAME, "public, max-age=300, stale-while-revalidate=86400"),
        ("/v1/games/live", "no-cache"),
        ("/v1/games", "no-cache"),
        ("/v1/players/alice/stats", "no-cache"),
        ("/v1/games/export", "no-store"),
        ("/v1/games/nope", "no-store"),
        ("/openapi.json", "no-cache"),
        ("/health/live", "no-store"),
        ("/health/ready", "no-store"),
        ("/metrics", "no-store"),
    ] {
        let answer = server.get(target).await;
        assert_eq!(answer.header("cache-control"), Some(kept), "{target}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{target}"
        );
    }
    // What needs a token is for who has one.
    let (server, _database) = serving(&format!("{BY_SECRET}\nhs256_secret = '{SECRET}'")).await;
    let token = format!("Bearer {}", signed(&claims("history:read"), SECRET));
    let answer = send(server.address, "GET", GAME, &[("authorization", &token)]).await;
    assert_eq!(
        answer.header("cache-control"),
        Some("private, max-age=300, stale-while-revalidate=86400")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_trace_comes_back_and_nonsense_does_not() {
    let (server, _database) = serving("").await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = send(server.address, "GET", GAME, &[("traceparent", trace)]).await;
    assert_eq!(answer.header("traceparent"), Some(trace));
    for nonsense in [
        "00-zz-zz-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        let answer = send(server.address, "GET", GAME, &[("traceparent", nonsense)]).await;
        assert_eq!(answer.header("traceparent"), None, "{nonsense}");
    }
}
