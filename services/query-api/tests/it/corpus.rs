//! Requests that no client sends: each is answered quickly by a refusal, or the connection ends; none is a 5xx, and the next request is
//! answered as if nothing had been.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::{exchange, parse, send_bytes};
use crate::server::TestServer;
use test_support::TestDatabase;

const END: &str = "host: test\r\nconnection: close\r\n\r\n";

/// Checks what came back: at most one refusal, without words about the inside.
fn harmless(what: &str, answer: &[u8], taken: Duration) {
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(400)]).into_owned();
    assert!(
        taken < Duration::from_secs(1),
        "{what} took {taken:?}: {shown}"
    );
    if let Some(answer) = parse(answer) {
        assert!(matches!(answer.status, 200..=499), "{what}: {shown}");
        let body = String::from_utf8_lossy(&answer.body).to_lowercase();
        for word in [
            "select ", "postgres", "panicked", ".rs:", "/src/", ".cargo", "diesel",
        ] {
            assert!(!body.contains(word), "{what} tells {word}: {shown}");
        }
    }
}

async fn server() -> (TestServer, TestDatabase) {
    TestServer::start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_ends_in_a_refusal() {
    let (server, _database) = server().await;
    let long = "x".repeat(200_000);
    let games = "/v1/games/batch";
    let cases: Vec<(&str, String)> = vec![
        ("nothing", "\r\n\r\n".to_owned()),
        ("words", "hello\r\n\r\n".to_owned()),
        ("no version", format!("GET /v1/games\r\n{END}")),
        ("HTTP/0.9", "GET /\r\n".to_owned() + "\r\n"),
        ("HTTP/3", format!("GET /v1/games HTTP/3.0\r\n{END}")),
        (
            "HTTP/2 preface",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        ),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned()),
        (
            "NUL in path",
            format!("GET /v1/games/a\0b HTTP/1.1\r\n{END}"),
        ),
        (
            "raw UTF-8 in path",
            format!("GET /v1/games/\u{e9}\u{202e} HTTP/1.1\r\n{END}"),
        ),
        (
            "space in path",
            format!("GET /v1/games/a b HTTP/1.1\r\n{END}"),
        ),
        (
            "absolute URL",
            format!("GET http://evil.example/v1/games HTTP/1.1\r\n{END}"),
        ),
        (
            "dots",
            format!("GET /v1/../../etc/passwd HTTP/1.1\r\n{END}"),
        ),
        (
            "coded dots",
            format!("GET /v1/games/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n{END}"),
        ),
        ("asterisk", format!("OPTIONS * HTTP/1.1\r\n{END}")),
        (
            "CONNECT",
            format!("CONNECT evil.example:443 HTTP/1.1\r\n{END}"),
        ),
        ("TRACE", format!("TRACE /v1/games HTTP/1.1\r\n{END}")),
        (
            "long target",
            format!("GET /v1/games/{long} HTTP/1.1\r\n{END}"),
        ),
        (
            "long cursor",
            format!("GET /v1/games?cursor={long} HTTP/1.1\r\n{END}"),
        ),
        (
            "long header",
            format!("GET /v1/games HTTP/1.1\r\nx: {long}\r\n{END}"),
        ),
        (
            "many headers",
            format!(
                "GET /v1/games HTTP/1.1\r\n{}{END}",
                "x: y\r\n".repeat(1_000)
            ),
        ),
        (
            "header without colon",
            format!("GET /v1/games HTTP/1.1\r\nnonsense\r\n{END}"),
        ),
        (
            "folded header",
            format!("GET /v1/games HTTP/1.1\r\nx: a\r\n b\r\n{END}"),
        ),
        (
            "bare line feeds",
            "GET /v1/games HTTP/1.1\nhost: test\nconnection: close\n\n".to_owned(),
        ),
        (
            "NUL in header",
            format!("GET /v1/games HTTP/1.1\r\nx: a\0b\r\n{END}"),
        ),
        (
            "two lengths",
            format!(
                "POST {games} HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 30\r\n{END}{{}} "
            ),
        ),
        (
            "negative length",
            format!("POST {games} HTTP/1.1\r\ncontent-length: -1\r\n{END}"),
        ),
        (
            "huge length",
            format!("POST {games} HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n{END}"),
        ),
        (
            "broken chunk",
            format!(
                "POST {games} HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n{END}zz\r\n"
            ),
        ),
        (
            "unknown transfer coding",
            format!("POST {games} HTTP/1.1\r\ntransfer-encoding: xchunked\r\n{END}0\r\n\r\n"),
        ),
        (
            "body on GET",
            format!("GET /v1/games/x HTTP/1.1\r\ncontent-length: 5\r\n{END}hello"),
        ),
        (
            "expectation",
            format!("POST {games} HTTP/1.1\r\nexpect: 200-ok\r\ncontent-length: 0\r\n{END}"),
        ),
        (
            "upgrade",
            "GET /v1/games HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade, close\r\nhost: test\r\n\r\n"
                .to_owned(),
        ),
        (
            "ranges",
            format!("GET /v1/games/x HTTP/1.1\r\nrange: bytes=0-0,5-2,-1\r\n{END}"),
        ),
    ];
    for (what, text) in cases {
        let begun = Instant::now();
        let read = send_bytes(server.address, text.as_bytes());
        // What the server waits for more of is ended by its own patience, which another test is about.
        let answer = tokio::time::timeout(Duration::from_millis(900), read).await;
        harmless(what, &answer.unwrap_or_default(), begun.elapsed());
        assert_eq!(server.get("/health/live").await.status, 200, "after {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_can_not_smuggle_a_second_request() {
    let (server, _database) = server().await;
    let hidden = "GET /health/live HTTP/1.1\r\nhost: test\r\n\r\n";
    for (what, framing) in [
        (
            "length and chunks",
            format!(
                "content-length: {}\r\ntransfer-encoding: chunked",
                5 + hidden.len()
            ),
        ),
        (
            "chunks and length",
            format!(
                "transfer-encoding: chunked\r\ncontent-length: {}",
                5 + hidden.len()
            ),
        ),
        (
            "chunks twice",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity".to_owned(),
        ),
        (
            "chunks by another name",
            "transfer-encoding: chunked, identity".to_owned(),
        ),
    ] {
        let text = format!(
            "POST /v1/games/batch HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}"
        );
        let read = send_bytes(server.address, text.as_bytes());
        let answer = tokio::time::timeout(Duration::from_millis(900), read).await;
        let answer = String::from_utf8_lossy(&answer.unwrap_or_default()).into_owned();
        assert!(!answer.contains("\"live\""), "{what}: {answer}");
        assert!(!answer.contains("HTTP/1.1 5"), "{what}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_bad_kind_are_refused() {
    let (server, _database) = server().await;
    let deep = "[".repeat(100_000);
    let many = format!("{{\"ids\": [{}\"x\"]}}", "\"y\",".repeat(60_000));
    let large = "x".repeat(600_000);
    let cases: Vec<(&str, Option<&str>, &[u8], u16)> = vec![
        ("nothing", None, b"", 400),
        ("no JSON", None, b"<xml/>", 400),
        ("cut", None, b"{\"ids\": [\"a\"", 400),
        ("no UTF-8", None, b"{\"ids\": [\"\xff\"]}", 400),
        (
            "byte order mark",
            None,
            b"\xef\xbb\xbf{\"ids\": [\"a\"]}",
            400,
        ),
        ("deep", None, deep.as_bytes(), 400),
        ("lone surrogate", None, br#"{"ids": ["\ud800"]}"#, 400),
        ("NUL", None, br#"{"ids": ["a\u0000b"]}"#, 400),
        ("key twice", None, br#"{"ids": ["a"], "ids": ["b"]}"#, 400),
        ("number", None, b"1e999999", 400),
        ("null", None, b"null", 400),
        ("other shape", None, br#"{"ids": {"a": 1}}"#, 400),
        ("stranger", None, br#"{"ids": ["a"], "limit": 1}"#, 400),
        ("too many", None, many.as_bytes(), 400),
        ("too large", None, large.as_bytes(), 413),
        ("compressed", Some("gzip"), b"\x1f\x8b\x08\0\0\0\0\0", 415),
        ("compressed twice", Some("gzip, gzip"), b"\x1f\x8b", 415),
    ];
    for (what, coding, body, status) in cases {
        let length = body.len().to_string();
        let mut headers = vec![
            ("content-type", "application/json"),
            ("content-length", length.as_str()),
        ];
        headers.extend(coding.map(|coding| ("content-encoding", coding)));
        let begun = Instant::now();
        let answer = exchange(server.address, "POST", "/v1/games/batch", &headers, body).await;
        assert_eq!(
            answer.status,
            status,
            "{what}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{what}"
        );
        assert!(begun.elapsed() < Duration::from_secs(1), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_of_every_bad_kind_are_refused() {
    let (server, _database) = server().await;
    let many = "limit=1&".repeat(1_500);
    let names: String = (0..2_000).map(|n| format!("p{n}=&")).collect();
    for query in [
        many.as_str(),
        names.as_str(),
        "limit=1%00",
        "limit=\u{661}",
        "limit=1;drop table games",
        "limit[0]=1",
        "limit=0x10",
        "limit=1_0",
        "limit=+1",
        "limit=NaN",
        "since=2016-12-31T23:59:60Z&until=%00",
        "since=2026-01-01T00:00:00+99:00",
        "since=10000-01-01T00:00:00Z",
        "since=-1",
        "since=9223372036854775808",
        "player='%20OR%201=1--&x=1",
        "player=%F0%9F%92%A9%ED%A0%80",
        "opening=%00",
        "sort=ended_at;ended_at",
        "cursor=%ff",
        "cursor=..%2f",
        "fields=game_id,,players",
        "%",
        "=",
        "&&&=&",
    ] {
        let target = format!("/v1/games?{}", query.replace(' ', "%20"));
        let begun = Instant::now();
        let answer = server.get(&target).await;
        assert_eq!(
            answer.status,
            400,
            "{}: {answer:?}",
            &query[..query.len().min(60)]
        );
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_its_time_is_sent_away_and_idle_ones_cost_nothing() {
    let database = TestDatabase::create().await;
    let settings = "[limits]\nhead_timeout = '1s'";
    let server = TestServer::with_settings(&database.url(), settings).await;
    let mut idle = Vec::new();
    for _ in 0..500 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert_eq!(server.get("/health/live").await.status, 200);
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /v1/games HTTP/1.1\r\nhost: test\r\n")
        .await
        .unwrap();
    let begun = Instant::now();
    let mut answer = Vec::new();
    while begun.elapsed() < Duration::from_secs(8) {
        if slow.write_all(b"x-slow: 1\r\n").await.is_err() {
            break;
        }
        let read = tokio::time::timeout(Duration::from_millis(300), slow.read_buf(&mut answer));
        if matches!(read.await, Ok(Ok(0) | Err(_))) {
            break;
        }
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    if let Some(answer) = parse(&answer) {
        assert_eq!(answer.status, 408);
    }
    assert_eq!(server.get("/health/live").await.status, 200);
    drop(idle);
}
