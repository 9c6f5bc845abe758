//! A player's rating by days, and the latest one of each kind of game.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz};
use diesel_async::AsyncPgConnection;

use super::filter::GameList;
use super::page::{self, COVERED};
use super::predicates;
use super::sql::{Sql, Value};
use crate::StoreError;

const OPERATION: &str = "read a player's ratings";

/// A player's rating over one day in UTC.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct RatingDay {
    /// The day's first instant.
    #[diesel(sql_type = Timestamptz)]
    pub day: DateTime<Utc>,
    /// Its games that have a rating.
    #[diesel(sql_type = BigInt)]
    pub games: i64,
    /// The rating before the first game.
    #[diesel(sql_type = Integer)]
    pub open: i32,
    /// The highest rating.
    #[diesel(sql_type = Integer)]
    pub high: i32,
    /// The lowest rating.
    #[diesel(sql_type = Integer)]
    pub low: i32,
    /// The rating after the last game.
    #[diesel(sql_type = Integer)]
    pub close: i32,
}

/// The days of a player's list that have games with a rating, the newest first, at most `limit`. The list's order has to be
/// [`super::Order::OldestFirst`], and its filter has to want ratings.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn rating_days(
    connection: &mut AsyncPgConnection,
    list: &GameList,
    limit: u32,
) -> Result<Vec<RatingDay>, StoreError> {
    // Arrays keep the order of the games: their first and last elements open and close the day.
    let mut sql = Sql::new(
        "SELECT day, cardinality(befores)::bigint AS games, befores[1] AS open, high, low, \
         afters[cardinality(afters)] AS close FROM (\
         SELECT date_trunc('day', ended_at, 'UTC') AS day, array_agg(coalesce(rating, rating_after)) AS befores, \
         array_agg(coalesce(rating_after, rating)) AS afters, max(greatest(rating, rating_after)) AS high, \
         min(least(rating, rating_after)) AS low FROM (",
    );
    let covered = predicates::covered(&list.filter);
    sql.append(page::matching(list, if covered { COVERED } else { "*" }));
    sql.text(") s GROUP BY 1) d ORDER BY day DESC LIMIT ")
        .bind(Value::BigInt(i64::from(limit)));
    page::load(connection, OPERATION, sql).await
}

/// The latest rating of a kind of game.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub struct LatestRating {
    #[diesel(sql_type = Text)]
    pub game: String,
    #[diesel(sql_type = Text)]
    pub variant: String,
    #[diesel(sql_type = Text)]
    pub mode: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub time_control: Option<String>,
    #[diesel(sql_type = Integer)]
    pub rating: i32,
    #[diesel(sql_type = Timestamptz)]
    pub ended_at: DateTime<Utc>,
}

/// How many of a player's newest games are looked at for ratings.
const NEWEST: i64 = 10_000;

/// The latest rating of each game, variant, mode and time control among a player's newest 10,000 games that have one, the latest
/// first. The list's order has to be [`super::Order::NewestFirst`], and its filter has to want ratings.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn latest_ratings(
    connection: &mut AsyncPgConnection,
    list: &GameList,
) -> Result<Vec<LatestRating>, StoreError> {
    let mut sql = Sql::new(
        "SELECT game, variant, mode, time_control, ratings[1] AS rating, ended_at FROM (\
         SELECT game, variant, mode, time_control, max(ended_at) AS ended_at, \
         array_agg(coalesce(rating_after, rating)) AS ratings FROM (",
    );
    sql.append(page::matching(list, COVERED));
    sql.text(" LIMIT ").bind(Value::BigInt(NEWEST));
    sql.text(
        ") s GROUP BY 1, 2, 3, 4) r ORDER BY ended_at DESC, game, variant, mode, time_control",
    );
    page::load(connection, OPERATION, sql).await
}
