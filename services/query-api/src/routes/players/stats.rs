//! `GET /v1/players/{id}/stats`: a player's statistics over any filter, whole or in groups.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use serde_json::json;
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, Grouping, Order};

use crate::conditional::{self, Validity};
use crate::extract::{self, GroupParams, Params, PlayerFilterParams, player_id};
use crate::problem;
use crate::routes::listing::LIST;
use crate::state::AppState;
use crate::views::{StatsGroupView, StatsView};

/// A player's statistics
///
/// Wins, losses, draws, streaks, rating change and durations over the games that match, together or in groups of up to three keys.
/// A player nobody has heard of has no groups.
#[utoipa::path(
    get,
    path = "/v1/players/{id}/stats",
    operation_id = "getPlayerStats",
    tag = "players",
    params(
        ("id" = String, Path, description = "The platform's id of the player, percent-encoded", min_length = 1, max_length = 100, example = "magnus"),
        PlayerFilterParams,
        GroupParams,
    ),
    responses(
        (status = 200, description = "The statistics", body = StatsView, headers(
            ("ETag" = String, description = "Changes whenever the answer does, but for its `as_of`"),
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
        )),
        (status = 304, description = "The answer is the one that the request's `If-None-Match` knows"),
        (status = 400, description = "`invalid-parameter`: a parameter is unknown, repeated or impossible", body = ProblemBody, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `timeout`: try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&request);
    let player = params.path("id", player_id(&request));
    let id = player.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut list = extract::player_list(&mut params, player);
    let grouping = extract::grouping(&mut params);
    params.finish()?;
    list.order = Order::OldestFirst;
    let as_of = Utc::now();
    let (mut groups, headers) = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        read::choose_walk(&mut connection, &mut list)
            .await
            .map_err(problem::of_store)?;
        // One more than asked for tells whether there are more.
        let wanted = Grouping {
            limit: grouping.limit + 1,
            ..grouping.clone()
        };
        let groups = read::stats(&mut connection, &list, &wanted)
            .await
            .map_err(problem::of_store)?;
        (groups, state.freshness.headers(&mut connection).await)
    };
    let limit = usize::try_from(grouping.limit).unwrap_or(usize::MAX);
    let has_more = groups.len() > limit;
    groups.truncate(limit);
    let view = StatsView {
        player_id: id,
        group_by: grouping.by.iter().map(|key| key.as_str()).collect(),
        data: groups
            .into_iter()
            .map(|group| StatsGroupView::new(group, &grouping.by))
            .collect(),
        has_more,
        as_of,
    };
    let validity = Validity {
        version: "stats".to_owned(),
        cache_control: LIST,
        last_modified: None,
        headers,
    };
    let basis = json!([view.data, view.has_more]);
    conditional::json_by(&request, &view, &basis, &validity)
}
