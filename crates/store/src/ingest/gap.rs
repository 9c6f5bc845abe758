//! Going on behind a hole in the log, by an operator's word.

use diesel::sql_types::{BigInt, Integer, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

use crate::StoreError;

/// What an operator accepts as lost.
#[derive(Debug, Clone)]
pub struct GapAcceptance<'a> {
    /// The pipeline.
    pub pipeline: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset of the log's oldest record: reading goes on here.
    pub first_offset: i64,
    /// Why, for those who come after.
    pub reason: &'a str,
    /// Who.
    pub accepted_by: &'a str,
}

/// What was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct AcceptedGap {
    /// `next_offset` before.
    #[diesel(sql_type = BigInt)]
    pub next_offset: i64,
    /// `replay_from` before.
    #[diesel(sql_type = BigInt)]
    pub replay_from: i64,
}

const FAILED: &str = "accept a gap";

/// Moves a checkpoint to the log's oldest record, fences its owner, and records who accepted what. `None` when there is no
/// gap to accept: the checkpoint is unknown, or nothing it needs is missing.
///
/// # Errors
/// [`StoreError`] when the transaction fails; nothing is changed then.
pub async fn accept_gap(
    connection: &mut AsyncPgConnection,
    gap: &GapAcceptance<'_>,
) -> Result<Option<AcceptedGap>, StoreError> {
    connection
        .batch_execute("BEGIN")
        .await
        .map_err(StoreError::query(FAILED))?;
    let accepted = move_checkpoint(connection, gap).await;
    let end = if matches!(accepted, Ok(Some(_))) {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    connection
        .batch_execute(end)
        .await
        .map_err(StoreError::query(FAILED))?;
    accepted
}

async fn move_checkpoint(
    connection: &mut AsyncPgConnection,
    gap: &GapAcceptance<'_>,
) -> Result<Option<AcceptedGap>, StoreError> {
    let before: Option<AcceptedGap> = sql_query(
        "SELECT next_offset, replay_from FROM stream_checkpoints \
         WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND replay_from < $4 FOR UPDATE",
    )
    .bind::<Text, _>(gap.pipeline)
    .bind::<Text, _>(gap.topic)
    .bind::<Integer, _>(gap.partition)
    .bind::<BigInt, _>(gap.first_offset)
    .get_result(connection)
    .await
    .optional()
    .map_err(StoreError::query(FAILED))?;
    let Some(before) = before else {
        return Ok(None);
    };
    sql_query(
        "WITH moved AS ( \
           UPDATE stream_checkpoints SET next_offset = greatest(next_offset, $4), replay_from = $4, token = $5, \
             stopped_reason = NULL, stopped_detail = NULL \
           WHERE pipeline = $1 AND topic = $2 AND partition = $3 RETURNING topic_id, next_offset) \
         INSERT INTO accepted_gaps (pipeline, topic, topic_id, partition, from_offset, to_offset, replay_from, reason, accepted_by) \
         SELECT $1, $2, topic_id, $3, $6, next_offset, $7, $8, $9 FROM moved",
    )
    .bind::<Text, _>(gap.pipeline)
    .bind::<Text, _>(gap.topic)
    .bind::<Integer, _>(gap.partition)
    .bind::<BigInt, _>(gap.first_offset)
    .bind::<SqlUuid, _>(Uuid::new_v4())
    .bind::<BigInt, _>(before.next_offset)
    .bind::<BigInt, _>(before.replay_from)
    .bind::<Text, _>(gap.reason)
    .bind::<Text, _>(gap.accepted_by)
    .execute(connection)
    .await
    .map_err(StoreError::query(FAILED))?;
    Ok(Some(before))
}
