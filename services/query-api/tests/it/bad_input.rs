//! Requests that are wrong in every way: each is refused with the parameter's name, none is a 5xx.

use crate::http::send;
use crate::server::TestServer;

const LIST: &str = "/v1/players/p/games";

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_parameter_is_refused_by_name() {
    let (server, _database) = TestServer::start().await;
    let long = "x".repeat(10_240);
    let cases = [
        ("/v1/games/a%00b".to_owned(), "id", "control-character"),
        ("/v1/games/a%0Ab".to_owned(), "id", "control-character"),
        ("/v1/games/%ff".to_owned(), "id", "malformed"),
        ("/v1/games/%zz".to_owned(), "id", "malformed"),
        ("/v1/games/%".to_owned(), "id", "malformed"),
        (format!("/v1/games/{long}"), "id", "too-long"),
        (
            format!(
                "/v1/games/{}",
                "é".repeat(101)
                    .bytes()
                    .map(|b| format!("%{b:02X}"))
                    .collect::<String>()
            ),
            "id",
            "too-long",
        ),
        ("/v1/games/x?fields=moves".to_owned(), "fields", "unknown"),
        (
            "/v1/players/%00/games".to_owned(),
            "id",
            "control-character",
        ),
        (format!("/v1/players/{long}/games"), "id", "too-long"),
        (format!("{LIST}?beginTime=1"), "beginTime", "unknown"),
        (format!("{LIST}?Limit=1"), "Limit", "unknown"),
        (format!("{LIST}?limit[]=1"), "limit[]", "unknown"),
        (format!("{LIST}?%00=1"), "\0", "unknown"),
        (format!("{LIST}?limit=1&limit=1"), "limit", "repeated"),
        (format!("{LIST}?limit=0"), "limit", "out-of-range"),
        (format!("{LIST}?limit=201"), "limit", "out-of-range"),
        (format!("{LIST}?limit=-1"), "limit", "out-of-range"),
        (format!("{LIST}?limit=1.5"), "limit", "out-of-range"),
        (format!("{LIST}?limit=1e1"), "limit", "out-of-range"),
        (format!("{LIST}?limit=10;drop"), "limit", "out-of-range"),
        (format!("{LIST}?limit=%D9%A1"), "limit", "out-of-range"),
        (
            format!("{LIST}?limit={}", "9".repeat(400)),
            "limit",
            "out-of-range",
        ),
        (format!("{LIST}?limit"), "limit", "out-of-range"),
        (format!("{LIST}?mode=Rated"), "mode", "malformed"),
        (format!("{LIST}?mode="), "mode", "empty"),
        (
            format!("{LIST}?mode={}", "m".repeat(33)),
            "mode",
            "too-long",
        ),
        (
            format!("{LIST}?variant=%00"),
            "variant",
            "control-character",
        ),
        (format!("{LIST}?result=won"), "result", "malformed"),
        (
            format!("{LIST}?opponent=%00"),
            "opponent",
            "control-character",
        ),
        (format!("{LIST}?opponent={long}"), "opponent", "too-long"),
        (
            format!("{LIST}?time_control={long}"),
            "time_control",
            "too-long",
        ),
        (
            format!("{LIST}?since=2026-02-30T00:00:00Z"),
            "since",
            "malformed",
        ),
        (format!("{LIST}?since=2026-11-21"), "since", "malformed"),
        (
            format!("{LIST}?since=2026-11-21T10:00:00"),
            "since",
            "malformed",
        ),
        (format!("{LIST}?since=yesterday"), "since", "malformed"),
        (format!("{LIST}?since=1795255200"), "since", "wrong-unit"),
        (format!("{LIST}?until=-1"), "until", "out-of-range"),
        (
            format!("{LIST}?until=10000-01-01T00:00:00Z"),
            "until",
            "malformed",
        ),
        (
            format!("{LIST}?until=9999-01-01T00:00:00Z"),
            "until",
            "out-of-range",
        ),
        (
            format!("{LIST}?since=2026-11-22T00:00:00Z&until=2026-11-21T00:00:00Z"),
            "since",
            "out-of-range",
        ),
        (format!("{LIST}?cursor="), "cursor", "empty"),
    ];
    for (target, parameter, code) in cases {
        let shown = &target[..target.len().min(90)];
        let answer = server.get(&target).await;
        let problem = answer.problem(400, "invalid-parameter");
        assert_eq!(
            problem["errors"][0]["parameter"], parameter,
            "{shown}: {problem}"
        );
        assert_eq!(problem["errors"][0]["code"], code, "{shown}: {problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(parameter),
            "{shown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_request_is_told() {
    let (server, _database) = TestServer::start().await;
    let answer = server
        .get("/v1/players/%00/games?limit=0&since=x&colour=1&mode=")
        .await;
    let problem = answer.problem(400, "invalid-parameter");
    let errors = problem["errors"].as_array().unwrap();
    let named: Vec<_> = errors
        .iter()
        .map(|e| e["parameter"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["id", "mode", "since", "limit", "colour"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_none_is_refused() {
    let (server, _database) = TestServer::start().await;
    for cursor in ["x", "AAAA", "%00", "../../etc/passwd", &"A".repeat(60_000)] {
        let answer = server.get(&format!("{LIST}?cursor={cursor}")).await;
        let problem = answer.problem(400, "invalid-cursor");
        assert_eq!(problem["errors"][0]["parameter"], "cursor");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_routes_are_problems() {
    let (server, _database) = TestServer::start().await;
    for target in [
        "/",
        "/v1",
        "/v2/games/x",
        "/v1/games",
        "/v1/games/",
        "/v1/games/a/b",
        "/v1//games/x",
        "/v1/players/x",
        "/v1/players//games",
        "/v1/games/x/",
        "/favicon.ico",
        "/%",
        "/%00",
    ] {
        let problem = server.get(target).await.problem(404, "unknown-route");
        assert_eq!(problem["instance"], target);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_problems_that_say_which_are_taken() {
    let (server, _database) = TestServer::start().await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        for target in [
            "/v1/games/x",
            LIST,
            "/health/live",
            "/metrics",
            "/openapi.json",
        ] {
            let answer = send(server.address, method, target, &[]).await;
            answer.problem(405, "method-not-allowed");
            assert_eq!(
                answer.header("allow"),
                Some("GET, HEAD"),
                "{method} {target}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_headers_and_bodies_do_no_harm() {
    let (server, _database) = TestServer::start().await;
    let headers = [
        ("accept", "text/turtle;q=2, ???"),
        ("content-type", "application/json"),
        ("traceparent", "00-zz-zz-zz"),
        ("if-none-match", "\u{1}"),
        ("if-modified-since", "yesterday"),
        ("x-request-id", "<script>"),
    ];
    for header in headers {
        let answer = send(server.address, "GET", "/v1/games/nope", &[header]).await;
        assert!(matches!(answer.status, 400 | 404), "{header:?}: {answer:?}");
        assert!(!answer.body.contains("script"), "{answer:?}");
    }
}
