//! A game as PGN: what other chess programs read.

use chess::pgn::{PgnGame, PgnMove, PgnResult, Tags};
use chess::{Clock, UciMove};
use domain::{FinishedGame, FinishedPlayer, Move};
use service::Problem;

use super::game::{has_known_rules, unpack};

/// Why a game has no PGN.
pub(crate) type NoPgn = &'static str;

/// The game as PGN, a blank line after it; or why there is none.
pub(crate) fn pgn(game: &FinishedGame) -> Result<Result<String, NoPgn>, Problem> {
    if !has_known_rules(&game.created) {
        return Ok(Err("PGN is written for chess by the usual rules"));
    }
    let seat = |role: &str| {
        game.players
            .iter()
            .find(|player| player.role.as_str() == role)
    };
    let (Some(white), Some(black)) = (seat("white"), seat("black")) else {
        return Ok(Err("PGN needs a white and a black player"));
    };
    let moves = unpack(&game.moves, game.started_at)?;
    let contiguous = (1_u32..).zip(&moves).all(|(ply, m)| m.ply == ply);
    if !contiguous {
        return Ok(Err("PGN can't leave out moves, and some are missing"));
    }
    let Some(moves) = moves.iter().map(pgn_move).collect::<Option<Vec<_>>>() else {
        return Ok(Err("a move is not one of chess"));
    };
    let written = chess::pgn::write(&PgnGame {
        tags: tags(game, white, black),
        start_fen: game
            .created
            .start_position
            .as_ref()
            .map(ToString::to_string),
        moves,
        result: result(game, white),
    });
    Ok(written.map_err(|_illegal| "a move is not legal"))
}

fn pgn_move(mv: &Move) -> Option<PgnMove> {
    Some(PgnMove {
        uci: UciMove::parse(&mv.text)?,
        clock: mv.clock_ms.map(Clock::from_ms),
    })
}

fn result(game: &FinishedGame, white: &FinishedPlayer) -> PgnResult {
    match (&game.winner, game.drawn) {
        (Some(winner), _) if *winner == white.id => PgnResult::WhiteWins,
        (Some(_), _) => PgnResult::BlackWins,
        (None, true) => PgnResult::Draw,
        (None, false) => PgnResult::Unknown,
    }
}

fn tags(game: &FinishedGame, white: &FinishedPlayer, black: &FinishedPlayer) -> Tags {
    let created = &game.created;
    let (began, ended) = (game.started_at.to_datetime(), game.ended_at.to_datetime());
    let mut tags = Tags::default();
    let mut push = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            tags.push(name, value);
        }
    };
    let text = |value: &Option<domain::ShortText>| value.as_ref().map(ToString::to_string);
    let rating = |player: &FinishedPlayer| player.rating.map(|rating| rating.to_string());
    let change = |player: &FinishedPlayer| {
        let change = i64::from(player.rating_after?) - i64::from(player.rating?);
        Some(format!("{change:+}"))
    };
    let day = "%Y.%m.%d";
    let time = "%H:%M:%S";
    push("Event", text(&created.tournament));
    push("Site", text(&created.platform));
    push("Date", Some(began.format(day).to_string()));
    push("White", Some(white.id.to_string()));
    push("Black", Some(black.id.to_string()));
    push("Tournament", text(&created.tournament));
    push("UTCDate", Some(began.format(day).to_string()));
    push("UTCTime", Some(began.format(time).to_string()));
    push("EndDate", Some(ended.format(day).to_string()));
    push("EndTime", Some(ended.format(time).to_string()));
    push("WhiteElo", rating(white));
    push("BlackElo", rating(black));
    push("WhiteRatingDiff", change(white));
    push("BlackRatingDiff", change(black));
    push("TimeControl", text(&created.time_control));
    push(
        "ECO",
        game.opening
            .as_ref()
            .map(|opening| opening.code.to_string()),
    );
    push(
        "Opening",
        game.opening
            .as_ref()
            .and_then(|opening| opening.name.as_ref())
            .map(ToString::to_string),
    );
    push("Termination", Some(game.termination.to_string()));
    let rated = match created.mode.as_str() {
        "rated" => Some("true"),
        "casual" => Some("false"),
        _ => None,
    };
    push("Rated", rated.map(str::to_owned));
    push(
        "Variant",
        (created.variant.as_str() == "from_position").then(|| "From Position".to_owned()),
    );
    push("GameId", Some(game.id.to_string()));
    tags
}
