//! A player in numbers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use store::read::{Count, GroupKey, GroupStats, LatestRating, Opponent, Tally};
use utoipa::ToSchema;

use super::{PlayerGameView, timestamp};

/// How many games there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Count)]
pub(crate) struct CountView {
    /// Games that match.
    #[schema(minimum = 0, example = 156)]
    count: i64,
    /// Whether all games were looked at. Else there are at least so many.
    exact: bool,
    /// When they were counted.
    #[serde(serialize_with = "timestamp")]
    as_of: DateTime<Utc>,
}

impl CountView {
    pub(crate) fn new(count: Count, as_of: DateTime<Utc>) -> Self {
        Self {
            count: count.games,
            exact: count.exact,
            as_of,
        }
    }
}

/// A player's statistics.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlayerStats)]
pub(crate) struct StatsView {
    /// The player.
    #[schema(example = "magnus")]
    pub(crate) player_id: String,
    /// By what the games are grouped.
    #[schema(example = json!(["mode"]))]
    pub(crate) group_by: Vec<&'static str>,
    /// The groups, the largest first. Without `group_by` there is one, or none when no game matches.
    pub(crate) data: Vec<StatsGroupView>,
    /// Whether there are more groups than `limit`.
    pub(crate) has_more: bool,
    /// When the statistics were read.
    #[serde(serialize_with = "timestamp")]
    pub(crate) as_of: DateTime<Utc>,
}

/// The statistics of a group of games.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StatsGroup)]
pub(crate) struct StatsGroupView {
    /// What the group's games have in common, by the names of `group_by`; null where they have no such value.
    #[schema(example = json!({"mode": "rated"}))]
    group: BTreeMap<String, Option<String>>,
    /// Games.
    #[schema(minimum = 1, example = 12)]
    games: u64,
    /// Games won.
    #[schema(example = 7)]
    wins: u64,
    /// Games lost.
    #[schema(example = 3)]
    losses: u64,
    /// Games drawn.
    #[schema(example = 2)]
    draws: u64,
    /// Games without a result.
    #[schema(example = 0)]
    none: u64,
    /// Points a game with a result: a win is 1, a draw a half. Null without such games.
    #[schema(required, minimum = 0, maximum = 1, example = 0.667)]
    score: Option<f64>,
    /// Streaks, over the group's games in order. A game without a result breaks none.
    streaks: StreaksView,
    /// What the games changed the rating by together. Null where no game has the rating before and after.
    #[schema(required, example = 14)]
    rating_change: Option<i64>,
    /// How long the games took together.
    #[schema(minimum = 0, example = 3_512_040)]
    duration_ms: i64,
    /// How long a game took on average.
    #[schema(minimum = 0, example = 292_670)]
    average_duration_ms: i64,
    /// How many moves the games had together.
    #[schema(minimum = 0, example = 812)]
    move_count: i64,
    /// When the first of them ended.
    #[serde(serialize_with = "timestamp")]
    first_ended_at: DateTime<Utc>,
    /// When the last of them ended.
    #[serde(serialize_with = "timestamp")]
    last_ended_at: DateTime<Utc>,
}

/// Games of the same result in a row.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Streaks)]
pub(crate) struct StreaksView {
    /// The most wins.
    longest_wins: u64,
    /// The most losses.
    longest_losses: u64,
    /// The most games without a loss.
    longest_unbeaten: u64,
    /// The streak that goes on; null without games.
    #[schema(required)]
    current: Option<StreakView>,
}

/// A streak that goes on.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Streak)]
pub(crate) struct StreakView {
    /// Of what: `win`, `loss` or `draw`.
    #[schema(example = "win")]
    result: &'static str,
    /// How many in a row.
    #[schema(minimum = 1, example = 3)]
    games: u64,
}

