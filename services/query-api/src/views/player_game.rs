//! A game in a player's list, seen from that player.

use chrono::{DateTime, Utc};
use serde::Serialize;
use store::read::PlayerGame;
use utoipa::ToSchema;

use super::{OpeningView, timestamp};

/// A game in a player's list, seen from that player.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlayerGame)]
pub(crate) struct PlayerGameView {
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
    /// The tournament it belongs to.
    #[schema(required)]
    tournament: Option<String>,
    /// Which side or seat the player had.
    #[schema(example = "white")]
    role: String,
    /// What the game was for the player.
    #[schema(value_type = super::game::PlayerResultView)]
    result: String,
    /// The player's rating before the game.
    #[schema(required, example = 2850)]
    rating: Option<i32>,
    /// The player's rating after the game.
    #[schema(required, example = 2853)]
    rating_after: Option<i32>,
    /// The other players in seat order.
    #[schema(example = json!(["hikaru"]))]
    opponents: Vec<String>,
    /// The rating before the game of the one opponent, where there is exactly one.
    #[schema(required, example = 2801)]
    opponent_rating: Option<i32>,
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
}

impl PlayerGameView {
    /// The names of its fields.
    pub(crate) const FIELDS: [&'static str; 20] = [
        "game_id",
        "started_at",
        "ended_at",
        "duration_ms",
        "game",
        "variant",
        "mode",
        "time_control",
        "region",
        "tournament",
        "role",
        "result",
        "rating",
        "rating_after",
        "opponents",
        "opponent_rating",
        "termination",
        "opening",
        "move_count",
        "incomplete",
    ];
}

impl From<PlayerGame> for PlayerGameView {
    fn from(row: PlayerGame) -> Self {
        Self {
            duration_ms: (row.ended_at - row.started_at).num_milliseconds(),
            game_id: row.game_id,
            started_at: row.started_at,
            ended_at: row.ended_at,
            game: row.game,
            variant: row.variant,
            mode: row.mode,
            time_control: row.time_control,
            region: row.region,
            tournament: row.tournament,
            role: row.role,
            result: row.result,
            rating: row.rating,
            rating_after: row.rating_after,
            opponents: row.opponents,
            opponent_rating: row.opponent_rating,
            termination: row.termination,
            opening: OpeningView::new(row.opening_code, row.opening_name),
            move_count: row.move_count,
            incomplete: row.incomplete,
        }
    }
}
