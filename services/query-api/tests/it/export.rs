//! `/v1/games/export` and `/v1/players/{id}/games/export`: complete, resumable, and readable by others.

use chrono::Duration;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::seed::{self, Seeded, at, now};
use crate::server::TestServer;

/// More than two chunks of games, some at the same millisecond, over two months.
fn many() -> Vec<Seeded> {
    (0..620)
        .map(|i| Seeded::new(&format!("g-{i:03}"), now() - Duration::minutes(i / 3 * 97)))
        .collect()
}

/// The marks of an NDJSON export, and its other lines.
fn parts(body: &str) -> (Vec<Value>, Vec<&str>) {
    let (mut marks, mut games) = (Vec::new(), Vec::new());
    for line in body.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        match value.get("type") {
            Some(_) => marks.push(value),
            None => games.push(line),
        }
    }
    (marks, games)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_game_whole_and_proves_it() {
    let (server, database) = TestServer::start().await;
    let games = many();
    seed::finished(&database.url(), &games).await;
    for target in ["/v1/games/export", "/v1/players/alice/games/export"] {
        let answer = server.get(target).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        let (marks, lines) = parts(&answer.body);
        assert_eq!(lines.len(), games.len(), "{target}");
        let mut order: Vec<&Seeded> = games.iter().collect();
        order.sort_by(|a, b| (a.ended_at, &a.id).cmp(&(b.ended_at, &b.id)));
        for (line, game) in lines.iter().zip(order) {
            assert!(line.contains(&format!("\"id\":\"{}\"", game.id)), "{line}");
        }
        let first: Value = serde_json::from_str(lines[0]).unwrap();
        let id = first["id"].as_str().unwrap();
        assert_eq!(first, server.get(&format!("/v1/games/{id}")).await.json());
        let end = marks.last().unwrap();
        assert_eq!(
            (&end["type"], &end["games"]),
            (&Value::from("end"), &Value::from(620))
        );
        let body = answer.body.trim_end();
        let before = &body[..=body.rfind('\n').unwrap()];
        let digest: String = Sha256::digest(before)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(end["sha256"], digest, "{target}");
        let newest = server
            .get(&format!("{target}?sort=-ended_at&marks=false"))
            .await;
        let (none, reversed) = parts(&newest.body);
        assert!(none.is_empty());
        assert!(reversed.iter().rev().eq(lines.iter()), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_cut_is_resumed_and_equals_the_uncut_one() {
    let (server, database) = TestServer::start().await;
    seed::finished(&database.url(), &many()).await;
    for format in ["ndjson", "pgn", "csv"] {
        let target = format!("/v1/games/export?format={format}");
        let whole = server.get(&target).await.body;
        for cut in [0, 1, whole.len() / 3, whole.len() / 2, whole.len() - 2] {
            let cut = (cut..).find(|at| whole.is_char_boundary(*at)).unwrap();
            let received = &whole[..cut];
            assert!(
                !received.contains("\"type\":\"end\"") || !received.ends_with('\n'),
                "{format}"
            );
            // What came after the last mark to resume from is dropped, and asked for again.
            let resume = received
                .rmatch_indices("\"type\":\"resume\"")
                .map(|(at, _)| at)
                .find(|at| received[*at..].contains('\n'));
            let (kept, cursor) = match resume {
                Some(at) => {
                    let end = at + received[at..].find('\n').unwrap() + 1;
                    let line = &received[received[..at].rfind('\n').map_or(0, |n| n + 1)..end];
                    let mark: Value =
                        serde_json::from_str(line.trim_start_matches(['%', '#', ' '])).unwrap();
                    (
                        &received[..end],
                        format!("&cursor={}", mark["cursor"].as_str().unwrap()),
                    )
                }
                None => ("", String::new()),
            };
            let rest = server.get(&format!("{target}{cursor}")).await.body;
            let games = |text: &str| -> Vec<String> {
                let plain = |line: &&str| {
                    !line.contains("\"type\":") && !line.starts_with("game_id,") && !line.is_empty()
                };
                text.lines().filter(plain).map(str::to_owned).collect()
            };
            let resumed = [games(kept), games(&rest)].concat();
            assert_eq!(resumed, games(&whole), "{format} cut at {cut}");
            assert!(rest.contains("\"type\":\"end\""));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_export_is_where_a_later_one_goes_on() {
    let (server, database) = TestServer::start().await;
    let game = |id: &str, minutes| Seeded::new(id, now() - Duration::minutes(minutes));
    seed::finished(&database.url(), &[game("a", 9), game("b", 8)]).await;
    let target = "/v1/players/alice/games/export";
    let (marks, _) =
        parts(&server.get(target).await.body).pipe(|(marks, games)| (marks, games.len()));
    let cursor = marks.last().unwrap()["cursor"].as_str().unwrap().to_owned();
    seed::finished(&database.url(), &[game("c", 7)]).await;
    let later = server.get(&format!("{target}?cursor={cursor}")).await.body;
    let (marks, games) = parts(&later);
    assert_eq!(games.len(), 1);
    assert!(games[0].contains("\"id\":\"c\""));
    assert_eq!(marks.last().unwrap()["games"], 1);
    let other = server
        .get(&format!("/v1/games/export?cursor={cursor}"))
        .await;
    other.problem(400, "cursor-mismatch");
}

trait Pipe: Sized {
    fn pipe<T>(self, then: impl FnOnce(Self) -> T) -> T {
        then(self)
    }
}

impl<T> Pipe for T {}

#[tokio::test(flavor = "multi_thread")]
async fn games_without_a_pgn_are_counted_and_formulas_are_disarmed() {
    let (server, database) = TestServer::start().await;
    let ended = at("2026-11-20T10:00:00Z");
    let games = [
        Seeded::new("g-1", ended),
        Seeded {
            game: "go",
            ..Seeded::new("g-2", ended)
        },
        Seeded::new("=cmd()", ended),
    ];
    seed::finished(&database.url(), &games).await;
    let pgn = server.get("/v1/games/export?format=pgn").await;
    assert_eq!(pgn.body.matches("[Event ").count(), 2);
    assert!(
        pgn.body.contains("\"games\":2,\"skipped\":1"),
        "{}",
        pgn.body
    );
    let csv = server.get("/v1/games/export?format=csv&game=chess").await;
    let lines: Vec<&str> = csv.body.lines().collect();
    assert!(lines[0].starts_with("game_id,started_at,"));
    assert!(
        lines[1].starts_with(
            "\"'=cmd()\",2026-11-20T09:59:00.000Z,2026-11-20T10:00:00.000Z,60000,chess"
        )
    );
    assert!(lines[1].ends_with("f2f3 e7e5 g2g4 d8h4"), "{}", lines[1]);
    assert!(lines[3].starts_with("# {\"type\":\"end\",\"games\":2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_database_goes_away_breaks_off_and_does_not_end_cleanly() {
    let (server, database) = TestServer::start().await;
    seed::finished(&database.url(), &many()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /v1/games/export HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    // Read a little, so that the export is under way but stuck behind a client that does not read; then the table goes.
    let mut received = vec![0; 1_000];
    stream.read_exact(&mut received).await.unwrap();
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("ALTER TABLE games RENAME TO hidden")
        .await
        .unwrap();
    let clean = stream.read_to_end(&mut received).await;
    let text = String::from_utf8_lossy(&received);
    // The buffers of so small an export may have held all of it; what counts is that a broken one never looks whole.
    let ended = text.contains("\"type\":\"end\"");
    let terminated = text.ends_with("0\r\n\r\n");
    assert_eq!(
        ended,
        terminated && clean.is_ok(),
        "{}",
        &text[text.len().saturating_sub(300)..]
    );
    if !ended {
        assert!(text.contains("\"type\":\"error\""));
    }
}
