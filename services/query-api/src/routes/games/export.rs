//! `GET /v1/games/export`: everybody's games as a stream.

use actix_web::{HttpRequest, HttpResponse, web};
use service::Problem;
use service::http::ProblemBody;

use crate::extract::{self, ExportParams, FeedFilterParams, Params};
use crate::routes::exporting::{self, Order};
use crate::state::AppState;

/// All games as a stream
///
/// Every game that matches, without a cap, in the order they ended. A mark `resume` after each chunk has the `cursor` to resume
/// from; the mark `end`, which comes last, proves that nothing is missing: it has the number of games and a digest of all bytes before
/// it. A stream without it was cut: drop what came after the last `resume`, and ask again with its cursor.
#[utoipa::path(
    get,
    path = "/v1/games/export",
    operation_id = "exportGames",
    tag = "games",
    params(
        FeedFilterParams,
        ExportParams,
    ),
    responses(
        (status = 200, description = "The games, whole, as a stream without an end but the last game's. NDJSON: one game a line, as `/v1/games/{id}` shows it, and marks: objects with `type`. PGN: marks are lines that begin with `%`; games that have no PGN are counted as `skipped`. CSV: marks are lines that begin with `#`", content(
            (String = "application/x-ndjson"),
            (String = "application/x-chess-pgn"),
            (String = "text/csv"),
        ), headers(
            ("Content-Disposition" = String, description = "A name for the file"),
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
        )),
        (status = 400, description = "`invalid-parameter`: a parameter is unknown, repeated or impossible; `invalid-cursor`; `cursor-mismatch`: the cursor came with other filters", body = ProblemBody, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `timeout`: try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn export(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request);
    let mut list = extract::feed_list(&mut params);
    list.order = extract::order(&mut params, Order::OldestFirst);
    exporting::export(&request, state, params, list, "games").await
}
