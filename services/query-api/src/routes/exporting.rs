//! Streams of whole games: chunk by chunk, each read when the client has taken the one before.
//!
//! Memory holds two chunks of an export, whatever its length, and no database session is held while the client is slow. A chunk is
//! found by keyset like a page, so an export neither skips nor repeats a game that was there when it began.

mod delivery;

use actix_web::http::header;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chrono::Utc;
use serde::Serialize;
use serde_json::json;
use service::Problem;
use sha2::{Digest as _, Sha256};
use store::read::{self, Edge, GameList, Place};

pub(crate) use store::read::Order;

use crate::access::Caller;
use crate::cursor::Walk;
use crate::extract::{self, ExportFormat, PageRequest, Params};
use crate::limits::Key;
use crate::problem;
use crate::state::AppState;
use crate::views::{self, CSV_HEADER};

/// Games a chunk: some megabytes at most.
const CHUNK: u32 = 250;

/// Answers with every game of a list.
pub(crate) async fn export(
    request: &HttpRequest,
    state: web::Data<AppState>,
    mut params: Params,
    list: GameList,
    name: &str,
) -> Result<HttpResponse, Problem> {
    let format = extract::export_format(&mut params, request);
    let marks = extract::marks(&mut params);
    let cursor = extract::cursor(&mut params);
    params.finish()?;
    let walk = extract::walk(&format!("{name}-export"), &list);
    let page = PageRequest::new(CHUNK, cursor.as_deref(), &state.cursors, walk)?;
    let caller = request.extensions().get::<Caller>().map(|c| c.key.clone());
    let slot = state
        .limits
        .exports
        .place(&caller.unwrap_or(Key::Crowd(0)))?;
    let headers = {
        let mut connection = state.pool.get().await.map_err(problem::of_store)?;
        state.freshness.headers(&mut connection).await
    };
    let mut export = Export {
        state,
        list,
        walk,
        format,
        marks,
        last: page.from.as_ref().map(|edge| edge.place.clone()),
        from: page.from,
        games: 0,
        skipped: 0,
        digest: Sha256::new(),
        stage: Stage::Begin,
    };
    // The first chunk is read before the answer begins, so that a database that is away is a 503 and no broken stream.
    let first = export.next().await?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "Accept"))
        .insert_header((header::CONTENT_TYPE, format.media_type()))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.{}\"", format.extension()),
        ));
    for (name, value) in headers {
        response.insert_header((name, value));
    }
    Ok(response.streaming(delivery::deliver(first, export, slot)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Games,
    Done,
}

/// An export under way.
struct Export {
    state: web::Data<AppState>,
    list: GameList,
    walk: Walk,
    format: ExportFormat,
    marks: bool,
    /// Where the next chunk begins.
    from: Option<Edge>,
    /// The last place that was passed.
    last: Option<Place>,
    games: u64,
    skipped: u64,
    /// Of every byte so far.
    digest: Sha256,
    stage: Stage,
}

/// The mark behind a chunk.
#[derive(Serialize)]
struct Resume<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    cursor: &'a str,
    games: u64,
}

/// The mark behind everything.
#[derive(Serialize)]
struct End<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    games: u64,
    skipped: u64,
    cursor: Option<&'a str>,
    sha256: &'a str,
}

impl Export {
    /// The next chunk of the stream; `None` behind the last.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let mut text = String::new();
        match self.stage {
            Stage::Done => return Ok(None),
            Stage::Begin if self.format == ExportFormat::Csv => text.push_str(CSV_HEADER),
            Stage::Begin | Stage::Games => {}
        }
        self.stage = Stage::Games;
        let more = self.chunk(&mut text).await?;
        self.digest.update(text.as_bytes());
        match more {
            Some(edge) => {
                self.last = Some(edge.place.clone());
                let cursor = self.state.cursors.write(self.walk, &edge);
                self.from = Some(edge);
                let mark = self.mark(&Resume {
                    kind: "resume",
                    cursor: &cursor,
                    games: self.games,
                });
                self.digest.update(mark.as_bytes());
                text.push_str(&mark);
            }
            None => {
                self.stage = Stage::Done;
                let end = self.end();
                text.push_str(&end);
            }
        }
        Ok(Some(Bytes::from(text)))
    }

    /// Writes the games of a chunk, and tells where the next one begins.
    async fn chunk(&mut self, text: &mut String) -> Result<Option<Edge>, Problem> {
        let (games, more) = {
            let _turn = self.state.pool.bulk_turn().await;
            let mut connection = self.state.pool.get().await.map_err(problem::of_store)?;
            let from = self.from.as_ref();
            let found = read::places(&mut connection, &self.list, from, CHUNK, Utc::now())
                .await
                .map_err(problem::of_store)?;
            let games = read::games_at(&mut connection, &found.rows)
                .await
                .map_err(problem::of_store)?;
            if let Some(last) = found.rows.last() {
                self.last = Some(last.clone());
            }
            (games, found.more)
        };
        for stored in &games {
            let game = &stored.game;
            match self.format {
                ExportFormat::Ndjson => {
                    let view = views::finished(game)?;
                    let line = serde_json::to_string(&view).map_err(Problem::internal)?;
                    text.push_str(&line);
                    text.push('\n');
                }
                ExportFormat::Csv => text.push_str(&views::csv(game)?),
                ExportFormat::Pgn => match views::pgn(game)? {
                    Ok(pgn) => text.push_str(&pgn),
                    Err(_reason) => {
                        self.skipped += 1;
                        continue;
                    }
                },
            }
            self.games += 1;
        }
        Ok(more)
    }

    /// The mark that proves completeness.
    fn end(&mut self) -> String {
        let digest = std::mem::take(&mut self.digest).finalize();
        let sha256: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        // From here a later export goes on with what has come meanwhile.
        let cursor = self
            .last
            .clone()
            .map(|place| self.state.cursors.write(self.walk, &Edge::behind(place)));
        self.mark(&End {
            kind: "end",
            games: self.games,
            skipped: self.skipped,
            cursor: cursor.as_deref(),
            sha256: &sha256,
        })
    }

    /// The mark of a failure: what comes behind it is missing.
    fn failure(&self, problem: &Problem) -> Bytes {
        tracing::error!(problem = %problem, games = self.games, "an export broke off");
        let mark = json!({"type": "error", "code": problem.code(), "games": self.games});
        Bytes::from(self.mark(&mark))
    }

    /// A mark as its format has it, if marks are wanted: a line that no reader of games takes for one.
    fn mark(&self, mark: &impl Serialize) -> String {
        if !self.marks {
            return String::new();
        }
        // Plain data is always JSON.
        let mark = serde_json::to_string(mark).unwrap_or_default();
        match self.format {
            ExportFormat::Ndjson => format!("{mark}\n"),
            ExportFormat::Pgn => format!("% {mark}\n\n"),
            ExportFormat::Csv => format!("# {mark}\r\n"),
        }
    }
}
