//! `cargo dx show`: a game or a player's history from the query API, as a person would like to see them.
//!
//! What it prints comes from the API alone, by the routes anyone else would use. Texts of games are untrusted: control characters
//! never reach the terminal, because the events contract refuses them.

use anyhow::{Context, bail};
use chess::{Clock, Color, Game, Position};
use serde_json::Value;

use crate::console::say;
use crate::stack::Endpoints;

/// What to show.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Args {
    /// A game with its moves, clocks and final position
    Game {
        /// The game's id
        id: String,
    },
    /// A player's newest games
    Player {
        /// The player's id
        id: String,
        /// How many games
        #[arg(long, default_value_t = 10)]
        limit: u32,
    },
}

/// Shows it.
///
/// # Errors
/// The API does not answer, or does not know the game.
pub(crate) async fn run(args: &Args, endpoints: &Endpoints) -> anyhow::Result<()> {
    match args {
        Args::Game { id } => game(&get(endpoints, &["games", id], &[]).await?),
        Args::Player { id, limit } => {
            let limit = limit.to_string();
            let page = get(endpoints, &["players", id, "games"], &[("limit", &limit)]).await?;
            player(id, &page);
        }
    }
    Ok(())
}

async fn get(
    endpoints: &Endpoints,
    path: &[&str],
    query: &[(&str, &str)],
) -> anyhow::Result<Value> {
    let mut url = reqwest::Url::parse(&endpoints.api)?;
    url.path_segments_mut()
        .ok()
        .context("the API's URL has no path")?
        .extend(["v1"].iter().chain(path));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let response = reqwest::get(url.clone()).await.with_context(|| {
        format!(
            "the query API does not answer at {}; `cargo dx run query-api` starts it",
            endpoints.api
        )
    })?;
    let status = response.status();
    let body: Value = response
        .json()
        .await
        .context("the query API's answer is not JSON")?;
    if !status.is_success() {
        bail!(
            "{url}: {status}: {}",
            body["detail"].as_str().unwrap_or_default()
        );
    }
    Ok(body)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn game(game: &Value) {
    let none = Vec::new();
    say(format_args!(
        "game {}  ({})",
        text(&game["id"]),
        text(&game["status"])
    ));
    for seat in game["players"].as_array().unwrap_or(&none) {
        let rating = match (&seat["rating"], &seat["rating_after"]) {
            (Value::Null, _) => String::new(),
            (before, Value::Null) => format!("  {before}"),
            (before, after) => format!("  {before} → {after}"),
        };
        say(format_args!(
            "  {:<6} {:<28} {:<5}{rating}",
            text(&seat["role"]),
            text(&seat["id"]),
            text(&seat["result"])
        ));
    }
    let opening = match (&game["opening"]["code"], &game["opening"]["name"]) {
        (Value::Null, _) => String::new(),
        (code, name) => format!(", {} {}", text(code), name.as_str().unwrap_or_default()),
    };
    say(format_args!(
        "  {}, {} moves, {} {} {}{opening}",
        text(&game["termination"]),
        game["move_count"],
        text(&game["mode"]),
        text(&game["variant"]),
        text(&game["time_control"]),
    ));
    say(format_args!(
        "  {} to {}",
        text(&game["started_at"]),
        text(&game["ended_at"])
    ));
    if let Some((moves, board)) = score(game) {
        say("");
        moves.iter().for_each(|line| say(format_args!("  {line}")));
        say("");
        board.iter().for_each(|line| say(format_args!("  {line}")));
    }
}

/// The moves in the notation of chess players, wrapped, and the final board; `None` when they are not chess.
fn score(game: &Value) -> Option<(Vec<String>, Vec<String>)> {
    let mut board = Game::new(game["start_position"].as_str()).ok()?;
    let mut words = Vec::new();
    for played in game["moves"].as_array()? {
        let position = board.position();
        let legal = position.parse_uci(played["move"].as_str()?).ok()?;
        let number = match position.turn() {
            Color::White => format!("{}. ", position.move_number()),
            Color::Black => String::new(),
        };
        let clock = played["clock_ms"]
            .as_u64()
            .map(|ms| format!(" [{}]", Clock::from_ms(ms)))
            .unwrap_or_default();
        words.push(format!("{number}{}{clock}", position.san(legal).ok()?));
        board.play(legal).ok()?;
    }
    Some((wrap(&words, 92), draw(board.position())))
}

fn wrap(words: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.clone()),
        }
    }
    lines
}