impl StatsGroupView {
    pub(crate) fn new(stats: GroupStats, by: &[GroupKey]) -> Self {
        let tally = &stats.tally;
        let games = tally.games();
        let names = by.iter().map(|key| key.as_str().to_owned());
        Self {
            group: names.zip(stats.group).collect(),
            games,
            wins: tally.wins,
            losses: tally.losses,
            draws: tally.draws,
            none: tally.none,
            score: score(tally),
            streaks: StreaksView {
                longest_wins: tally.longest_wins,
                longest_losses: tally.longest_losses,
                longest_unbeaten: tally.longest_unbeaten,
                current: tally.current.map(|(letter, games)| StreakView {
                    result: match letter {
                        'w' => "win",
                        'l' => "loss",
                        _ => "draw",
                    },
                    games,
                }),
            },
            rating_change: stats.rating_change,
            duration_ms: stats.duration_ms,
            average_duration_ms: stats.duration_ms
                / i64::try_from(games.max(1)).unwrap_or(i64::MAX),
            move_count: stats.move_count,
            first_ended_at: stats.first_ended_at,
            last_ended_at: stats.last_ended_at,
        }
    }
}

/// Points a game, to four decimals.
fn score(tally: &Tally) -> Option<f64> {
    let decided = tally.wins + tally.losses + tally.draws;
    let points = tally.wins * 2 + tally.draws;
    #[expect(clippy::cast_precision_loss, reason = "nobody plays 2^52 games")]
    let score = (points as f64) / (decided as f64 * 2.0);
    (decided > 0).then(|| (score * 10_000.0).round() / 10_000.0)
}

/// A player.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlayerSummary)]
pub(crate) struct PlayerView {
    /// The player.
    #[schema(example = "magnus")]
    pub(crate) id: String,
    /// All finished games.
    pub(crate) total: StatsGroupView,
    /// The latest rating of each kind of game among the newest 10,000 games that have one, the latest first.
    pub(crate) ratings: Vec<RatingView>,
    /// When this was read.
    #[serde(serialize_with = "timestamp")]
    pub(crate) as_of: DateTime<Utc>,
}

/// A player's latest rating in one kind of game.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LatestRating)]
pub(crate) struct RatingView {
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
    /// The rating after the last such game, or before it where no later one is known.
    #[schema(example = 2853)]
    rating: i32,
    /// When that game ended.
    #[serde(serialize_with = "timestamp")]
    ended_at: DateTime<Utc>,
}

/// The view of a latest rating.
pub(crate) fn rating_view(rating: LatestRating) -> RatingView {
    RatingView {
        game: rating.game,
        variant: rating.variant,
        mode: rating.mode,
        time_control: rating.time_control,
        rating: rating.rating,
        ended_at: rating.ended_at,
    }
}

/// Somebody a player played against.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Opponent)]
pub(crate) struct OpponentView {
    /// Who.
    #[schema(example = "hikaru")]
    player_id: String,
    /// Games against them.
    #[schema(minimum = 1, example = 12)]
    games: i64,
    /// Games that the player whose list it is won.
    #[schema(minimum = 0, example = 7)]
    wins: i64,
    /// Games that the player lost.
    #[schema(minimum = 0, example = 3)]
    losses: i64,
    /// Games drawn.
    #[schema(minimum = 0, example = 2)]
    draws: i64,
    /// When the last of them ended.
    #[serde(serialize_with = "timestamp")]
    last_ended_at: DateTime<Utc>,
}

impl From<Opponent> for OpponentView {
    fn from(opponent: Opponent) -> Self {
        Self {
            player_id: opponent.opponent,
            games: opponent.games,
            wins: opponent.wins,
            losses: opponent.losses,
            draws: opponent.draws,
            last_ended_at: opponent.last_ended_at,
        }
    }
}

/// Two players' games against each other, from the first one's side.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeadToHead)]
pub(crate) struct HeadToHeadView {
    /// Whose side it is told from.
    #[schema(example = "magnus")]
    pub(crate) player_id: String,
    /// The other one.
    #[schema(example = "hikaru")]
    pub(crate) opponent_id: String,
    /// All games that match; null when there is none.
    #[schema(required)]
    pub(crate) total: Option<StatsGroupView>,
    /// The same by game, variant and mode, the most played first.
    pub(crate) kinds: Vec<StatsGroupView>,
    /// The newest games, at most `limit`. All of them: `/v1/players/{a}/games?opponent={b}`.
    pub(crate) latest: Vec<PlayerGameView>,
    /// When this was read.
    #[serde(serialize_with = "timestamp")]
    pub(crate) as_of: DateTime<Utc>,
}
