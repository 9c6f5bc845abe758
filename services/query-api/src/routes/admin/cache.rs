//! `POST /v1/admin/cache/invalidate`: forget games that are kept in memory.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use service::Problem;
use service::http::ProblemBody;

use super::audited;
use crate::extract::{self, Params};
use crate::problem;
use crate::state::AppState;
use crate::views::{ForgetBody, ForgottenView};

/// Forget games that are kept in memory
///
/// This process forgets these games, or all, and reads them anew when they are asked for. Without it, a correction is seen after
/// `cache.fresh_for`. Every replica has a memory of its own.
#[utoipa::path(
    post,
    path = "/v1/admin/cache/invalidate",
    operation_id = "invalidateCache",
    tag = "operations",
    request_body(content = ForgetBody, content_type = "application/json"),
    responses(
        (status = 200, description = "They are forgotten", body = ForgottenView),
        (status = 400, description = "`invalid-body`: not such an object, or neither or both of `ids` and `all`; `invalid-parameter`: ids that can't be", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`payload-too-large`: the body has more than 524,288 bytes", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`: the body is not `application/json`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`timeout`: try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn invalidate(
    request: HttpRequest,
    state: web::Data<AppState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    Params::of(&request).finish()?;
    let body: ForgetBody = extract::json_body(&request, payload).await?;
    let (forgotten, detail) = match (&body.ids, body.all) {
        (Some(ids), false) => {
            let ids = extract::ids(ids)?;
            let mut forgotten = 0;
            for id in &ids {
                forgotten += u64::from(state.games.forget(id).await);
            }
            (forgotten, format!("{} games named", ids.len()))
        }
        (None, true) => (state.games.forget_all().await, "all games".to_owned()),
        _ => return Err(problem::invalid_body("give either `ids` or `all`: true")),
    };
    audited(
        &request,
        "cache.invalidate",
        &format!("{detail}, {forgotten} forgotten"),
    );
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(ForgottenView { forgotten }))
}
