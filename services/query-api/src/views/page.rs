//! A page of a list.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{PlayerGameView, timestamp};

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    /// What is on it.
    pub(crate) data: Vec<T>,
    /// What comes after it.
    pub(crate) page: PageInfo,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Page)]
pub(crate) struct PageInfo {
    /// The cursor of the next page, null on the last one. Also in the `Link` header.
    #[schema(required, example = "AQAGQ2s0jWAA…")]
    pub(crate) next: Option<String>,
    /// Whether there is a next page.
    pub(crate) has_more: bool,
    /// When the page was read: it shows every game that had been written by then.
    #[serde(serialize_with = "timestamp")]
    pub(crate) as_of: DateTime<Utc>,
}

/// A page of a player's games: the shape of `Page<PlayerGameView>` for the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlayerGamesPage {
    /// The games, newest first.
    data: Vec<PlayerGameView>,
    /// Where the page stands in the list.
    page: PageInfo,
}
