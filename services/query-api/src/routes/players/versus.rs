//! `GET /v1/players/{a}/vs/{b}`: two players' games against each other.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use serde_json::json;
use service::Problem;
use service::http::ProblemBody;
use store::read::{
    self, Budget, GameList, GroupKey, Grouping, Order, Perspective, PlayerPerspective, Scope,
};

use crate::conditional::{self, Validity};
use crate::extract::{Params, Refusal, number, rivals};
use crate::problem;
use crate::routes::listing::LIST;
use crate::state::AppState;
use crate::views::{HeadToHeadView, PlayerGameView, StatsGroupView};

/// The newest games that are shown without `limit`.
const DEFAULT_LATEST: i64 = 10;
/// By what the games are grouped.
const KINDS: [GroupKey; 3] = [GroupKey::Game, GroupKey::Variant, GroupKey::Mode];

/// Two players
///
/// Two players' games against each other, from the first one's side.
#[utoipa::path(
    get,
    path = "/v1/players/{a}/vs/{b}",
    operation_id = "getHeadToHead",
    tag = "players",
    params(
        ("a" = String, Path, description = "The platform's id of the player whose side it is told from, percent-encoded", min_length = 1, max_length = 100, example = "magnus"),
        ("b" = String, Path, description = "The platform's id of the other player, percent-encoded", min_length = 1, max_length = 100, example = "hikaru"),
        ("limit" = Option<u32>, Query, description = "How many of the newest games are shown; 10 without it", minimum = 0, maximum = 100, example = 10),
    ),
    responses(
        (status = 200, description = "The games", body = HeadToHeadView, headers(
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
    let [player, opponent] = rivals(&request);
    let player = params.path("a", player);
    let opponent = params.path("b", opponent);
    if let (Some(player), Some(opponent)) = (&player, &opponent)
        && player == opponent
    {
        params.refuse("b", Refusal::new("repeated", "must be another player"));
    }
    let latest = params.take("limit", |text| number(text, 0, 100));
    params.finish()?;
    // Refused ids have ended the request above.
    let (Some(player), Some(opponent)) = (player, opponent) else {
        return Err(Problem::unknown_route());
    };
    let latest = u32::try_from(latest.unwrap_or(DEFAULT_LATEST)).unwrap_or(0);
    let (player_id, opponent_id) = (player.to_string(), opponent.to_string());
    let mut list = GameList::of(Scope::Player(player));
    list.filter.of = Perspective::Player(PlayerPerspective {
        opponent: Some(opponent),
        ..PlayerPerspective::default()
    });
    list.order = Order::OldestFirst;
    let as_of = Utc::now();
    let mut connection = state.pool.get().await.map_err(problem::of_store)?;
    read::choose_walk(&mut connection, &mut list)
        .await
        .map_err(problem::of_store)?;
    let whole = Grouping {
        limit: 1,
        ..Grouping::default()
    };
    let total = read::stats(&mut connection, &list, &whole)
        .await
        .map_err(problem::of_store)?;
    let by_kind = Grouping {
        by: KINDS.to_vec(),
        common: true,
        limit: 1_000,
        ..Grouping::default()
    };
    let kinds = read::stats(&mut connection, &list, &by_kind)
        .await
        .map_err(problem::of_store)?;
    list.order = Order::NewestFirst;
    // The statistics have looked at every game; looking for the newest may too, at once.
    list.budget = Budget::UNBOUNDED;
    let games = match total.is_empty() || latest == 0 {
        true => Vec::new(),
        false => newest(&mut connection, &list, latest).await?,
    };
    let headers = state.freshness.headers(&mut connection).await;
    drop(connection);
    let view = HeadToHeadView {
        player_id,
        opponent_id,
        total: total
            .into_iter()
            .next()
            .map(|group| StatsGroupView::new(group, &[])),
        kinds: kinds
            .into_iter()
            .map(|group| StatsGroupView::new(group, &KINDS))
            .collect(),
        latest: games,
        as_of,
    };
    let validity = Validity {
        version: "versus".to_owned(),
        cache_control: LIST,
        last_modified: None,
        headers,
    };
    let basis = json!([view.total, view.kinds, view.latest]);
    conditional::json_by(&request, &view, &basis, &validity)
}

/// The newest games, page by page: one may look in vain.
async fn newest(
    connection: &mut store::pool::PooledConnection<'_>,
    list: &GameList,
    wanted: u32,
) -> Result<Vec<PlayerGameView>, Problem> {
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let (mut games, mut from) = (Vec::new(), None);
    loop {
        let missing = u32::try_from(wanted - games.len()).unwrap_or(0);
        let found = read::player_games(connection, list, from.as_ref(), missing, Utc::now())
            .await
            .map_err(problem::of_store)?;
        games.extend(found.rows.into_iter().map(PlayerGameView::from));
        from = found.more;
        if games.len() >= wanted || from.is_none() {
            return Ok(games);
        }
    }
}
