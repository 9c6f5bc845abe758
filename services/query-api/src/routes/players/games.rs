//! `GET /v1/players/{id}/games`: a player's games.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, PlayerGame};

use crate::extract::{self, ListParams, PageParams, Params, PlayerFilterParams, player_id};
use crate::problem;
use crate::routes::listing::{Asked, ReadPage};
use crate::state::AppState;
use crate::views::{PlayerGameView, PlayerGamesPage};

/// A player's games
///
/// Newest first, by the time they ended. Follow `page.next` (or the `Link` header) with the same filters until it is null;
/// `page.prev` leads back. A walk neither skips nor repeats a game that was there when it began. A player nobody has heard of has an
/// empty list, for players are not registered here.
#[utoipa::path(
    get,
    path = "/v1/players/{id}/games",
    operation_id = "listPlayerGames",
    tag = "players",
    params(
        ("id" = String, Path, description = "The platform's id of the player, percent-encoded", min_length = 1, max_length = 100, example = "magnus"),
        PlayerFilterParams,
        ListParams,
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of the player's games; with `fields`, each has these alone", body = PlayerGamesPage, headers(
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
    let asked = Asked::take(&mut params, &mut list, &PlayerGameView::FIELDS);
    params.finish()?;
    let page = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        asked.until(&mut connection, &mut list).await?;
        let walk = extract::walk("player-games", &list);
        let page = asked.page(&state, walk)?;
        let (from, as_of) = (page.from.as_ref(), Utc::now());
        let found = read::player_games(&mut connection, &list, from, page.limit, as_of)
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
    page.answer(&request, &state, &asked.fields, PlayerGame::place, |row| {
        Ok(PlayerGameView::from(row))
    })
}
