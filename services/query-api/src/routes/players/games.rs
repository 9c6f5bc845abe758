//! `GET /v1/players/{id}/games`: a player's games, newest first.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, PlayerGame};

use crate::extract::{
    self, GameFilterParams, PageParams, PageRequest, Params, game_filter, player_id, player_walk,
};
use crate::problem;
use crate::state::AppState;
use crate::views::{Page, PageInfo, PlayerGameView, PlayerGamesPage};

/// A player's games
///
/// Newest first, by the time they ended. Follow `page.next` (or the `Link` header) with the same filters until it is null: a walk
/// neither skips nor repeats a game that was there when it began. A player nobody has heard of has an empty list, for players
/// are not registered here.
#[utoipa::path(
    get,
    path = "/v1/players/{id}/games",
    operation_id = "listPlayerGames",
    tag = "players",
    params(
        ("id" = String, Path, description = "The platform's id of the player, percent-encoded", min_length = 1, max_length = 100, example = "magnus"),
        GameFilterParams,
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of the player's games", body = PlayerGamesPage, headers(
            ("Link" = Option<String>, description = "`<…>; rel=\"next\"` when there is a next page"),
        )),
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
    let filter = game_filter(&mut params);
    let limit = extract::limit(&mut params);
    let cursor = extract::cursor(&mut params);
    params.finish()?;
    // A refused id has ended the request above.
    let player = player.ok_or_else(Problem::unknown_route)?;
    let walk = player_walk(&player, &filter);
    let page = PageRequest::new(limit, cursor.as_deref(), &state.cursors, walk)?;

    let as_of = Utc::now();
    let mut rows = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        // One more than asked for tells whether there is a next page.
        let (after, wanted) = (page.after.as_ref(), page.limit + 1);
        read::player_games(&mut connection, &player, &filter, after, wanted, as_of)
            .await
            .map_err(problem::of_store)?
    };
    let has_more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let last = rows.last().filter(|_| has_more).map(PlayerGame::place);
    let last = last.transpose().map_err(problem::of_store)?;
    let next = last.map(|place| state.cursors.write(walk, &place));

    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if let Some(next) = &next {
        let link = extract::next_page(&request, next);
        response.insert_header((header::LINK, format!("<{link}>; rel=\"next\"")));
    }
    Ok(response.json(Page {
        data: rows.into_iter().map(PlayerGameView::from).collect(),
        page: PageInfo {
            next,
            has_more,
            as_of,
        },
    }))
}
