//! `GET /v1/players/{id}`: a player in a few numbers.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use serde_json::json;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, GameList, Grouping, Order, Perspective, PlayerPerspective, Scope};

use crate::conditional::{self, Validity};
use crate::extract::{Params, player_id};
use crate::problem;
use crate::routes::listing::LIST;
use crate::state::AppState;
use crate::views::{PlayerView, StatsGroupView, rating_view};

/// A player
///
/// All finished games of a player in numbers, and the latest rating of each kind of game among the newest 10,000.
#[utoipa::path(
    get,
    path = "/v1/players/{id}",
    operation_id = "getPlayer",
    tag = "players",
    params(
        ("id" = String, Path, description = "The platform's id of the player, percent-encoded", min_length = 1, max_length = 100, example = "magnus"),
    ),
    responses(
        (status = 200, description = "The player", body = PlayerView, headers(
            ("ETag" = String, description = "Changes whenever the answer does, but for its `as_of`"),
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
        )),
        (status = 304, description = "The answer is the one that the request's `If-None-Match` knows"),
        (status = 400, description = "`invalid-parameter`: a parameter is unknown, repeated or impossible", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`player-not-found`: nobody of this id has finished a game", body = ProblemBody, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `timeout`: try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request);
    let player = params.path("id", player_id(&request));
    params.finish()?;
    // A refused id has ended the request above.
    let player = player.ok_or_else(problem::player_not_found)?;
    let id = player.to_string();
    let mut list = GameList::of(Scope::Player(player));
    list.order = Order::OldestFirst;
    let as_of = Utc::now();
    let (total, ratings, headers) = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        let whole = Grouping {
            limit: 1,
            ..Grouping::default()
        };
        let total = read::stats(&mut connection, &list, &whole)
            .await
            .map_err(problem::of_store)?;
        list.order = Order::NewestFirst;
        list.filter.of = Perspective::Player(PlayerPerspective {
            has_rating: true,
            ..PlayerPerspective::default()
        });
        let ratings = read::latest_ratings(&mut connection, &list)
            .await
            .map_err(problem::of_store)?;
        let headers = state.freshness.headers(&mut connection).await;
        (total, ratings, headers)
    };
    let total = total.into_iter().next();
    let total = total.ok_or_else(problem::player_not_found)?;
    let view = PlayerView {
        id,
        total: StatsGroupView::new(total, &[]),
        ratings: ratings.into_iter().map(rating_view).collect(),
        as_of,
    };
    let validity = Validity {
        version: "player".to_owned(),
        cache_control: LIST,
        last_modified: None,
        headers,
    };
    let basis = json!([view.total, view.ratings]);
    conditional::json_by(&request, &view, &basis, &validity)
}
