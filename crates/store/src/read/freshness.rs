//! How far what can be read lags behind what has happened.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable};
use diesel_async::AsyncPgConnection;

use super::page::load;
use super::sql::Sql;
use crate::StoreError;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<BigInt>)]
    lag_ms: Option<i64>,
}

/// The projection's lag in milliseconds: how long the newest game took from its end until it could be read; or, while a
/// partition is stopped, how long that has written nothing, if that is more. `None` while there is no game.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn projection_lag_ms(
    connection: &mut AsyncPgConnection,
) -> Result<Option<i64>, StoreError> {
    let statement = Sql::new(
        "SELECT (extract(epoch FROM greatest(newest.lag, stopped.lag)) * 1000)::bigint AS lag_ms FROM \
         (SELECT (SELECT greatest(written_at - ended_at, interval '0') FROM games \
          ORDER BY ended_at DESC, game_id DESC LIMIT 1) AS lag) newest, \
         (SELECT max(now() - coalesce(committed_at, claimed_at)) AS lag FROM stream_checkpoints \
          WHERE stopped_reason IS NOT NULL) stopped",
    );
    let rows: Vec<Row> = load(connection, "read the projection's lag", statement).await?;
    Ok(rows.first().and_then(|row| row.lag_ms))
}
