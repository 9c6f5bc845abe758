//! The answers as they go over the wire. The domain's types never do: their encodings serve storage and may change with it.

mod batch;
mod csv;
mod forget;
mod game;
mod page;
mod pgn;
mod player_game;
mod position;
mod ratings;
mod stats;
mod summary;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::Opening;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub(crate) use batch::{BatchBody, BatchItemStatus, BatchView};
pub(crate) use csv::{CSV_HEADER, csv};
pub(crate) use forget::{ForgetBody, ForgottenView};
pub(crate) use game::{GameView, finished, in_progress};
pub(crate) use page::{GamesPage, Items, OpponentsPage, PageInfo, PlayerGamesPage, RatingsPage};
pub(crate) use pgn::pgn;
pub(crate) use player_game::PlayerGameView;
pub(crate) use position::{PositionView, position};
pub(crate) use ratings::{RatingDayView, RatingPointView};
pub(crate) use stats::{
    CountView, HeadToHeadView, OpponentView, PlayerView, StatsGroupView, StatsView, rating_view,
};
pub(crate) use summary::GameSummaryView;

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
