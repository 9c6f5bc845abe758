//! `POST /v1/games/batch`: many games by their ids.

use std::collections::HashSet;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::GameId;
use futures::StreamExt as _;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, FoundGame};

use super::get::{Whole, archived};
use crate::extract::{Params, Refusal};
use crate::problem;
use crate::state::AppState;
use crate::views::{BatchBody, BatchItem, BatchItemStatus, BatchView};

/// The most ids a request.
const MAX_IDS: usize = 300;
/// The most bytes a body: 300 ids of 100 characters of at most 12 bytes each (`\u` escapes), and what stands between them.
const MAX_BODY: usize = 512 * 1024;

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
    let ids = ids(&body(&request, payload).await?)?;
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
        FoundGame::Live(snapshot) => Ok(Whole::Live(snapshot)),
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

/// The body, bounded and of the right media type.
async fn body(request: &HttpRequest, mut payload: web::Payload) -> Result<Vec<u8>, Problem> {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let media_type = media_type.map(|value| value.split(';').next().unwrap_or_default().trim());
    if !media_type.is_some_and(|value| value.eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(
            actix_web::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body's media type is not supported",
        )
        .with_detail("the body has to be application/json"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| problem::invalid_body(error.to_string()))?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(problem::body_too_large(MAX_BODY));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The ids of the body, each of which can be one and is given once.
fn ids(body: &[u8]) -> Result<Vec<GameId>, Problem> {
    let body: BatchBody = serde_json::from_slice(body)
        .map_err(|error| problem::invalid_body(format!("the body can't be read: {error}")))?;
    if !(1..=MAX_IDS).contains(&body.ids.len()) {
        let detail = format!("must be 1 to {MAX_IDS}, and are {}", body.ids.len());
        let fault = Refusal::new("out-of-range", detail).of("ids");
        return Err(Problem::invalid_parameters(vec![fault]));
    }
    let (mut ids, mut faults, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (place, text) in body.ids.iter().enumerate() {
        let refusal = match GameId::parse(text) {
            Ok(_) if !seen.insert(text.as_str()) => Refusal::new("repeated", "must be given once"),
            Ok(id) => {
                ids.push(id);
                continue;
            }
            Err(error) => error.into(),
        };
        faults.push(refusal.of(&format!("ids[{place}]")));
    }
    match faults.is_empty() {
        true => Ok(ids),
        false => {
            faults.truncate(20);
            Err(Problem::invalid_parameters(faults))
        }
    }
}
