//! The API's own problems, and what failures of the store look like from outside.

use actix_web::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use service::Problem;
use service::http::FieldFault;
use store::StoreError;

use crate::cold::ColdStoreError;
use crate::cursor::CursorError;

/// 404: nobody knows this game.
pub(crate) fn game_not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "game-not-found",
        "There is no such game",
    )
    .with_detail("no game of this id has reached the history")
}

/// 410: the game ended at this time and is no longer kept.
pub(crate) fn game_gone(ended_at: DateTime<Utc>) -> Problem {
    let ended_at = ended_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    Problem::new(
        StatusCode::GONE,
        "past-retention",
        "The game is no longer kept",
    )
    .with_detail(format!(
        "it ended at {ended_at}, longer ago than games are kept here"
    ))
}

/// 404: nobody of this id has finished a game.
pub(crate) fn player_not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "player-not-found",
        "There is no such player",
    )
    .with_detail("nobody of this id has finished a game; players exist by playing")
}

/// 404: the game has no such ply.
pub(crate) fn ply_not_found(plies: usize) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "ply-not-found",
        "The game has no such ply",
    )
    .with_detail(format!("the game has the plies 0 to {plies}"))
}

/// 406: there is no such form of this game.
pub(crate) fn not_acceptable(reason: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "not-acceptable",
        "The game can't be had in this form",
    )
    .with_detail(format!(
        "{reason}; it can be had as application/json, by `format=json` or by `Accept`"
    ))
}

/// 400: the body is not what the route takes.
pub(crate) fn invalid_body(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-body",
        "The body is invalid",
    )
    .with_detail(detail)
}

/// 413: the body is longer than the route takes.
pub(crate) fn body_too_large(most: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "payload-too-large",
        "The request is too large",
    )
    .with_detail(format!("a body has at most {most} bytes"))
}

/// 503 when the archive does not answer, 500 when what it has is damaged. The cause is for the log.
pub(crate) fn of_cold_store(error: ColdStoreError) -> Problem {
    if error.is_damage() {
        return Problem::internal(error);
    }
    Problem::unavailable(error).with_detail("the game is in the archive, which does not answer now")
}

/// 400: the cursor is broken, or belongs to another walk.
pub(crate) fn cursor(error: CursorError) -> Problem {
    let (code, title) = match error {
        CursorError::Invalid => ("invalid-cursor", "The cursor can't be read"),
        CursorError::OtherWalk => (
            "cursor-mismatch",
            "The cursor belongs to a list with other filters",
        ),
    };
    Problem::new(StatusCode::BAD_REQUEST, code, title)
        .with_detail(format!("cursor {error}"))
        .with_errors(vec![FieldFault {
            parameter: "cursor".to_owned(),
            code,
            detail: error.to_string(),
        }])
}

/// 503 when the database did not answer, 500 when it answered something that should not be. The cause is for the log.
pub(crate) fn of_store(error: StoreError) -> Problem {
    let timed_out = match &error {
        StoreError::Query { source, .. } => source.to_string().contains("statement timeout"),
        _ => false,
    };
    if error.is_connection() || timed_out {
        Problem::unavailable(error)
    } else {
        Problem::internal(error)
    }
}
