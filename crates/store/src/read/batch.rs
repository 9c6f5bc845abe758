//! Many games at once: by their ids, or by their places.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Binary, Integer, Text, Timestamptz};
use diesel_async::AsyncPgConnection;
use domain::GameId;

use super::filter::Place;
use super::game::{self, Departed, FoundGame, Row, StoredGame};
use super::page::load;
use super::sql::{Sql, Value};
use crate::StoreError;

const OPERATION: &str = "read games";

#[derive(QueryableByName)]
struct DirectoryRow {
    #[diesel(sql_type = Text)]
    game_id: String,
    #[diesel(sql_type = Timestamptz)]
    ended_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    end: String,
    #[diesel(sql_type = Text)]
    topic_id: String,
    #[diesel(sql_type = Integer)]
    partition: i32,
    #[diesel(sql_type = BigInt)]
    end_offset: i64,
}

#[derive(QueryableByName)]
struct LiveRow {
    #[diesel(sql_type = Text)]
    game_id: String,
    #[diesel(sql_type = BigInt)]
    as_of_offset: i64,
    #[diesel(sql_type = Binary)]
    state: Vec<u8>,
}

#[derive(QueryableByName)]
struct WholeRow {
    #[diesel(embed)]
    columns: Row,
    #[diesel(sql_type = Text)]
    directory_end: String,
    #[diesel(sql_type = Integer)]
    revision: i32,
}

/// Finds games by their ids, in the order of the ids.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked, [`StoreError::Damaged`] when what it stores can't be read.
pub async fn games(
    connection: &mut AsyncPgConnection,
    ids: &[GameId],
) -> Result<Vec<FoundGame>, StoreError> {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    // Live games first: a game that ends between the statements is then in the directory.
    let mut sql =
        Sql::new("SELECT game_id, as_of_offset, state FROM live_games WHERE game_id = ANY(");
    sql.bind(Value::Texts(texts.clone())).text(")");
    let live: Vec<LiveRow> = load(connection, OPERATION, sql).await?;
    let mut sql = Sql::new(
        "SELECT game_id, ended_at, \"end\", topic_id, partition, end_offset FROM game_directory WHERE game_id = ANY(",
    );
    sql.bind(Value::Texts(texts)).text(")");
    let ended: Vec<DirectoryRow> = load(connection, OPERATION, sql).await?;

    let mut live: HashMap<String, LiveRow> = live
        .into_iter()
        .map(|row| (row.game_id.clone(), row))
        .collect();
    let mut ended: HashMap<String, DirectoryRow> = ended
        .into_iter()
        .map(|row| (row.game_id.clone(), row))
        .collect();
    let places: Vec<Place> = ids
        .iter()
        .filter_map(|id| {
            let row = ended.get(id.as_str())?;
            Some(Place {
                ended_at: row.ended_at,
                game_id: id.clone(),
            })
        })
        .collect();
    let mut stored: HashMap<String, StoredGame> = games_at(connection, &places)
        .await?
        .into_iter()
        .map(|stored| (stored.game.id.to_string(), stored))
        .collect();
    let find = |id: &GameId| {
        if let Some(stored) = stored.remove(id.as_str()) {
            return Ok(FoundGame::Finished(Box::new(stored)));
        }
        if let Some(row) = ended.remove(id.as_str()) {
            return Ok(FoundGame::Gone(Departed {
                game_id: id.clone(),
                ended_at: row.ended_at,
                end: row.end,
                topic_id: row.topic_id,
                partition: row.partition,
                end_offset: row.end_offset,
            }));
        }
        Ok(match live.remove(id.as_str()) {
            Some(row) => {
                FoundGame::Live(Box::new(game::live_snapshot(row.as_of_offset, &row.state)?))
            }
            None => FoundGame::Unknown,
        })
    };
    ids.iter().map(find).collect()
}

/// Reads finished games by their places, in the order of the places. What retention has removed meanwhile is left out.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked, [`StoreError::Damaged`] when what it stores can't be read.
pub async fn games_at(
    connection: &mut AsyncPgConnection,
    places: &[Place],
) -> Result<Vec<StoredGame>, StoreError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let ids = places.iter().map(|place| place.game_id.to_string());
    let times = places.iter().map(|place| place.ended_at);
    let mut sql = Sql::new("SELECT g.*, d.directory_end, d.revision FROM unnest(");
    sql.bind(Value::Texts(ids.collect()))
        .text(", ")
        .bind(Value::Times(times.collect()))
        // LATERAL with a LIMIT: one look-up a game in its one partition, never a join over all of them.
        .text(
            ") WITH ORDINALITY AS k(game_id, ended_at, n) \
             CROSS JOIN LATERAL (SELECT * FROM games WHERE games.game_id = k.game_id AND games.ended_at = k.ended_at LIMIT 1) g \
             CROSS JOIN LATERAL (SELECT d.\"end\" AS directory_end, d.revision FROM game_directory d \
             WHERE d.game_id = k.game_id LIMIT 1) d ORDER BY k.n",
        );
    let rows: Vec<WholeRow> = load(connection, OPERATION, sql).await?;
    rows.into_iter()
        .map(|whole| game::stored(whole.columns, whole.directory_end, whole.revision))
        .collect()
}

/// Where a finished game stands in every list; `None` for a game that has not ended, or is unknown.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn place_of(
    connection: &mut AsyncPgConnection,
    id: &GameId,
) -> Result<Option<Place>, StoreError> {
    let mut sql = Sql::new(
        "SELECT game_id, ended_at, \"end\", topic_id, partition, end_offset FROM game_directory WHERE game_id = ",
    );
    sql.bind(Value::Text(id.to_string()));
    let rows: Vec<DirectoryRow> = load(connection, OPERATION, sql).await?;
    Ok(rows.first().map(|row| Place {
        ended_at: row.ended_at,
        game_id: id.clone(),
    }))
}
