//! `GET /v1/games/{id}`: one game with all its moves.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use domain::{FinishedGame, GameId};
use service::Problem;
use service::http::ProblemBody;
use store::read::{self, Departed, Edition, FoundGame, LiveSnapshot, StoredGame};

use crate::cache::{self, CachedGame, Kept, Rendered};
use crate::conditional::{self, Validity};
use crate::extract::{self, GameFormat, Params, game_id};
use crate::problem;
use crate::state::AppState;
use crate::views::{self, GameView};

/// A finished game may be kept for a while: a correction changes its tag, and is rare.
const FINISHED: &str = "public, max-age=300, stale-while-revalidate=86400";
/// A game in progress may be kept and must be asked for again.
const IN_PROGRESS: &str = "no-cache";
/// Tells whether an answer came from the database (`hot`) or out of the archive.
const X_DATA_SOURCE: HeaderName = HeaderName::from_static("x-data-source");

/// The forms of a game.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape of the query, for the document")]
enum GameFormatParam {
    Json,
    Pgn,
}

/// A game
///
/// A finished game with all its moves, or a game in progress as of its last snapshot (`status`, `as_of`). A finished game has a
/// strong `ETag`; send it as `If-None-Match` and the answer is 304 until the game is corrected.
#[utoipa::path(
    get,
    path = "/v1/games/{id}",
    operation_id = "getGame",
    tag = "games",
    params(
        ("id" = String, Path, description = "The platform's id of the game, percent-encoded", min_length = 1, max_length = 100, example = "q7ZvsdUF"),
        ("format" = inline(Option<GameFormatParam>), Query, description = "The form; without it the one that `Accept` prefers, else `json`"),
    ),
    responses(
        (status = 200, description = "The game", content(
            (GameView = "application/json"),
            (String = "application/x-chess-pgn"),
        ), headers(
            ("X-Data-Source" = String, description = "`hot`, or `archive` for a game that only the archive still holds"),
            ("X-Projection-Lag-Ms" = Option<i64>, description = "How long the newest game took from its end until it could be read"),
            ("ETag" = String, description = "Changes whenever the answer does"),
            ("Last-Modified" = Option<String>, description = "When the finished game was written"),
            ("Cache-Control" = String, description = "`public, max-age=300, stale-while-revalidate=86400` when finished, else `no-cache`"),
        )),
        (status = 304, description = "The game is the one that the request's `If-None-Match` or `If-Modified-Since` knows"),
        (status = 400, description = "`invalid-parameter`: the id can't be one, or there are parameters in the query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`game-not-found`: nobody knows this game", body = ProblemBody, content_type = "application/problem+json"),
        (status = 406, description = "`not-acceptable`: there is no PGN of this game", body = ProblemBody, content_type = "application/problem+json"),
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
    let format = extract::game_format(&mut params, &request);
    params.finish()?;
    // A refused id has ended the request above.
    let id = id.ok_or_else(problem::game_not_found)?;
    let (found, headers) = find(&state, &id).await?;
    let mut validity = found.validity(headers);
    validity.headers.push((header::VARY, "Accept".to_owned()));
    match (format, &found) {
        (
            GameFormat::Json,
            Whole::Finished {
                answer: Some(answer),
                ..
            },
        ) => Ok(conditional::ready(
            &request,
            "application/json",
            answer.body.clone(),
            &answer.digest,
            &validity,
        )),
        (GameFormat::Json, _) => conditional::json(&request, &found.view(&id)?, &validity),
        (GameFormat::Pgn, Whole::Finished { game, .. }) => {
            let text = views::pgn(game)?.map_err(problem::not_acceptable)?;
            let media_type = "application/x-chess-pgn";
            Ok(conditional::text(&request, media_type, text, &validity))
        }
        (GameFormat::Pgn, Whole::Live(_)) => {
            Err(problem::not_acceptable("PGN is written for finished games"))
        }
    }
}

/// A game with all its moves.
pub(super) enum Whole {
    /// It ended.
    Finished {
        game: Arc<FinishedGame>,
        /// Counts its corrections.
        revision: i32,
        /// When this revision was written, where that is known.
        written_at: Option<DateTime<Utc>>,
        /// Whether it came out of the archive.
        archived: bool,
        /// The whole game as it goes over the wire, where it is made already.
        answer: Option<Rendered>,
    },
    /// It goes on.
    Live(Arc<LiveSnapshot>),
}

/// What is no finished game, and so is not kept in memory.
enum NotKept {
    Live(Arc<LiveSnapshot>),
    Gone(Departed),
    Unknown,
    Failed(Problem),
}

