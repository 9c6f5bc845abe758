//! A page of a list.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    GameSummaryView, OpponentView, PlayerGameView, RatingDayView, RatingPointView, timestamp,
};

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    /// What is on it, written as JSON already.
    pub(crate) data: Vec<Box<RawValue>>,
    /// What lies around it.
    pub(crate) page: PageInfo,
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Page)]
pub(crate) struct PageInfo {
    /// The cursor of the next page, null on the last one. Also in the `Link` header.
    #[schema(required, example = "AgAABkNrNI1gAA…")]
    pub(crate) next: Option<String>,
    /// The cursor of the page before, null on the first one. Also in the `Link` header.
    #[schema(required, example = "AgEABkNrNI1gAA…")]
    pub(crate) prev: Option<String>,
    /// Whether there is a next page. A page in the middle of a walk may have fewer items than `limit`, or none: it has looked
    /// at as many games as one page may.
    pub(crate) has_more: bool,
    /// When the page was read: it shows every game that had been written by then.
    #[serde(serialize_with = "timestamp")]
    pub(crate) as_of: DateTime<Utc>,
}

/// A page of a player's games: the shape of [`Page`] for the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlayerGamesPage {
    /// The games.
    data: Vec<PlayerGameView>,
    /// Where the page stands in the list.
    page: PageInfo,
}

/// A page of everybody's games: the shape of [`Page`] for the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GamesPage {
    /// The games.
    data: Vec<GameSummaryView>,
    /// Where the page stands in the list.
    page: PageInfo,
}

/// A page of a player's ratings: the shape of [`Page`] for the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatingsPage {
    /// The ratings: one a game, or one a day.
    data: Vec<RatingItem>,
    /// Where the page stands in the list.
    page: PageInfo,
}

/// A rating of a game or of a day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of an item, for the document")]
pub(crate) enum RatingItem {
    Game(RatingPointView),
    Day(RatingDayView),
}

/// A page of a player's opponents: the shape of [`Page`] for the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpponentsPage {
    /// The opponents.
    data: Vec<OpponentView>,
    /// Where the page stands in the list.
    page: PageInfo,
}
