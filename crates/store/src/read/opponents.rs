//! Who a player played against.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text, Timestamptz};
use diesel_async::AsyncPgConnection;

use super::filter::GameList;
use super::page;
use super::sql::{Sql, Value};
use crate::StoreError;

/// One opponent of a player, and how the player fared.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Opponent {
    /// Who.
    #[diesel(sql_type = Text)]
    pub opponent: String,
    /// Games against them.
    #[diesel(sql_type = BigInt)]
    pub games: i64,
    /// Games that the player won.
    #[diesel(sql_type = BigInt)]
    pub wins: i64,
    /// Games that the player lost.
    #[diesel(sql_type = BigInt)]
    pub losses: i64,
    /// Games drawn.
    #[diesel(sql_type = BigInt)]
    pub draws: i64,
    /// When the last of them ended.
    #[diesel(sql_type = Timestamptz)]
    pub last_ended_at: DateTime<Utc>,
}

/// Where to go on in the list of opponents: behind the one with so many games and this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpponentPlace {
    /// Games against them.
    pub games: i64,
    /// Who.
    pub opponent: String,
}

/// Up to `limit` opponents of a player, over the games that match, the most frequent first, behind `after`.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn opponents(
    connection: &mut AsyncPgConnection,
    list: &GameList,
    min_games: u32,
    after: Option<&OpponentPlace>,
    limit: u32,
) -> Result<Vec<Opponent>, StoreError> {
    let mut sql = Sql::new(
        "SELECT opponent, count(*) AS games, count(*) FILTER (WHERE result = 'win') AS wins, \
         count(*) FILTER (WHERE result = 'loss') AS losses, count(*) FILTER (WHERE result = 'draw') AS draws, \
         max(ended_at) AS last_ended_at FROM (SELECT opponent, result, ended_at FROM (",
    );
    // Nearly every game has one opponent, whom the index of its row names; the others' rows have an index of their own.
    let columns = "opponent, result, ended_at";
    sql.append(page::matching_also(list, columns, "opponent IS NOT NULL"));
    sql.text(") one UNION ALL SELECT o.opponent, result, ended_at FROM (");
    let columns = "opponents, result, ended_at";
    sql.append(page::matching_also(list, columns, "opponent IS NULL"));
    sql.text(") several CROSS JOIN LATERAL unnest(opponents) AS o(opponent)) s GROUP BY opponent HAVING count(*) >= ")
        .bind(Value::BigInt(i64::from(min_games.max(1))));
    if let Some(after) = after {
        sql.text(" AND (count(*) < ")
            .bind(Value::BigInt(after.games))
            .text(" OR (count(*) = ")
            .bind(Value::BigInt(after.games))
            .text(" AND opponent > ")
            .bind(Value::Text(after.opponent.clone()))
            .text("))");
    }
    sql.text(" ORDER BY count(*) DESC, opponent LIMIT ")
        .bind(Value::BigInt(i64::from(limit)));
    page::load(connection, "read a player's opponents", sql).await
}