/// Finds a game, in memory first and in the archive last, and the headers that tell the projection's lag.
pub(super) async fn find(
    state: &AppState,
    id: &GameId,
) -> Result<(Whole, Vec<(HeaderName, String)>), Problem> {
    let game = match kept(state, id).await? {
        Some(game) => Ok(game),
        None => {
            state
                .games
                .read(id, stored(state, id), NotKept::Failed)
                .await
        }
    };
    let whole = match game.as_deref().map_err(|other| &**other) {
        Ok(game) => Whole::of_cached(game),
        Err(NotKept::Live(snapshot)) => Whole::Live(snapshot.clone()),
        Err(NotKept::Gone(departed)) => archived(state, departed)
            .await?
            .ok_or_else(|| problem::game_gone(departed.ended_at))?,
        Err(NotKept::Unknown) => return Err(problem::game_not_found()),
        Err(NotKept::Failed(problem)) => return Err(problem.clone()),
    };
    Ok((whole, state.freshness.headers_alone(&state.pool).await))
}

/// The game in memory, once the directory has said that it still is that one, where it has to be asked.
async fn kept(state: &AppState, id: &GameId) -> Result<Option<Arc<CachedGame>>, Problem> {
    let game = match state.games.kept(id).await {
        Kept::Fresh(game) => {
            cache::count("hit");
            return Ok(Some(game));
        }
        Kept::Unsure(game) => game,
        Kept::Nothing => {
            cache::count("miss");
            return Ok(None);
        }
    };
    match edition(state, id).await {
        Ok(edition) if state.games.holds(id, &game, edition).await => {
            cache::count("checked");
            Ok(Some(game))
        }
        Ok(_) => {
            cache::count("outdated");
            Ok(None)
        }
        Err(problem) => {
            state.games.unasked(&game);
            Err(problem)
        }
    }
}

async fn edition(state: &AppState, id: &GameId) -> Result<Option<Edition>, Problem> {
    let mut connection = state.pool.get().await.map_err(problem::of_store)?;
    read::edition(&mut connection, id)
        .await
        .map_err(problem::of_store)
}

/// The finished game in the database.
async fn stored(state: &AppState, id: &GameId) -> Result<StoredGame, NotKept> {
    let failed = |error| NotKept::Failed(problem::of_store(error));
    let mut connection = state.pool.get().await.map_err(failed)?;
    match read::game(&mut connection, id).await.map_err(failed)? {
        FoundGame::Finished(stored) => Ok(*stored),
        FoundGame::Live(snapshot) => Err(NotKept::Live(Arc::from(snapshot))),
        FoundGame::Gone(departed) => Err(NotKept::Gone(departed)),
        FoundGame::Unknown => Err(NotKept::Unknown),
    }
}

/// The game out of the archive; `None` when it is not kept there either.
pub(super) async fn archived(
    state: &AppState,
    departed: &Departed,
) -> Result<Option<Whole>, Problem> {
    let game = state.cold.game(departed).await;
    let game = game.map_err(problem::of_cold_store)?;
    Ok(game.map(|game| Whole::Finished {
        game: Arc::new(game),
        revision: 0,
        written_at: None,
        archived: true,
        answer: None,
    }))
}

impl Whole {
    fn of_cached(cached: &CachedGame) -> Self {
        Self::Finished {
            game: cached.game.clone(),
            revision: cached.revision,
            written_at: Some(cached.written_at),
            archived: false,
            answer: Some(cached.answer.clone()),
        }
    }

    /// How an answer made of it may be kept.
    pub(super) fn validity(&self, mut headers: Vec<(HeaderName, String)>) -> Validity {
        let (version, cache_control, last_modified, source) = match self {
            Self::Finished {
                revision,
                written_at,
                archived,
                ..
            } => {
                let (version, source) = match archived {
                    true => ("archive".to_owned(), "archive"),
                    false => (revision.to_string(), "hot"),
                };
                (version, FINISHED, *written_at, source)
            }
            Self::Live(_) => ("live".to_owned(), IN_PROGRESS, None, "hot"),
        };
        headers.push((X_DATA_SOURCE, source.to_owned()));
        Validity {
            version,
            cache_control,
            last_modified,
            headers,
        }
    }

    /// The whole game as it goes over the wire.
    pub(super) fn view(&self, id: &GameId) -> Result<GameView, Problem> {
        match self {
            Self::Finished { game, .. } => views::finished(game),
            Self::Live(snapshot) => views::in_progress(id.as_str(), snapshot),
        }
    }
}
