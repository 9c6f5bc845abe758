//! `GET /v1/players/{id}/opponents`: who a player played against.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use domain::GameId;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, Edge, Opponent, OpponentPlace, Order, Place};

use crate::extract::{
    self, PageParams, PageRequest, Params, PlayerFilterParams, number, player_id,
};
use crate::problem;
use crate::routes::listing::respond;
use crate::state::AppState;
use crate::views::{Items, OpponentView, OpponentsPage, PageInfo};

/// A player's opponents
///
/// Over the games that match, the most frequent first; of the same number of games by id. Counts change while games arrive: a walk
/// shows each page as it is when it is read.
#[utoipa::path(
    get,
    path = "/v1/players/{id}/opponents",
    operation_id = "listPlayerOpponents",
    tag = "players",
    params(
        ("id" = String, Path, description = "The platform's id of the player, percent-encoded", min_length = 1, max_length = 100, example = "magnus"),
        PlayerFilterParams,
        ("min_games" = Option<u32>, Query, description = "Only opponents of at least so many games", minimum = 1, maximum = 1_000_000, example = 2),
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of opponents", body = OpponentsPage, headers(
            ("Link" = Option<String>, description = "`<…>; rel=\"next\"` and `<…>; rel=\"prev\"`, where there are such pages"),
            ("ETag" = String, description = "Changes whenever the answer does, but for its `as_of`"),
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
        )),
        (status = 304, description = "The answer is the one that the request's `If-None-Match` knows"),
        (status = 400, description = "`invalid-parameter`: a parameter is unknown, repeated or impossible; `invalid-cursor`; `cursor-mismatch`: the cursor came with other filters", body = ProblemBody, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `timeout`: try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request);
    let player = params.path("id", player_id(&request));
    let mut list = extract::player_list(&mut params, player);
    let min_games = params.take("min_games", |text| number(text, 1, 1_000_000));
    let (limit, cursor) = (extract::limit(&mut params), extract::cursor(&mut params));
    params.finish()?;
    list.order = Order::OldestFirst;
    let min_games = u32::try_from(min_games.unwrap_or(1)).unwrap_or(u32::MAX);
    let walk = extract::walk(&format!("player-opponents {min_games}"), &list);
    let page = PageRequest::new(limit, cursor.as_deref(), &state.cursors, walk)?;
    let after = page.from.as_ref().map(|edge| OpponentPlace {
        games: edge.place.ended_at.timestamp_micros(),
        opponent: edge.place.game_id.to_string(),
    });
    let as_of = Utc::now();
    let (mut rows, headers) = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        // One more than asked for tells whether there is a next page.
        let wanted = page.limit + 1;
        let rows = read::opponents(&mut connection, &list, min_games, after.as_ref(), wanted)
            .await
            .map_err(problem::of_store)?;
        (rows, state.freshness.headers(&mut connection).await)
    };
    let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| has_more).map(edge).transpose()?;
    let mut items = Items::new();
    for row in rows {
        items.push(&OpponentView::from(row))?;
    }
    let page = PageInfo {
        next: next.map(|edge| state.cursors.write(walk, &edge)),
        prev: None,
        has_more,
        as_of,
    };
    respond(&request, items, &page, headers)
}

/// An opponent's place as a cursor holds it: the number of games where others have a time.
fn edge(row: &Opponent) -> Result<Edge, Problem> {
    let ended_at = DateTime::from_timestamp_micros(row.games);
    Ok(Edge::behind(Place {
        ended_at: ended_at.ok_or_else(|| Problem::internal("a count beyond all times"))?,
        game_id: GameId::parse(&row.opponent).map_err(Problem::internal)?,
    }))
}
