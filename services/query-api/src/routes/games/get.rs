//! `GET /v1/games/{id}`: one game with all its moves.

use actix_web::{HttpRequest, HttpResponse, web};
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, FoundGame};

use crate::conditional::{self, Validity};
use crate::extract::{Params, game_id};
use crate::problem;
use crate::state::AppState;
use crate::views::{self, GameView};

/// A finished game may be kept for a while: a correction changes its tag, and is rare.
const FINISHED: &str = "public, max-age=300, stale-while-revalidate=86400";
/// A game in progress may be kept and must be asked for again.
const IN_PROGRESS: &str = "no-cache";

/// A game
///
/// A finished game with all its moves, or a game in progress as of its last snapshot (`status`, `as_of`). A finished game has a
/// strong `ETag`; send it as `If-None-Match` and the answer is 304 until the game is corrected.
#[utoipa::path(
    get,
    path = "/v1/games/{id}",
    operation_id = "getGame",
    tag = "games",
    params(("id" = String, Path, description = "The platform's id of the game, percent-encoded", min_length = 1, max_length = 100, example = "q7ZvsdUF")),
    responses(
        (status = 200, description = "The game", body = GameView, headers(
            ("ETag" = String, description = "Changes whenever the answer does"),
            ("Last-Modified" = Option<String>, description = "When the finished game was written"),
            ("Cache-Control" = String, description = "`public, max-age=300, stale-while-revalidate=86400` when finished, else `no-cache`"),
        )),
        (status = 304, description = "The game is the one that the request's `If-None-Match` or `If-Modified-Since` knows"),
        (status = 400, description = "`invalid-parameter`: the id can't be one, or there are parameters in the query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`game-not-found`: nobody knows this game", body = ProblemBody, content_type = "application/problem+json"),
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
    params.finish()?;
    // A refused id has ended the request above.
    let id = id.ok_or_else(problem::game_not_found)?;

    let found = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        read::game(&mut connection, &id)
            .await
            .map_err(problem::of_store)?
    };
    match found {
        FoundGame::Finished(stored) => {
            let validity = Validity {
                version: stored.revision.to_string(),
                cache_control: FINISHED,
                last_modified: Some(stored.written_at),
            };
            conditional::json(&request, &views::finished(&stored)?, &validity)
        }
        FoundGame::Live(snapshot) => {
            let validity = Validity {
                version: "live".to_owned(),
                cache_control: IN_PROGRESS,
                last_modified: None,
            };
            let view = views::in_progress(id.as_str(), &snapshot)?;
            conditional::json(&request, &view, &validity)
        }
        FoundGame::Gone { ended_at } => Err(problem::game_gone(ended_at)),
        FoundGame::Unknown => Err(problem::game_not_found()),
    }
}
