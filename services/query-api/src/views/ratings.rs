//! A player's rating, game by game or day by day.

use chrono::{DateTime, Utc};
use serde::Serialize;
use store::read::{PlayerGame, RatingDay};
use utoipa::ToSchema;

use super::timestamp;

/// A player's rating in one game.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GameRating)]
pub(crate) struct RatingPointView {
    /// The game.
    #[schema(example = "q7ZvsdUF")]
    game_id: String,
    /// When it ended.
    #[serde(serialize_with = "timestamp")]
    ended_at: DateTime<Utc>,
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
    /// The rating before the game.
    #[schema(required, example = 2850)]
    rating: Option<i32>,
    /// The rating after the game.
    #[schema(required, example = 2853)]
    rating_after: Option<i32>,
}

impl From<PlayerGame> for RatingPointView {
    fn from(row: PlayerGame) -> Self {
        Self {
            game_id: row.game_id,
            ended_at: row.ended_at,
            game: row.game,
            variant: row.variant,
            mode: row.mode,
            time_control: row.time_control,
            rating: row.rating,
            rating_after: row.rating_after,
        }
    }
}

/// A player's rating over one day in UTC.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DayRating)]
pub(crate) struct RatingDayView {
    /// The day.
    #[schema(example = "2026-11-20", format = Date)]
    day: String,
    /// Its games that have a rating.
    #[schema(minimum = 1, example = 11)]
    games: i64,
    /// The rating before the first of them.
    #[schema(example = 2850)]
    open: i32,
    /// The highest rating.
    #[schema(example = 2871)]
    high: i32,
    /// The lowest rating.
    #[schema(example = 2842)]
    low: i32,
    /// The rating after the last of them, or before it where no later one is known.
    #[schema(example = 2866)]
    close: i32,
}

impl From<RatingDay> for RatingDayView {
    fn from(day: RatingDay) -> Self {
        Self {
            day: day.day.format("%Y-%m-%d").to_string(),
            games: day.games,
            open: day.open,
            high: day.high,
            low: day.low,
            close: day.close,
        }
    }
}