fn draw(position: &Position) -> Vec<String> {
    let fen = position.fen();
    let ranks = fen.split([' ', '/']).take(8).zip((1..=8).rev());
    let mut lines: Vec<String> = ranks
        .map(|(rank, number)| {
            let squares = rank.chars().flat_map(|c| match c.to_digit(10) {
                Some(empty) => vec!['·'; empty as usize],
                None => vec![piece(c)],
            });
            squares.fold(number.to_string(), |line, square| {
                format!("{line} {square}")
            })
        })
        .collect();
    lines.push("  a b c d e f g h".to_owned());
    lines
}

fn piece(letter: char) -> char {
    let pieces = [
        ('K', '♔'),
        ('Q', '♕'),
        ('R', '♖'),
        ('B', '♗'),
        ('N', '♘'),
        ('P', '♙'),
        ('k', '♚'),
        ('q', '♛'),
        ('r', '♜'),
        ('b', '♝'),
        ('n', '♞'),
        ('p', '♟'),
    ];
    pieces
        .iter()
        .find(|(known, _)| *known == letter)
        .map_or(letter, |(_, symbol)| *symbol)
}

fn player(id: &str, page: &Value) {
    let none = Vec::new();
    let games = page["data"].as_array().unwrap_or(&none);
    let more = if page["page"]["has_more"].as_bool() == Some(true) {
        " newest"
    } else {
        ""
    };
    say(format_args!("{id}: {}{more} games", games.len()));
    for game in games {
        let opponents: Vec<&str> = game["opponents"]
            .as_array()
            .unwrap_or(&none)
            .iter()
            .map(text)
            .collect();
        let change = match (game["rating"].as_i64(), game["rating_after"].as_i64()) {
            (Some(before), Some(after)) => format!("{before} {:+}", after - before),
            (Some(before), None) => before.to_string(),
            _ => String::new(),
        };
        say(format_args!(
            "  {}  {:<4} {:<5} vs {:<26} {:<10} {:<14} {:>3} moves  {}",
            game["ended_at"]
                .as_str()
                .and_then(|at| at.get(..16))
                .unwrap_or("-")
                .replace('T', " "),
            text(&game["result"]),
            text(&game["role"]),
            opponents.join(", "),
            change,
            text(&game["termination"]),
            game["move_count"],
            text(&game["game_id"]),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_drawn_with_white_below() {
        let lines = draw(&Position::start());
        assert_eq!(lines[0], "8 ♜ ♞ ♝ ♛ ♚ ♝ ♞ ♜");
        assert_eq!(lines[4], "4 · · · · · · · ·");
        assert_eq!(lines[7], "1 ♖ ♘ ♗ ♕ ♔ ♗ ♘ ♖");
    }

    #[test]
    fn moves_are_told_as_players_write_them() {
        let moves = serde_json::json!([{"move": "e2e4", "clock_ms": 178_900}, {"move": "g8f6"}]);
        let (lines, _) = score(&serde_json::json!({"moves": moves})).unwrap();
        assert_eq!(lines, ["1. e4 [0:02:58.9] Nf6"]);
    }

    #[test]
    fn moves_of_other_games_are_not_drawn() {
        assert!(score(&serde_json::json!({"moves": [{"move": "fold"}]})).is_none());
    }
}
