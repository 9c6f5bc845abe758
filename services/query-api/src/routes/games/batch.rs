//! `POST /v1/games/batch`: many games by their ids.

use std::collections::HashMap;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use domain::GameId;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, FoundGame};

use super::get::{Whole, archived};
use crate::cache::{self, Kept};
use crate::extract::{self, Params};
use crate::problem;
use crate::state::AppState;
use crate::views::{BatchBody, BatchItemStatus, BatchView, Items};

/// Many games
///
/// The games of up to 300 ids, in the order of the ids, each with its own `status`: an id that nobody knows fails no other.
#[utoipa::path(
    post,
    path = "/v1/games/batch",
    operation_id = "getGames",
    tag = "games",
    request_body(content = BatchBody, content_type = "application/json"),
    responses(
        (status = 200, description = "One item an id", body = BatchView, headers(
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
        )),
        (status = 400, description = "`invalid-body`: not such an object; `invalid-parameter`: too many ids, or one that can't be one or is given twice, named as `ids[n]`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`payload-too-large`: the body has more than 524,288 bytes", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`: the body is not `application/json`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `timeout`: try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post(
    request: HttpRequest,
    state: web::Data<AppState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    Params::of(&request).finish()?;
    let body: BatchBody = extract::json_body(&request, payload).await?;
    let ids = extract::ids(&body.ids)?;
    let (answers, headers) = answers(&state, &ids).await?;
    let mut items = Items::new();
    for (id, answer) in ids.iter().zip(answers) {
        answer.write(id, items.next())?;
    }
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_TYPE, "application/json"));
    for (name, value) in headers {
        response.insert_header((name, value));
    }
    Ok(response.body(items.end()))
}

/// What there is of a game, as JSON.
enum Answer {
    Game(Bytes),
    None(BatchItemStatus),
}

/// What there is of each game: those in memory from there, the others by one reading of them all.
async fn answers(
    state: &AppState,
    ids: &[GameId],
) -> Result<(Vec<Answer>, Vec<(HeaderName, String)>), Problem> {
    let (mut known, mut missed, mut unsure) = (HashMap::new(), Vec::new(), Vec::new());
    for id in ids {
        let kept = state.games.kept(id).await;
        if let Kept::Fresh(game) = &kept {
            cache::count("hit");
            known.insert(id, Answer::Game(game.answer.body.clone()));
            continue;
        }
        cache::count("miss");
        missed.push(id.clone());
        if let Kept::Unsure(game) = kept {
            unsure.push(game);
        }
    }
    let headers = match missed.is_empty() {
        true => state.freshness.headers_alone(&state.pool).await,
        false => {
            let read = read_all(state, &missed).await;
            let (found, headers) = read.inspect_err(|_| {
                unsure.iter().for_each(|game| state.games.unasked(game));
            })?;
            for (id, found) in missed.iter().zip(found) {
                known.insert(id, answer(state, id, found).await?);
            }
            headers
        }
    };
    let answers = ids.iter().filter_map(|id| known.remove(id)).collect();
    Ok((answers, headers))
}

async fn read_all(
    state: &AppState,
    ids: &[GameId],
) -> Result<(Vec<FoundGame>, Vec<(HeaderName, String)>), Problem> {
    let mut connection = state.pool.get().await.map_err(problem::of_store)?;
    let found = read::games(&mut connection, ids)
        .await
        .map_err(problem::of_store)?;
    Ok((found, state.freshness.headers(&mut connection).await))
}

async fn answer(state: &AppState, id: &GameId, found: FoundGame) -> Result<Answer, Problem> {
    let whole = match found {
        FoundGame::Finished(stored) => {
            let game = state.games.keep(id, *stored).await?;
            return Ok(Answer::Game(game.answer.body.clone()));
        }
        FoundGame::Live(snapshot) => Some(Whole::Live(snapshot.into())),
        FoundGame::Gone(departed) => archived(state, &departed).await?,
        FoundGame::Unknown => {
            state.games.forget(id).await;
            return Ok(Answer::None(BatchItemStatus::Missing));
        }
    };
    state.games.forget(id).await;
    let Some(whole) = whole else {
        return Ok(Answer::None(BatchItemStatus::Gone));
    };
    let json = serde_json::to_vec(&whole.view(id)?).map_err(Problem::internal)?;
    Ok(Answer::Game(json.into()))
}

impl Answer {
    /// Writes one item of the answer, as [`BatchView`] has it.
    fn write(&self, id: &GameId, json: &mut Vec<u8>) -> Result<(), Problem> {
        let (status, game) = match self {
            Self::Game(game) => (BatchItemStatus::Found, game.as_ref()),
            Self::None(status) => (*status, b"null".as_ref()),
        };
        json.extend_from_slice(b"{\"id\":");
        serde_json::to_writer(&mut *json, id.as_str()).map_err(Problem::internal)?;
        json.extend_from_slice(b",\"status\":");
        serde_json::to_writer(&mut *json, &status).map_err(Problem::internal)?;
        json.extend_from_slice(b",\"game\":");
        json.extend_from_slice(game);
        json.push(b'}');
        Ok(())
    }
}
