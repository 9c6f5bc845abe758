//! From a game to text: the seven-tag roster first, movetext in lines of 80 columns, clocks as `[%clk …]`.

use std::fmt::Write as _;

use super::PgnGame;
use crate::{Color, Position, ReplayError};

/// The tags every game has, in PGN's order, with what stands for "not known".
const ROSTER: [(&str, &str); 7] = [
    ("Event", "?"),
    ("Site", "?"),
    ("Date", "????.??.??"),
    ("Round", "?"),
    ("White", "?"),
    ("Black", "?"),
    ("Result", "*"),
];

/// The longest line of movetext, in characters.
const MAX_COLUMNS: usize = 80;

/// Writes a game, a blank line after it.
///
/// `Result`, `SetUp` and `FEN` are written from the game itself, whatever its tags say.
///
/// # Errors
/// [`ReplayError`] when a move is not legal or the start is no position.
pub fn write(game: &PgnGame) -> Result<String, ReplayError> {
    let mut text = String::new();
    write_tags(game, &mut text);
    text.push('\n');
    let mut line = Line::default();
    let mut position = game
        .start_fen
        .as_deref()
        .map_or_else(|| Ok(Position::start()), Position::from_fen)?;
    let mut numbered = false;
    for (index, mv) in game.moves.iter().enumerate() {
        let number = position.move_number();
        match (position.turn(), numbered) {
            (Color::White, _) => line.push(&mut text, &format!("{number}.")),
            (Color::Black, false) => line.push(&mut text, &format!("{number}...")),
            (Color::Black, true) => {}
        }
        let illegal = |source| ReplayError::Move {
            ply: index + 1,
            text: mv.uci.to_string(),
            source,
        };
        let legal = position.parse_uci(mv.uci.as_str()).map_err(illegal)?;
        line.push(&mut text, &position.san(legal).map_err(illegal)?);
        // A comment separates Black's move from the number before White's.
        numbered = mv.clock.is_none();
        if let Some(clock) = mv.clock {
            line.push(&mut text, &format!("{{[%clk {clock}]}}"));
        }
        position.play(legal).map_err(illegal)?;
    }
    line.push(&mut text, game.result.as_str());
    text.push_str("\n\n");
    Ok(text)
}

fn write_tags(game: &PgnGame, text: &mut String) {
    for (name, unknown) in ROSTER {
        let value = match name {
            "Result" => game.result.as_str(),
            _ => game.tags.get(name).unwrap_or(unknown),
        };
        write_tag(name, value, text);
    }
    if let Some(fen) = &game.start_fen {
        write_tag("SetUp", "1", text);
        write_tag("FEN", fen, text);
    }
    let written = ROSTER.map(|(name, _)| name);
    for (name, value) in game.tags.iter() {
        let again = written
            .iter()
            .chain(&["SetUp", "FEN"])
            .any(|known| known.eq_ignore_ascii_case(name));
        if !again {
            write_tag(name, value, text);
        }
    }
}

fn write_tag(name: &str, value: &str, text: &mut String) {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            _ if c.is_control() => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    // Writing to a string can't fail.
    let _infallible = writeln!(text, "[{name} \"{escaped}\"]");
}

/// The line of movetext being filled.
#[derive(Default)]
struct Line {
    columns: usize,
}

impl Line {
    fn push(&mut self, text: &mut String, word: &str) {
        if self.columns == 0 {
            self.columns = word.len();
        } else if self.columns + 1 + word.len() > MAX_COLUMNS {
            text.push('\n');
            self.columns = word.len();
        } else {
            text.push(' ');
            self.columns += 1 + word.len();
        }
        text.push_str(word);
    }
}
