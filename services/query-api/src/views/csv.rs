//! A game as a line of CSV (RFC 4180).
//!
//! A text that a spreadsheet would take for a formula gets an apostrophe before it.

use std::fmt::Write as _;

use domain::FinishedGame;
use service::Problem;

use super::game::{finished_player, unpack};

/// The names of the columns.
pub(crate) const CSV_HEADER: &str = "game_id,started_at,ended_at,duration_ms,game,variant,mode,time_control,region,platform,tournament,\
start_position,result,winner,termination,opening_code,opening_name,move_count,incomplete,players,moves\r\n";

/// The game as one line; `players` is JSON, `moves` are joined by spaces.
pub(crate) fn csv(game: &FinishedGame) -> Result<String, Problem> {
    let created = &game.created;
    let moves = unpack(&game.moves, game.started_at)?;
    let moves: Vec<&str> = moves.iter().map(|m| &*m.text).collect();
    let players: Vec<_> = game.players.iter().map(finished_player).collect();
    let players = serde_json::to_string(&players).map_err(Problem::internal)?;
    let time = |time: domain::EventTime| {
        time.to_datetime()
            .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    let text = |value: &Option<domain::ShortText>| value.as_ref().map(ToString::to_string);
    let opening = game.opening.as_ref();
    let mut line = String::new();
    let cells = [
        Some(game.id.to_string()),
        Some(time(game.started_at)),
        Some(time(game.ended_at)),
        Some((game.ended_at.as_ms() - game.started_at.as_ms()).to_string()),
        Some(created.game.to_string()),
        Some(created.variant.to_string()),
        Some(created.mode.to_string()),
        text(&created.time_control),
        created.region.as_ref().map(ToString::to_string),
        text(&created.platform),
        text(&created.tournament),
        text(&created.start_position),
        Some(game.result().to_owned()),
        game.winner.as_ref().map(ToString::to_string),
        Some(game.termination.to_string()),
        opening.map(|opening| opening.code.to_string()),
        opening.and_then(|opening| text(&opening.name)),
        Some(game.move_count.to_string()),
        Some(game.incomplete.to_string()),
        Some(players),
        Some(moves.join(" ")),
    ];
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        write_cell(&mut line, cell.as_deref().unwrap_or_default());
    }
    line.push_str("\r\n");
    Ok(line)
}

fn write_cell(line: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '#']);
    let guard = if formula { "'" } else { "" };
    if formula || text.contains([',', '"', '\r', '\n']) {
        // Writing to a string can't fail.
        let _infallible = write!(line, "\"{guard}{}\"", text.replace('"', "\"\""));
    } else {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_and_never_a_formula() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("", ""),
        ] {
            let mut line = String::new();
            write_cell(&mut line, text);
            assert_eq!(line, expected);
        }
    }
}
