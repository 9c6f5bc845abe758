//! The answers as they go over the wire. The domain's types never do: their encodings serve storage and may change with it.

mod game;
mod page;
mod player_game;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::Opening;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub(crate) use game::{GameView, finished, in_progress};
pub(crate) use page::{Page, PageInfo, PlayerGamesPage};
pub(crate) use player_game::PlayerGameView;

/// An opening.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Opening)]
pub(crate) struct OpeningView {
    /// Its code, such as one of the ECO.
    #[schema(example = "C42")]
    code: String,
    /// Its name, where known.
    #[schema(required, example = "Petrov's Defense")]
    name: Option<String>,
}

impl OpeningView {
    fn new(code: Option<String>, name: Option<String>) -> Option<Self> {
        code.map(|code| Self { code, name })
    }

    fn of(opening: &Opening) -> Self {
        Self {
            code: opening.code.to_string(),
            name: opening.name.as_ref().map(ToString::to_string),
        }
    }
}

/// Writes a time as RFC 3339 in UTC with milliseconds, always.
fn timestamp<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Like [`timestamp`], or null.
fn optional_timestamp<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => timestamp(time, serializer),
        None => serializer.serialize_none(),
    }
}
