//! What all lists have in common: the page that is asked for, its neighbours, and the answer.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use domain::GameId;
use serde::Serialize;
use service::Problem;
use store::pool::PooledConnection;
use store::read::{self, Edge, Found, GameList, Order, Place};

use crate::conditional::{self, Validity};
use crate::cursor::Walk;
use crate::extract::{self, Fields, PageRequest, Params, Refusal};
use crate::problem;
use crate::state::AppState;
use crate::views::{Items, PageInfo};

/// How lists may be kept: asked for again each time, and answered by 304 where nothing came.
pub(crate) const LIST: &str = "no-cache";

/// What a list is asked for beyond its filter.
pub(crate) struct Asked {
    pub(crate) limit: u32,
    pub(crate) cursor: Option<String>,
    pub(crate) until_id: Option<GameId>,
    pub(crate) fields: Fields,
}

impl Asked {
    /// Takes order, page and fields.
    pub(crate) fn take(params: &mut Params, list: &mut GameList, known: &[&str]) -> Self {
        list.order = extract::order(params, Order::NewestFirst);
        Self {
            until_id: extract::until_id(params),
            limit: extract::limit(params),
            cursor: extract::cursor(params),
            fields: extract::fields(params, known),
        }
    }

    /// Finds where the list ends, when it ends before a game.
    pub(crate) async fn until(
        &self,
        connection: &mut PooledConnection<'_>,
        list: &mut GameList,
    ) -> Result<(), Problem> {
        let Some(id) = &self.until_id else {
            return Ok(());
        };
        let place = read::place_of(connection, id)
            .await
            .map_err(problem::of_store)?;
        if place.is_none() {
            return Err(Problem::invalid_parameters(vec![
                Refusal::new("out-of-range", "must be a finished game of the history")
                    .of("until_id"),
            ]));
        }
        list.until_place = place;
        Ok(())
    }

    /// The page of this walk.
    pub(crate) fn page(&self, state: &AppState, walk: Walk) -> Result<PageRequest, Problem> {
        PageRequest::new(self.limit, self.cursor.as_deref(), &state.cursors, walk)
    }
}

/// A page that was read.
pub(crate) struct ReadPage<T> {
    pub(crate) found: Found<T>,
    pub(crate) from: Option<Edge>,
    pub(crate) walk: Walk,
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) headers: Vec<(header::HeaderName, String)>,
}

impl<T> ReadPage<T> {
    /// The edges of the pages behind this one and before it.
    fn neighbours(
        &self,
        place: impl Fn(&T) -> Result<Place, store::StoreError>,
    ) -> Result<(Option<Edge>, Option<Edge>), Problem> {
        let rows = &self.found.rows;
        let edge = |row: Option<&T>, backward: bool| -> Result<Option<Edge>, Problem> {
            let place = row.map(&place).transpose().map_err(problem::of_store)?;
            Ok(match (place, &self.from) {
                (Some(place), Some(_)) => Some(Edge {
                    place,
                    inclusive: false,
                    backward,
                }),
                // An empty page: back to where it began, and what it left out there.
                (None, Some(from)) => Some(Edge {
                    place: from.place.clone(),
                    inclusive: !from.inclusive,
                    backward,
                }),
                (_, None) => None,
            })
        };
        let more = self.found.more.clone();
        match self.from.as_ref().is_some_and(|from| from.backward) {
            false => Ok((more, edge(rows.first(), true)?)),
            true => Ok((edge(rows.last(), false)?, more)),
        }
    }

    /// The answer.
    pub(crate) fn answer<V: Serialize>(
        self,
        request: &HttpRequest,
        state: &AppState,
        fields: &Fields,
        place: impl Fn(&T) -> Result<Place, store::StoreError>,
        view: impl Fn(T) -> Result<V, Problem>,
    ) -> Result<HttpResponse, Problem> {
        let (next, prev) = self.neighbours(place)?;
        let cursor = |edge: Option<Edge>| edge.map(|edge| state.cursors.write(self.walk, &edge));
        let page = PageInfo {
            has_more: next.is_some(),
            next: cursor(next),
            prev: cursor(prev),
            as_of: self.as_of,
        };
        let mut items = Items::new();
        for row in self.found.rows {
            fields.put(&view(row)?, &mut items)?;
        }
        respond(request, items, &page, self.headers)
    }
}

/// Answers with a page: the tag is that of what does not change at every look.
pub(crate) fn respond(
    request: &HttpRequest,
    items: Items,
    page: &PageInfo,
    mut headers: Vec<(header::HeaderName, String)>,
) -> Result<HttpResponse, Problem> {
    let (next, prev) = (page.next.as_deref(), page.prev.as_deref());
    if let Some(links) = extract::links(request, next, prev) {
        headers.push((header::LINK, links));
    }
    // What a cursor is made of has no space in it.
    let neighbours = format!("{} {}", next.unwrap_or_default(), prev.unwrap_or_default());
    let digest = conditional::digest(&[items.as_bytes(), neighbours.as_bytes()]);
    let validity = Validity {
        version: "list".to_owned(),
        cache_control: LIST,
        last_modified: None,
        headers,
    };
    let body = items.page(page)?;
    let answer = conditional::ready(request, "application/json", body, &digest, &validity);
    Ok(answer)
}
