//! A page of a list.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service::Problem;
use utoipa::ToSchema;

use super::{
    GameSummaryView, OpponentView, PlayerGameView, RatingDayView, RatingPointView, timestamp,
};

/// `{"data":[…`: the items of an answer, each written as JSON where it is sent from.
#[derive(Debug)]
pub(crate) struct Items {
    json: Vec<u8>,
    empty: bool,
}

impl Items {
    /// None yet.
    pub(crate) fn new() -> Self {
        // A page of 50 games has 20 kB.
        let mut json = Vec::with_capacity(32 * 1024);
        json.extend_from_slice(b"{\"data\":[");
        Self { json, empty: true }
    }

    /// Adds one.
    pub(crate) fn push(&mut self, item: &impl Serialize) -> Result<(), Problem> {
        serde_json::to_writer(self.next(), item).map_err(Problem::internal)
    }

    /// Where the next one has to be written.
    pub(crate) fn next(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.json.push(b',');
        }
        &mut self.json
    }

    /// What is written so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.json
    }

    /// The answer: the items and nothing else.
    pub(crate) fn end(mut self) -> Bytes {
        self.json.extend_from_slice(b"]}");
        self.json.into()
    }

    /// The answer: the items, and where they stand in their list.
    pub(crate) fn page(mut self, page: &PageInfo) -> Result<Bytes, Problem> {
        self.json.extend_from_slice(b"],\"page\":");
        serde_json::to_writer(&mut self.json, page).map_err(Problem::internal)?;
        self.json.push(b'}');
        Ok(self.json.into())
    }
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

/// A page of a player's games: the shape of the answer for the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlayerGamesPage {
    /// The games.
    data: Vec<PlayerGameView>,
    /// Where the page stands in the list.
    page: PageInfo,
}

/// A page of everybody's games: the shape of the answer for the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GamesPage {
    /// The games.
    data: Vec<GameSummaryView>,
    /// Where the page stands in the list.
    page: PageInfo,
}

/// A page of a player's ratings: the shape of the answer for the document.
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

/// A page of a player's opponents: the shape of the answer for the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpponentsPage {
    /// The opponents.
    data: Vec<OpponentView>,
    /// Where the page stands in the list.
    page: PageInfo,
}
