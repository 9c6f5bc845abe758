//! `POST /v1/games/batch`: many games by their ids.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::GameId;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, FoundGame};

use super::get::{Whole, archived};
use crate::extract::{self, Params};
use crate::problem;
use crate::state::AppState;
use crate::views::{BatchBody, BatchItem, BatchItemStatus, BatchView};

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
    let (found, headers) = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        let found = read::games(&mut connection, &ids)
            .await
            .map_err(problem::of_store)?;
        (found, state.freshness.headers(&mut connection).await)
    };
    let mut data = Vec::with_capacity(ids.len());
    for (id, found) in ids.iter().zip(found) {
        data.push(item(&state, id, found).await?);
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    for (name, value) in headers {
        response.insert_header((name, value));
    }
    Ok(response.json(BatchView { data }))
}

async fn item(state: &AppState, id: &GameId, found: FoundGame) -> Result<BatchItem, Problem> {
    let whole = match found {
        FoundGame::Finished(stored) => Ok(Whole::of_stored(*stored)),
        FoundGame::Live(snapshot) => Ok(Whole::Live(snapshot.into())),
        FoundGame::Gone(departed) => archived(state, &departed)
            .await?
            .ok_or(BatchItemStatus::Gone),
        FoundGame::Unknown => Err(BatchItemStatus::Missing),
    };
    let (status, game) = match whole {
        Ok(whole) => (BatchItemStatus::Found, Some(whole.view(id)?)),
        Err(status) => (status, None),
    };
    Ok(BatchItem {
        id: id.to_string(),
        status,
        game,
    })
}
