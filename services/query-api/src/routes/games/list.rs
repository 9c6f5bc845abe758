//! `GET /v1/games`: everybody's games.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, GameSummary};

use crate::extract::{self, FeedFilterParams, ListParams, PageParams, Params};
use crate::problem;
use crate::routes::listing::{Asked, ReadPage};
use crate::state::AppState;
use crate::views::{GameSummaryView, GamesPage};

/// All games
///
/// Every finished game, the newest first, without moves. Follow `page.next` (or the `Link` header) with the same filters until it is
/// null; `page.prev` leads back. A walk neither skips nor repeats a game that was there when it began.
#[utoipa::path(
    get,
    path = "/v1/games",
    operation_id = "listGames",
    tag = "games",
    params(FeedFilterParams, ListParams, PageParams),
    responses(
        (status = 200, description = "A page of games; with `fields`, each has these alone", body = GamesPage, headers(
            ("Link" = Option<String>, description = "`<…>; rel=\"next\"` and `<…>; rel=\"prev\"`, where there are such pages"),
            ("ETag" = String, description = "Changes whenever the page does, but for its `as_of`"),
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
        )),
        (status = 304, description = "The page is the one that the request's `If-None-Match` knows"),
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
    let mut list = extract::feed_list(&mut params);
    let asked = Asked::take(&mut params, &mut list, &GameSummaryView::FIELDS);
    params.finish()?;
    let page = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        asked.until(&mut connection, &mut list).await?;
        let walk = extract::walk("games", &list);
        let page = asked.page(&state, walk)?;
        let as_of = Utc::now();
        let found = read::feed(
            &mut connection,
            &list,
            page.from.as_ref(),
            page.limit,
            as_of,
        )
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
    page.answer(
        &request,
        &state,
        &asked.fields,
        GameSummary::place,
        GameSummaryView::new,
    )
}
