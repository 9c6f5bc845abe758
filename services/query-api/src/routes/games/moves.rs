//! `GET /v1/games/{id}/moves`: a game as it stood after one of its plies.

use actix_web::{HttpRequest, HttpResponse, web};
use service::Problem;
use service::http::ProblemBody;

use super::get::{Whole, find};
use crate::conditional;
use crate::extract::{Params, game_id, number};
use crate::problem;
use crate::state::AppState;
use crate::views::{self, PositionView};

/// A game as it stood
///
/// The moves up to a ply, the position after it, and each player's clock then.
#[utoipa::path(
    get,
    path = "/v1/games/{id}/moves",
    operation_id = "getMoves",
    tag = "games",
    params(
        ("id" = String, Path, description = "The platform's id of the game, percent-encoded", min_length = 1, max_length = 100, example = "q7ZvsdUF"),
        ("at" = Option<u32>, Query, description = "After which ply; 0 is before the first move. Without it, after the last one.", minimum = 0, maximum = 1_000_000, example = 12),
    ),
    responses(
        (status = 200, description = "The game after that ply", body = PositionView, headers(
            ("ETag" = String, description = "Changes whenever the answer does"),
            ("Cache-Control" = String, description = "`public, max-age=300, stale-while-revalidate=86400` when finished, else `no-cache`"),
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
        )),
        (status = 304, description = "The answer is the one that the request's `If-None-Match` or `If-Modified-Since` knows"),
        (status = 400, description = "`invalid-parameter`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`game-not-found`: nobody knows this game; `ply-not-found`: it has no such ply", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "`past-retention`: the game is known and no longer kept", body = ProblemBody, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `timeout`: try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request);
    let id = params.path("id", game_id(&request));
    let at = params.take("at", |text| number(text, 0, 1_000_000));
    params.finish()?;
    // A refused id has ended the request above.
    let id = id.ok_or_else(problem::game_not_found)?;
    let at = at.and_then(|at| usize::try_from(at).ok());
    let (found, headers) = find(&state, &id).await?;
    let (created, moves) = match &found {
        Whole::Finished { game, .. } => {
            let moves = game.moves.unpack(game.started_at);
            (game.created.clone(), moves.map_err(Problem::internal)?)
        }
        Whole::Live(snapshot) => {
            let live = &snapshot.game;
            let moves = live.moves().unpack(live.started_at());
            let created = live.created().map_err(Problem::internal)?;
            (created, moves.map_err(Problem::internal)?)
        }
    };
    let plies = moves.last().map_or(0, |last| last.ply as usize);
    let view = views::position(id.as_str(), &created, &moves, at)?
        .ok_or_else(|| problem::ply_not_found(plies))?;
    conditional::json(&request, &view, &found.validity(headers))
}
