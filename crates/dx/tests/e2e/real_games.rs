//! Recorded games, from PGN through Kafka and PostgreSQL to HTTP, against what is known of them by other means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::history::History;

/// The recorded games, which lie beside a checkout where there are any.
fn recorded_games() -> Option<(PathBuf, Vec<Value>)> {
    let folder = PathBuf::from(std::env::var_os("GAME_HISTORY_TEST_DATA")?);
    let expected = std::fs::read_to_string(folder.join("titled-tuesday.expected.jsonl")).unwrap();
    let expected = expected
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    Some((folder.join("titled-tuesday.pgn"), expected))
}

fn id_of(expected: &Value) -> &str {
    expected["url"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
}

/// Our word for the termination that the source words for people.
fn termination_of(expected: &Value) -> &'static str {
    let worded = expected["termination"].as_str().unwrap();
    let known = [
        ("won by checkmate", "checkmate"),
        ("won by resignation", "resignation"),
        ("won on time", "timeout"),
        ("drawn by agreement", "agreement"),
        ("drawn by insufficient material", "insufficient_material"),
        ("drawn by repetition", "repetition"),
    ];
    known
        .iter()
        .find(|(end, _)| worded.ends_with(end))
        .unwrap_or_else(|| panic!("{worded}"))
        .1
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_games_come_out_as_they_went_in() {
    let Some((pgn, expected)) = recorded_games() else {
        println!("skipped: GAME_HISTORY_TEST_DATA names no folder of recorded games");
        return;
    };
    let mut history = History::begin().await;
    history.start_ingestor();
    history.succeed(&["import-pgn", "--strict", pgn.to_str().unwrap()]);
    history.verify();
    let clocks = clocks_of(&std::fs::read_to_string(&pgn).unwrap());
    for (expected, clocks) in expected.iter().zip(clocks) {
        let (status, game) = history.get(&format!("/v1/games/{}", id_of(expected))).await;
        assert_eq!(status, 200, "{game}");
        is_as_expected(&game, expected, &clocks);
    }
    walks_list_every_game(&history, &expected).await;
    another_reader_finds_the_same_games(&history, &pgn).await;
}

/// Exports every game as PGN, and has python-chess compare them with the originals: moves, clocks, tags, results.
async fn another_reader_finds_the_same_games(history: &History, original: &Path) {
    let export = history.text("/v1/games/export?format=pgn").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), export).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/same_games.py");
    let said = test_support::python()
        .args([Path::new(script), original, file.path()])
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr),
    );
    assert!(said.status.success(), "{err}");
    assert_eq!(out.trim(), "156 games", "{err}");
}

fn is_as_expected(game: &Value, expected: &Value, clocks: &[u64]) {
    let id = id_of(expected);
    let moves = game["moves"].as_array().unwrap();
    let uci: Vec<&str> = moves.iter().map(|m| m["move"].as_str().unwrap()).collect();
    assert_eq!(uci.join(" "), expected["uci"].as_str().unwrap(), "{id}");
    let clock_ms: Vec<u64> = moves
        .iter()
        .map(|m| m["clock_ms"].as_u64().unwrap())
        .collect();
    assert_eq!(clock_ms, clocks, "{id}");
    assert_eq!(game["final_position"], expected["final_fen"], "{id}");
    assert_eq!(game["termination"], termination_of(expected), "{id}");
    assert_eq!(game["time_control"], expected["time_control"], "{id}");
    let winner = match expected["result"].as_str().unwrap() {
        "1-0" => &expected["white"],
        "0-1" => &expected["black"],
        _ => &Value::Null,
    };
    assert_eq!(&game["winner"], winner, "{id}");
    assert_eq!(
        game["result"],
        if winner.is_null() { "draw" } else { "win" },
        "{id}"
    );
    for (seat, (color, rating)) in [("white", "white_rating"), ("black", "black_rating")]
        .iter()
        .enumerate()
    {
        assert_eq!(game["players"][seat]["id"], expected[color], "{id}");
        assert_eq!(game["players"][seat]["rating"], expected[rating], "{id}");
    }
    let ended_at: chrono::DateTime<chrono::Utc> =
        game["ended_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        ended_at.timestamp(),
        expected["end_time"].as_i64().unwrap(),
        "{id}"
    );
}

async fn walks_list_every_game(history: &History, expected: &[Value]) {
    let mut games: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
    for game in expected {
        for color in ["white", "black"] {
            let ended = (game["end_time"].as_i64().unwrap(), id_of(game));
            games
                .entry(game[color].as_str().unwrap())
                .or_default()
                .push(ended);
        }
    }
    for (player, mut games) in games {
        games.sort_unstable();
        let newest_first: Vec<&str> = games.iter().rev().map(|(_, id)| *id).collect();
        for limit in [7, 200] {
            let listed = history
                .walk(&format!("/v1/players/{player}/games"), limit)
                .await;
            let listed: Vec<&str> = listed
                .iter()
                .map(|game| game["game_id"].as_str().unwrap())
                .collect();
            assert_eq!(listed, newest_first, "{player}, {limit} a page");
        }
    }
}

/// The clocks of each game of a PGN, in milliseconds, read without the importer's code.
fn clocks_of(pgn: &str) -> Vec<Vec<u64>> {
    let games = pgn.split("[Event ").skip(1);
    let clock = |text: &str| {
        let fields: Vec<f64> = text
            .split(':')
            .map(|field| field.parse().unwrap())
            .collect();
        let seconds = fields.iter().fold(0.0, |sum, field| sum * 60.0 + field);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a clock is a small positive number"
        )]
        let ms = (seconds * 1_000.0).round() as u64;
        ms
    };
    games
        .map(|game| {
            game.split("[%clk ")
                .skip(1)
                .map(|rest| clock(rest.split(']').next().unwrap()))
                .collect()
        })
        .collect()
}
