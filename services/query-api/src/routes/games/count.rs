//! `GET /v1/games/count`: how many games match.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use serde_json::json;
use service::Problem;
use service::http::ProblemBody;
use store::read;

use crate::conditional::{self, Validity};
use crate::extract::{self, FeedFilterParams, Params};
use crate::problem;
use crate::routes::listing::LIST;
use crate::state::AppState;
use crate::views::CountView;

/// How many games match
///
/// Looks at no more than 100,000 games (10,000 with `player`); beyond that `exact` is false and there are at least so many.
#[utoipa::path(
    get,
    path = "/v1/games/count",
    operation_id = "countGames",
    tag = "games",
    params(FeedFilterParams),
    responses(
        (status = 200, description = "The count", body = CountView, headers(
            ("ETag" = String, description = "Changes whenever the count does"),
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
        )),
        (status = 304, description = "The count is the one that the request's `If-None-Match` knows"),
        (status = 400, description = "`invalid-parameter`: a parameter is unknown, repeated or impossible", body = ProblemBody, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `timeout`: try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn count(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request);
    let list = extract::feed_list(&mut params);
    params.finish()?;
    let as_of = Utc::now();
    let (count, headers) = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        let count = read::count(&mut connection, &list)
            .await
            .map_err(problem::of_store)?;
        (count, state.freshness.headers(&mut connection).await)
    };
    let validity = Validity {
        version: "count".to_owned(),
        cache_control: LIST,
        last_modified: None,
        headers,
    };
    let basis = json!([count.games, count.exact]);
    conditional::json_by(&request, &CountView::new(count, as_of), &basis, &validity)
}
