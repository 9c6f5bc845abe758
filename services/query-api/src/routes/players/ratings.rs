//! `GET /v1/players/{id}/rating-history`: a player's rating, game by game or day by day.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use domain::GameId;
use service::Problem;
use service::http::ProblemBody;
use store::pool::PooledConnection;
use store::read::{self, Edge, GameList, Order, Perspective, Place, PlayerGame};

use crate::extract::{
    self, PageParams, PageRequest, Params, PlayerFilterParams, Refusal, player_id,
};
use crate::problem;
use crate::routes::listing::{ReadPage, respond};
use crate::state::AppState;
use crate::views::{Items, PageInfo, RatingDayView, RatingPointView, RatingsPage};

/// How fine the history is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
enum Resolution {
    #[default]
    Game,
    Day,
}

/// A player's ratings
///
/// The rating before and after each game that has one, or of each day in UTC its first, highest, lowest and last; the newest
/// first. Ratings of different kinds of games are different things: choose one by `mode`, `variant` or `time_control`.
#[utoipa::path(
    get,
    path = "/v1/players/{id}/rating-history",
    operation_id = "listPlayerRatings",
    tag = "players",
    params(
        ("id" = String, Path, description = "The platform's id of the player, percent-encoded", min_length = 1, max_length = 100, example = "magnus"),
        PlayerFilterParams,
        ("resolution" = inline(Option<Resolution>), Query, description = "One item a game, or one a day; `game` without it"),
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of ratings", body = RatingsPage, headers(
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
    let resolution = params.take("resolution", resolution).unwrap_or_default();
    let (limit, cursor) = (extract::limit(&mut params), extract::cursor(&mut params));
    params.finish()?;
    if let Perspective::Player(asked) = &mut list.filter.of {
        asked.has_rating = true;
    }
    match resolution {
        Resolution::Game => games(&request, &state, &list, limit, cursor.as_deref()).await,
        Resolution::Day => days(&request, &state, list, limit, cursor.as_deref()).await,
    }
}

fn resolution(text: &str) -> Result<Resolution, Refusal> {
    match text {
        "game" => Ok(Resolution::Game),
        "day" => Ok(Resolution::Day),
        _ => Err(Refusal::new("malformed", "must be game or day")),
    }
}

async fn games(
    request: &HttpRequest,
    state: &AppState,
    list: &GameList,
    limit: u32,
    cursor: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let walk = extract::walk("player-ratings", list);
    let page = PageRequest::new(limit, cursor, &state.cursors, walk)?;
    let read = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        let (from, as_of) = (page.from.as_ref(), Utc::now());
        let found = read::player_games(&mut connection, list, from, page.limit, as_of)
            .await
            .map_err(problem::of_store)?;
        ReadPage {
            found,
            from: page.from,
            walk,
            as_of,
            headers: state.freshness.headers(&mut connection).await,
        }
    };
    let fields = extract::Fields::all();
    read.answer(request, state, &fields, PlayerGame::place, |row| {
        Ok(RatingPointView::from(row))
    })
}

/// A page of days is walked forward only: its cursor holds the first instant that the next page lies before.
async fn days(
    request: &HttpRequest,
    state: &AppState,
    mut list: GameList,
    limit: u32,
    cursor: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let walk = extract::walk("player-rating-days", &list);
    let page = PageRequest::new(limit, cursor, &state.cursors, walk)?;
    let as_of = Utc::now();
    if let Some(from) = &page.from {
        before(&mut list, from.place.ended_at)?;
    }
    list.order = Order::OldestFirst;
    let mut connection: PooledConnection<'_> = state.pool.get().await.map_err(problem::of_store)?;
    // One more than asked for tells whether there is a next page.
    let mut rows = read::rating_days(&mut connection, &list, limit + 1)
        .await
        .map_err(problem::of_store)?;
    let headers = state.freshness.headers(&mut connection).await;
    drop(connection);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = match rows.last() {
        Some(last) if has_more => Some(Edge::behind(Place {
            ended_at: last.day,
            game_id: GameId::parse("day").map_err(Problem::internal)?,
        })),
        _ => None,
    };
    let mut items = Items::new();
    for row in rows {
        items.push(&RatingDayView::from(row))?;
    }
    let page = PageInfo {
        next: next.map(|edge| state.cursors.write(walk, &edge)),
        prev: None,
        has_more,
        as_of,
    };
    respond(request, items, &page, headers)
}

/// Ends the list before a time.
fn before(list: &mut GameList, time: DateTime<Utc>) -> Result<(), Problem> {
    // No id is less than a space: nothing that ended at the instant stands before it.
    let game_id = GameId::parse(" ").map_err(Problem::internal)?;
    list.until_place = Some(Place {
        ended_at: time,
        game_id,
    });
    Ok(())
}
