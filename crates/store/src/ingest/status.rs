//! What an operator asks of the checkpoints: how far, how much of what, and what is stopped.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::Reason;

use super::{IngestSession, Scope};
use crate::StoreError;

/// One partition's checkpoint.
#[derive(Debug, Clone, QueryableByName)]
pub struct CheckpointStatus {
    /// The topic.
    #[diesel(sql_type = Text)]
    pub topic: String,
    /// The partition.
    #[diesel(sql_type = Integer)]
    pub partition: i32,
    /// The first offset that is not committed.
    #[diesel(sql_type = BigInt)]
    pub next_offset: i64,
    /// Where the next owner reads from.
    #[diesel(sql_type = BigInt)]
    pub replay_from: i64,
    /// Records below `next_offset` since the first claim.
    #[diesel(sql_type = BigInt)]
    pub records: i64,
    /// Of them, those that changed a game.
    #[diesel(sql_type = BigInt)]
    pub applied: i64,
    /// Of them, repetitions.
    #[diesel(sql_type = BigInt)]
    pub duplicates: i64,
    /// Of them, those after their game's end.
    #[diesel(sql_type = BigInt)]
    pub late: i64,
    /// Of them, dead letters by [`Reason::ALL`]'s order.
    #[diesel(sql_type = Array<BigInt>)]
    pub dead_letters: Vec<i64>,
    /// When the last batch was committed.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub committed_at: Option<DateTime<Utc>>,
    /// Why the partition is stopped.
    #[diesel(sql_type = Nullable<Text>)]
    pub stopped_reason: Option<String>,
    /// What exactly stopped it.
    #[diesel(sql_type = Nullable<Text>)]
    pub stopped_detail: Option<String>,
}

/// Every checkpoint of a pipeline, in partition order.
///
/// # Errors
/// [`StoreError`] when the query fails.
pub async fn checkpoint_statuses(
    connection: &mut AsyncPgConnection,
    pipeline: &str,
) -> Result<Vec<CheckpointStatus>, StoreError> {
    let dead_letters = Reason::ALL.map(Reason::as_str).join(", ");
    sql_query(format!(
        "SELECT topic, partition, next_offset, replay_from, records, applied, duplicates, late, \
         ARRAY[{dead_letters}] AS dead_letters, committed_at, stopped_reason, stopped_detail \
         FROM stream_checkpoints WHERE pipeline = $1 ORDER BY topic, partition"
    ))
    .bind::<Text, _>(pipeline)
    .load(connection)
    .await
    .map_err(StoreError::query("read the checkpoints"))
}

impl IngestSession {
    /// Notes that a partition is stopped until an operator acts. The note is cleared by a claim
    /// that passes, or for records that can't be read or written by a commit that gets past them.
    ///
    /// # Errors
    /// [`StoreError`] when the statement fails.
    pub async fn record_stop(
        &mut self,
        scope: &Scope,
        reason: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        sql_query(
            "UPDATE stream_checkpoints SET stopped_reason = $4, stopped_detail = $5 \
             WHERE pipeline = $1 AND topic = $2 AND partition = $3",
        )
        .bind::<Text, _>(&scope.pipeline)
        .bind::<Text, _>(&scope.topic)
        .bind::<Integer, _>(scope.partition)
        .bind::<Text, _>(reason)
        .bind::<Text, _>(detail)
        .execute(&mut self.connection)
        .await
        .map_err(StoreError::query("note that a partition is stopped"))?;
        Ok(())
    }
}
