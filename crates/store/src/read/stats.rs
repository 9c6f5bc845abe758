//! A player's statistics over any filter, whole or in groups.
//!
//! One statement over the covering index of `player_games` (docs/adr/0007). The results of a group come as one text in the
//! order of the games, from which wins, losses and streaks are told here: cheaper than to have Postgres order them.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel_async::AsyncPgConnection;

use super::filter::GameList;
use super::page::{self, COVERED};
use super::predicates;
use super::sql::{Sql, Value};
use crate::StoreError;

const OPERATION: &str = "read a player's statistics";

/// By what games are put into groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of its name")]
pub enum GroupKey {
    Game,
    Variant,
    Mode,
    TimeControl,
    Region,
    Tournament,
    Role,
    Termination,
    /// The opening's code.
    Opening,
    /// The opening's name.
    OpeningName,
    /// The one opponent.
    Opponent,
    /// The one opponent's rating, in bands of 100: `1500` is 1500 to 1599.
    OpponentRatingBand,
    /// The month of the end, in UTC.
    Month,
    /// The day of the week of the end, in UTC: 1 is Monday.
    Weekday,
    /// The hour of the end, in UTC.
    Hour,
}

impl GroupKey {
    /// Every key.
    pub const ALL: [Self; 15] = [
        Self::Game,
        Self::Variant,
        Self::Mode,
        Self::TimeControl,
        Self::Region,
        Self::Tournament,
        Self::Role,
        Self::Termination,
        Self::Opening,
        Self::OpeningName,
        Self::Opponent,
        Self::OpponentRatingBand,
        Self::Month,
        Self::Weekday,
        Self::Hour,
    ];

    /// The name in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Game => "game",
            Self::Variant => "variant",
            Self::Mode => "mode",
            Self::TimeControl => "time_control",
            Self::Region => "region",
            Self::Tournament => "tournament",
            Self::Role => "role",
            Self::Termination => "termination",
            Self::Opening => "opening",
            Self::OpeningName => "opening_name",
            Self::Opponent => "opponent",
            Self::OpponentRatingBand => "opponent_rating_band",
            Self::Month => "month",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
        }
    }

    /// What is grouped by, and how a group's value becomes text.
    fn expressions(self) -> (&'static str, &'static str) {
        let plain = |column| (column, column);
        match self {
            Self::Opening => plain("opening_code"),
            Self::Opponent => plain("CASE WHEN cardinality(opponents) = 1 THEN opponents[1] END"),
            Self::OpponentRatingBand => (
                "floor(opponent_rating / 100.0)",
                "(floor(opponent_rating / 100.0) * 100)::bigint::text",
            ),
            Self::Month => (
                "date_trunc('month', ended_at, 'UTC')",
                "to_char(date_trunc('month', ended_at, 'UTC') AT TIME ZONE 'UTC', 'YYYY-MM')",
            ),
            Self::Weekday => (
                "date_part('isodow', ended_at AT TIME ZONE 'UTC')",
                "date_part('isodow', ended_at AT TIME ZONE 'UTC')::text",
            ),
            Self::Hour => (
                "date_part('hour', ended_at AT TIME ZONE 'UTC')",
                "date_part('hour', ended_at AT TIME ZONE 'UTC')::text",
            ),
            other => plain(other.as_str()),
        }
    }

    /// Whether the covering index holds what it needs.
    fn covered(self) -> bool {
        !matches!(self, Self::Tournament | Self::OpeningName | Self::Opponent)
    }
}

/// What is asked of the statistics.
#[derive(Debug, Clone, Default)]
pub struct Grouping {
    /// By what, at most three.
    pub by: Vec<GroupKey>,
    /// Only groups of at least so many games.
    pub min_games: u32,
    /// The most groups that are wanted.
    pub limit: u32,
    /// Whether many ask for these very groups: the statement is then planned once.
    pub common: bool,
}

/// The statistics of a group of games.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStats {
    /// The group's values, in the order of the keys; `None` where its games have none.
    pub group: Vec<Option<String>>,
    /// What became of the games.
    pub tally: Tally,
    /// When the first of them ended.
    pub first_ended_at: DateTime<Utc>,
    /// When the last of them ended.
    pub last_ended_at: DateTime<Utc>,
    /// How long they took together, in milliseconds.
    pub duration_ms: i64,
    /// How many moves they had together.
    pub move_count: i64,
    /// What the games changed the rating by together, where a game has it before and after.
    pub rating_change: Option<i64>,
}

/// What became of a sequence of games.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Games won.
    pub wins: u64,
    /// Games lost.
    pub losses: u64,
    /// Games drawn.
    pub draws: u64,
    /// Games without a result.
    pub none: u64,
    /// The most wins in a row.
    pub longest_wins: u64,
    /// The most losses in a row.
    pub longest_losses: u64,
    /// The most games in a row without a loss.
    pub longest_unbeaten: u64,
    /// The letter of the last games' result, `w`, `l` or `d`, and how many in a row there are of it.
    pub current: Option<(char, u64)>,
}

