//! Reading dead letters: which there are, and one of them whole.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::StoreError;

/// Which dead letters to list.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only those with this reason.
    pub reason: Option<String>,
    /// Only those of this partition.
    pub partition: Option<i32>,
    /// Only those that name this game.
    pub game_id: Option<String>,
    /// Only those written before this time: the time of the last one of the page before.
    pub before: Option<DateTime<Utc>>,
    /// At most so many.
    pub limit: i64,
}

/// A dead letter without its record.
#[derive(Debug, Clone, QueryableByName)]
pub struct DeadLetterLine {
    /// The partition.
    #[diesel(sql_type = Integer)]
    pub partition: i32,
    /// The offset.
    #[diesel(sql_type = BigInt)]
    pub offset: i64,
    /// The reason.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// What exactly is wrong.
    #[diesel(sql_type = Text)]
    pub detail: String,
    /// The game it names.
    #[diesel(sql_type = Nullable<Text>)]
    pub game_id: Option<String>,
    /// When it was written.
    #[diesel(sql_type = Timestamptz)]
    pub written_at: DateTime<Utc>,
}

/// The record of a dead letter.
#[derive(Debug, Clone, QueryableByName)]
pub struct DeadLetterRecord {
    /// Its line.
    #[diesel(embed)]
    pub line: DeadLetterLine,
    /// The topic.
    #[diesel(sql_type = Text)]
    pub topic: String,
    /// The topic's id.
    #[diesel(sql_type = Text)]
    pub topic_id: String,
    /// The key.
    #[diesel(sql_type = Nullable<Binary>)]
    pub key: Option<Vec<u8>>,
    /// The value.
    #[diesel(sql_type = Nullable<Binary>)]
    pub raw: Option<Vec<u8>>,
    /// The headers: `[["name", "base64" or null], …]`.
    #[diesel(sql_type = Jsonb)]
    pub headers: Value,
    /// The record's own timestamp.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub recorded_at: Option<DateTime<Utc>>,
}

/// How many dead letters a reason has.
#[derive(Debug, Clone, QueryableByName)]
pub struct ReasonCount {
    /// The reason.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
    /// When the last one was written.
    #[diesel(sql_type = Timestamptz)]
    pub last_written_at: DateTime<Utc>,
}

/// Dead letters of a pipeline, the newest first.
///
/// # Errors
/// [`StoreError`] when the query fails.
pub async fn list(
    connection: &mut AsyncPgConnection,
    pipeline: &str,
    filter: &DeadLetterFilter,
) -> Result<Vec<DeadLetterLine>, StoreError> {
    sql_query(
        "SELECT partition, \"offset\", reason, detail, game_id, written_at FROM dead_letters \
         WHERE pipeline = $1 AND ($2 IS NULL OR reason = $2) AND ($3 IS NULL OR partition = $3) \
         AND ($4 IS NULL OR game_id = $4) AND ($5 IS NULL OR written_at < $5) \
         ORDER BY written_at DESC, partition, \"offset\" DESC LIMIT $6",
    )
    .bind::<Text, _>(pipeline)
    .bind::<Nullable<Text>, _>(filter.reason.as_deref())
    .bind::<Nullable<Integer>, _>(filter.partition)
    .bind::<Nullable<Text>, _>(filter.game_id.as_deref())
    .bind::<Nullable<Timestamptz>, _>(filter.before)
    .bind::<BigInt, _>(filter.limit)
    .load(connection)
    .await
    .map_err(StoreError::query("list dead letters"))
}

/// One dead letter with its record; of several topics with the same offset, the newest.
///
/// # Errors
/// [`StoreError`] when the query fails.
pub async fn find(
    connection: &mut AsyncPgConnection,
    pipeline: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<DeadLetterRecord>, StoreError> {
    sql_query(
        "SELECT partition, \"offset\", reason, detail, game_id, written_at, topic, topic_id, key, raw, headers, recorded_at \
         FROM dead_letters WHERE pipeline = $1 AND partition = $2 AND \"offset\" = $3 ORDER BY written_at DESC LIMIT 1",
    )
    .bind::<Text, _>(pipeline)
    .bind::<Integer, _>(partition)
    .bind::<BigInt, _>(offset)
    .get_result(connection)
    .await
    .optional()
    .map_err(StoreError::query("read a dead letter"))
}

/// How many dead letters there are by reason, the most first.
///
/// # Errors
/// [`StoreError`] when the query fails.
pub async fn stats(
    connection: &mut AsyncPgConnection,
    pipeline: &str,
) -> Result<Vec<ReasonCount>, StoreError> {
    sql_query(
        "SELECT reason, count(*) AS count, max(written_at) AS last_written_at FROM dead_letters \
         WHERE pipeline = $1 GROUP BY reason ORDER BY count DESC, reason",
    )
    .bind::<Text, _>(pipeline)
    .load(connection)
    .await
    .map_err(StoreError::query("count dead letters"))
}
