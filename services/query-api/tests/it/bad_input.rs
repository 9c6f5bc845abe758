//! Requests that are wrong in every way: each is refused with the parameter's name, none is a 5xx.

use crate::http::send;
use crate::server::TestServer;

const LIST: &str = "/v1/players/p/games";
/// The routes that take a cursor.
const CURSOR_ROUTES: [&str; 7] = [
    "/v1/players/p/games?",
    "/v1/players/p/games/export?",
    "/v1/players/p/rating-history?",
    "/v1/players/p/rating-history?resolution=day&",
    "/v1/players/p/opponents?",
    "/v1/games?",
    "/v1/games/export?",
];

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
        ("/v1/games/x?format=xml".to_owned(), "format", "malformed"),
        ("/v1/games/x/moves?at=-1".to_owned(), "at", "out-of-range"),
        ("/v1/games/x/moves?at=1e3".to_owned(), "at", "out-of-range"),
        ("/v1/games/%00/moves".to_owned(), "id", "control-character"),
        ("/v1/games?limit=0".to_owned(), "limit", "out-of-range"),
        ("/v1/games?role=white".to_owned(), "role", "unknown"),
        ("/v1/games?opponent=x".to_owned(), "opponent", "unknown"),
        ("/v1/games?result=loss".to_owned(), "result", "malformed"),
        ("/v1/games?player=".to_owned(), "player", "empty"),
        (
            "/v1/games?player=a&player=%00".to_owned(),
            "player",
            "control-character",
        ),
        (
            format!("/v1/games?{}", ["player=x"; 9].join("&")),
            "player",
            "out-of-range",
        ),
        ("/v1/games?sort=rating".to_owned(), "sort", "malformed"),
        (
            "/v1/games?time_field=updated_at".to_owned(),
            "time_field",
            "malformed",
        ),
        (
            "/v1/games?since=1795255200".to_owned(),
            "since",
            "wrong-unit",
        ),
        (
            "/v1/games?incomplete=1".to_owned(),
            "incomplete",
            "malformed",
        ),
        (
            "/v1/games?move_count_min=x".to_owned(),
            "move_count_min",
            "out-of-range",
        ),
        (
            "/v1/games?rating_max=99999999999".to_owned(),
            "rating_max",
            "out-of-range",
        ),
        (
            "/v1/games?duration_ms_min=-5".to_owned(),
            "duration_ms_min",
            "out-of-range",
        ),
        (
            "/v1/games?move_count_min=9&move_count_max=8".to_owned(),
            "move_count_min",
            "out-of-range",
        ),
        ("/v1/games?fields=moves".to_owned(), "fields", "malformed"),
        (
            "/v1/games?fields=game_id,game_id".to_owned(),
            "fields",
            "repeated",
        ),
        ("/v1/games?fields=".to_owned(), "fields", "malformed"),
        (
            "/v1/games?until_id=nope".to_owned(),
            "until_id",
            "out-of-range",
        ),
        (
            "/v1/games?until_id=%00".to_owned(),
            "until_id",
            "control-character",
        ),
        ("/v1/games?page=2".to_owned(), "page", "unknown"),
        ("/v1/games?offset=9".to_owned(), "offset", "unknown"),
        ("/v1/games/count?limit=1".to_owned(), "limit", "unknown"),
        ("/v1/games/count?mode=Rated".to_owned(), "mode", "malformed"),
        (
            "/v1/games/export?format=parquet".to_owned(),
            "format",
            "malformed",
        ),
        ("/v1/games/export?marks=no".to_owned(), "marks", "malformed"),
        ("/v1/games/export?limit=1".to_owned(), "limit", "unknown"),
        (format!("{LIST}/export?winner=x"), "winner", "unknown"),
        ("/v1/players/%00".to_owned(), "id", "control-character"),
        ("/v1/players/p?mode=x".to_owned(), "mode", "unknown"),
        (
            "/v1/players/%00/games?role=white".to_owned(),
            "id",
            "control-character",
        ),
        (
            "/v1/players/p/stats?group_by=colour".to_owned(),
            "group_by",
            "malformed",
        ),
        (
            "/v1/players/p/stats?group_by=mode,mode".to_owned(),
            "group_by",
            "repeated",
        ),
        (
            "/v1/players/p/stats?group_by=mode,role,game,hour".to_owned(),
            "group_by",
            "out-of-range",
        ),
        (
            "/v1/players/p/stats?group_by=".to_owned(),
            "group_by",
            "malformed",
        ),
        (
            "/v1/players/p/stats?limit=1001".to_owned(),
            "limit",
            "out-of-range",
        ),
        (
            "/v1/players/p/stats?min_games=0".to_owned(),
            "min_games",
            "out-of-range",
        ),
        (
            "/v1/players/p/rating-history?resolution=month".to_owned(),
            "resolution",
            "malformed",
        ),
        (
            "/v1/players/p/opponents?limit=201".to_owned(),
            "limit",
            "out-of-range",
        ),
        ("/v1/players/p/vs/p".to_owned(), "b", "repeated"),
        ("/v1/players/p/vs/%ff".to_owned(), "b", "malformed"),
        ("/v1/players/%00/vs/q".to_owned(), "a", "control-character"),
        (
            "/v1/players/p/vs/q?limit=101".to_owned(),
            "limit",
            "out-of-range",
        ),
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
    // In the form of one, but for its signature.
    let forged = "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABnAAAAAAAAAAAAAAAAAAAAAA";
    let long = "A".repeat(15_000);
    for cursor in ["x", "AAAA", "%00", "../../etc/passwd", &long, forged] {
        for route in CURSOR_ROUTES {
            let answer = server.get(&format!("{route}cursor={cursor}")).await;
            let problem = answer.problem(400, "invalid-cursor");
            assert_eq!(problem["errors"][0]["parameter"], "cursor", "{route}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_routes_are_problems() {
    let (server, _database) = TestServer::start().await;
    for target in [
        "/",
        "/v1",
        "/v2/games/x",
        "/v1/games/",
        "/v1/games/a/b",
        "/v1//games/x",
        "/v1/players",
        "/v1/players/",
        "/v1/players/x/y",
        "/v1/players//games",
        "/v1/players/a/vs/",
        "/v1/players/a/vs",
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
    for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
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
                Some("GET, HEAD, OPTIONS"),
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
