//! A game in the feed: without its moves.

use chrono::{DateTime, Utc};
use serde::Serialize;
use service::Problem;
use store::read::GameSummary;
use utoipa::ToSchema;

use super::game::{GameResultView, SeatView, finished_player};
use super::{OpeningView, timestamp};
use crate::problem;

/// A finished game without its moves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GameSummary)]
pub(crate) struct GameSummaryView {
    /// The game, as in `/v1/games/{id}`.
    #[schema(example = "q7ZvsdUF")]
    game_id: String,
    /// When it began, by its producer's clock.
    #[serde(serialize_with = "timestamp")]
    started_at: DateTime<Utc>,
    /// When it ended, by its producer's clock. The list is ordered by it.
    #[serde(serialize_with = "timestamp")]
    ended_at: DateTime<Utc>,
    /// How long it took.
    #[schema(minimum = 0, example = 351_204)]
    duration_ms: i64,
    /// Which game.
    #[schema(example = "chess")]
    game: String,
    /// Which rules.
    #[schema(example = "standard")]
    variant: String,
    /// In which setting.
    #[schema(example = "rated")]
    mode: String,
    /// How time was kept.
    #[schema(required, example = "180+1")]
    time_control: Option<String>,
    /// Where it was played.
    #[schema(required, example = "eu")]
    region: Option<String>,
    /// What it was played on.
    #[schema(required, example = "web")]
    platform: Option<String>,
    /// The tournament it belongs to.
    #[schema(required)]
    tournament: Option<String>,
    /// The position it began from, where that is not the usual one.
    #[schema(required)]
    start_position: Option<String>,
    /// How it ended.
    result: GameResultView,
    /// Who won.
    #[schema(required, example = "magnus")]
    winner: Option<String>,
    /// By what it ended.
    #[schema(example = "checkmate")]
    termination: String,
    /// The opening, where its producer knew it.
    #[schema(required)]
    opening: Option<OpeningView>,
    /// How many moves there are.
    #[schema(minimum = 0, example = 61)]
    move_count: i32,
    /// A move is missing, or the producer counted more moves than arrived.
    incomplete: bool,
    /// The players in seat order.
    players: Vec<SeatView>,
}

impl GameSummaryView {
    /// The names of its fields.
    pub(crate) const FIELDS: [&'static str; 19] = [
        "game_id",
        "started_at",
        "ended_at",
        "duration_ms",
        "game",
        "variant",
        "mode",
        "time_control",
        "region",
        "platform",
        "tournament",
        "start_position",
        "result",
        "winner",
        "termination",
        "opening",
        "move_count",
        "incomplete",
        "players",
    ];

    pub(crate) fn new(row: GameSummary) -> Result<Self, Problem> {
        let players = row.players().map_err(problem::of_store)?;
        Ok(Self {
            duration_ms: (row.ended_at - row.started_at).num_milliseconds(),
            players: players.iter().map(finished_player).collect(),
            result: GameResultView::of(row.result == "win", row.result == "draw"),
            game_id: row.game_id,
            started_at: row.started_at,
            ended_at: row.ended_at,
            game: row.game,
            variant: row.variant,
            mode: row.mode,
            time_control: row.time_control,
            region: row.region,
            platform: row.platform,
            tournament: row.tournament,
            start_position: row.start_position,
            winner: row.winner,
            termination: row.termination,
            opening: OpeningView::new(row.opening_code, row.opening_name),
            move_count: row.move_count,
            incomplete: row.incomplete,
        })
    }
}
