//! The API's own problems, and what failures of the store look like from outside.

use actix_web::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use service::Problem;
use service::http::FieldFault;
use store::StoreError;

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