impl Tally {
    /// Reads results in their order: `winlosswindraw`. Games without a result break no streak.
    fn read(results: &str) -> Self {
        let mut tally = Self::default();
        let (mut unbeaten, mut rest) = (0, results.as_bytes());
        while let Some(&first) = rest.first() {
            let length = if first == b'w' { 3 } else { 4 };
            rest = rest.get(length..).unwrap_or_default();
            if first == b'n' {
                tally.none += 1;
                continue;
            }
            let run = match tally.current {
                Some((letter, run)) if letter == char::from(first) => run + 1,
                _ => 1,
            };
            tally.current = Some((char::from(first), run));
            unbeaten = if first == b'l' { 0 } else { unbeaten + 1 };
            tally.longest_unbeaten = tally.longest_unbeaten.max(unbeaten);
            match first {
                b'w' => {
                    tally.wins += 1;
                    tally.longest_wins = tally.longest_wins.max(run);
                }
                b'l' => {
                    tally.losses += 1;
                    tally.longest_losses = tally.longest_losses.max(run);
                }
                _ => tally.draws += 1,
            }
        }
        tally
    }

    /// All games.
    #[must_use]
    pub fn games(&self) -> u64 {
        self.wins + self.losses + self.draws + self.none
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    key1: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    key2: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    key3: Option<String>,
    #[diesel(sql_type = Text)]
    results: String,
    #[diesel(sql_type = Timestamptz)]
    first_ended_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    last_ended_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    duration_ms: i64,
    #[diesel(sql_type = BigInt)]
    move_count: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    rating_change: Option<i64>,
}

/// A player's statistics, the largest group first. Without keys there is one group, or none when no game matches. The list's
/// order has to be [`super::Order::OldestFirst`]: streaks are told by it.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn stats(
    connection: &mut AsyncPgConnection,
    list: &GameList,
    grouping: &Grouping,
) -> Result<Vec<GroupStats>, StoreError> {
    let rows: Vec<Row> = page::load(connection, OPERATION, statement(list, grouping)).await?;
    let group = |row: Row| GroupStats {
        group: [row.key1, row.key2, row.key3]
            .into_iter()
            .take(grouping.by.len())
            .collect(),
        tally: Tally::read(&row.results),
        first_ended_at: row.first_ended_at,
        last_ended_at: row.last_ended_at,
        duration_ms: row.duration_ms,
        move_count: row.move_count,
        rating_change: row.rating_change,
    };
    Ok(rows.into_iter().map(group).collect())
}

fn statement(list: &GameList, grouping: &Grouping) -> Sql {
    let covered = predicates::covered(&list.filter) && grouping.by.iter().all(|key| key.covered());
    let mut sql = Sql::new("SELECT ");
    for place in 0..3 {
        let text = grouping
            .by
            .get(place)
            .map_or("NULL", |key| key.expressions().1);
        sql.text(&format!("{text} AS key{}, ", place + 1));
    }
    sql.text(
        "string_agg(result, '') AS results, min(ended_at) AS first_ended_at, max(ended_at) AS last_ended_at, \
         (extract(epoch FROM sum(ended_at - started_at)) * 1000)::bigint AS duration_ms, sum(move_count) AS move_count, \
         sum(rating_after::int8 - rating)::bigint AS rating_change FROM (",
    );
    sql.append(page::matching(list, if covered { COVERED } else { "*" }));
    sql.text(") s");
    for (place, key) in grouping.by.iter().enumerate() {
        sql.text(if place == 0 { " GROUP BY " } else { ", " });
        sql.text(key.expressions().0);
    }
    sql.text(" HAVING count(*) >= ")
        .bind(Value::BigInt(i64::from(grouping.min_games.max(1))))
        .text(" ORDER BY count(*) DESC, 1, 2, 3 LIMIT ")
        .bind(Value::BigInt(i64::from(grouping.limit)));
    sql.set_rare(!grouping.by.is_empty() && !grouping.common);
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streaks_are_told_from_the_order_of_the_results() {
        let tally = Tally::read("winwinlossnonedrawwinwinwinnone");
        assert_eq!(
            (tally.wins, tally.losses, tally.draws, tally.none),
            (5, 1, 1, 2)
        );
        assert_eq!(tally.games(), 9);
        assert_eq!((tally.longest_wins, tally.longest_losses), (3, 1));
        assert_eq!(tally.longest_unbeaten, 4);
        assert_eq!(tally.current, Some(('w', 3)));
        assert_eq!(Tally::read(""), Tally::default());
    }
}
