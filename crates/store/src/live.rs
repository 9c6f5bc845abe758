//! Games in progress, as those see them who do not own their partition.

use std::time::Duration;

use diesel::sql_types::{BigInt, Binary, Double, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::GameId;

use crate::StoreError;

/// A game whose snapshot has not changed for long.
#[derive(Debug, Clone)]
pub struct IdleGame {
    /// Its id.
    pub game_id: GameId,
    /// [`domain::LiveGame::encode`]'s bytes.
    pub state: Vec<u8>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    game_id: String,
    #[diesel(sql_type = Binary)]
    state: Vec<u8>,
}

/// The games whose snapshots are older than `idle_for` by the database's clock, the oldest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when the query fails.
pub async fn idle_games(
    connection: &mut AsyncPgConnection,
    idle_for: Duration,
    limit: u32,
) -> Result<Vec<IdleGame>, StoreError> {
    let rows: Vec<Row> = sql_query(
        "SELECT game_id, state FROM live_games WHERE snapshotted_at < now() - make_interval(secs => $1) \
         ORDER BY snapshotted_at LIMIT $2",
    )
    .bind::<Double, _>(idle_for.as_secs_f64())
    .bind::<BigInt, _>(i64::from(limit))
    .load(connection)
    .await
    .map_err(StoreError::query("looking for idle games"))?;
    rows.into_iter()
        .map(|row| {
            let game_id = GameId::try_from(row.game_id).map_err(|source| StoreError::Damaged {
                operation: "looking for idle games",
                detail: format!("live_games.game_id: {source}"),
            })?;
            Ok(IdleGame {
                game_id,
                state: row.state,
            })
        })
        .collect()
}
