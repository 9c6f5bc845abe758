//! How many games a list has.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::AsyncPgConnection;

use super::filter::GameList;
use super::page;
use crate::StoreError;

/// The most games a count looks at: some tenths of a second.
const MOST: u32 = 100_000;

/// How many games match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Those that were found.
    pub games: i64,
    /// Whether every game was looked at. Else there may be more.
    pub exact: bool,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    looked: i64,
    #[diesel(sql_type = BigInt)]
    matched: i64,
}

/// Counts the games of a list, looking at no more than 100,000 of them.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn count(
    connection: &mut AsyncPgConnection,
    list: &GameList,
) -> Result<Count, StoreError> {
    let (statement, most) = page::counting(list, MOST);
    let rows: Vec<Row> = page::load(connection, "count games", statement).await?;
    let row = rows.first();
    Ok(Count {
        games: row.map_or(0, |row| row.matched),
        exact: row.is_none_or(|row| row.looked < most),
    })
}
