//! Taking a partition: a new token, and everything a fold needs to go on from where the last commit ended.

use diesel::sql_types::{BigInt, Binary, Integer, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::GameId;
use futures::TryStreamExt;
use uuid::Uuid;

use super::{IngestSession, Scope};
use crate::StoreError;

/// What to claim, and what the topic looks like now.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The partition.
    pub scope: Scope,
    /// The Kafka cluster's id.
    pub cluster_id: String,
    /// How many partitions the topic has.
    pub partition_count: i32,
    /// Where to begin when the partition was never read: its oldest record.
    pub first_offset: i64,
}

/// A claimed partition.
#[derive(Debug)]
pub struct Claim {
    /// The token that every commit of this owner must show.
    pub token: Uuid,
    /// The first offset that was not committed: effects begin here.
    pub next_offset: i64,
    /// The offset to read from.
    pub replay_from: i64,
    /// The games in progress, as of their snapshots.
    pub live_games: Vec<ClaimedGame>,
}

/// A game in progress as its snapshot has it.
#[derive(Debug)]
pub struct ClaimedGame {
    /// Its id.
    pub game_id: GameId,
    /// The last offset its state covers.
    pub as_of_offset: i64,
    /// [`domain::LiveGame::encode`]'s bytes.
    pub state: Vec<u8>,
}

/// Why a partition must not be read: its checkpoint belongs to another log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefused {
    /// The topic was deleted and made again, or the cluster is another one.
    #[error(
        "the checkpoint was made on topic id {recorded_topic} of cluster {recorded_cluster}, the topic now has id {topic} on \
         cluster {cluster}: its offsets mean other records"
    )]
    TopicRecreated {
        /// The topic id in the checkpoint.
        recorded_topic: String,
        /// The cluster id in the checkpoint.
        recorded_cluster: String,
        /// The topic id now.
        topic: String,
        /// The cluster id now.
        cluster: String,
    },
    /// The topic has another number of partitions, so games may have changed partition midway.
    #[error(
        "the checkpoint was made when the topic had {recorded} partitions, it now has {now}: grow by a new topic"
    )]
    PartitionCountChanged {
        /// The count in the checkpoint.
        recorded: i32,
        /// The count now.
        now: i32,
    },
}

impl ClaimRefused {
    /// The name in `stopped_reason`, the metrics and the log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TopicRecreated { .. } => "topic_recreated",
            Self::PartitionCountChanged { .. } => "partition_count_changed",
        }
    }
}

#[derive(QueryableByName)]
struct CheckpointRow {
    #[diesel(sql_type = Text)]
    topic_id: String,
    #[diesel(sql_type = Text)]
    cluster_id: String,
    #[diesel(sql_type = Integer)]
    partition_count: i32,
    #[diesel(sql_type = BigInt)]
    next_offset: i64,
    #[diesel(sql_type = BigInt)]
    replay_from: i64,
}

#[derive(QueryableByName)]
struct LiveGameRow {
    #[diesel(sql_type = Text)]
    game_id: String,
    #[diesel(sql_type = BigInt)]
    as_of_offset: i64,
    #[diesel(sql_type = Binary)]
    state: Vec<u8>,
}

impl IngestSession {
    /// Claims a partition in one transaction. The former owner, if it still lives, can't commit any more.
    ///
    /// # Errors
    /// [`StoreError`] when the session failed: it must not be used again.
    pub async fn claim(
        &mut self,
        request: &ClaimRequest,
    ) -> Result<Result<Claim, ClaimRefused>, StoreError> {
        let connection = &mut self.connection;
        begin(connection).await?;
        let checkpoint = lock_checkpoint(connection, request).await?;
        let sibling = other_log(connection, request).await?;
        let refused = refuse(&checkpoint, request)
            .or_else(|| sibling.and_then(|sibling| refuse(&sibling, request)));
        if let Some(refused) = refused {
            connection
                .batch_execute("ROLLBACK")
                .await
                .map_err(StoreError::query("roll a claim back"))?;
            return Ok(Err(refused));
        }
        let token = Uuid::new_v4();
        let scope = &request.scope;
        // What a claim would have found is over. Records that can't be read or written show only when they come again: that
        // note stays until a commit gets past them.
        sql_query(
            "UPDATE stream_checkpoints SET token = $4, claimed_at = now(), \
             stopped_reason = CASE WHEN stopped_reason IN ('unreadable_run', 'batch_refused') THEN stopped_reason END, \
             stopped_detail = CASE WHEN stopped_reason IN ('unreadable_run', 'batch_refused') THEN stopped_detail END \
             WHERE pipeline = $1 AND topic = $2 AND partition = $3",
        )
        .bind::<Text, _>(&scope.pipeline)
        .bind::<Text, _>(&scope.topic)
        .bind::<Integer, _>(scope.partition)
        .bind::<SqlUuid, _>(token)
        .execute(connection)
        .await
        .map_err(StoreError::query("write a claim's token"))?;
        let live_games = load_live_games(connection, scope.partition).await?;
        connection
            .batch_execute("COMMIT")
            .await
            .map_err(StoreError::query("commit a claim"))?;
        let CheckpointRow {
            next_offset,
            replay_from,
            ..
        } = checkpoint;
        Ok(Ok(Claim {
            token,
            next_offset,
            replay_from,
            live_games,
        }))
    }
}

async fn begin(connection: &mut AsyncPgConnection) -> Result<(), StoreError> {
    connection
        .batch_execute("BEGIN")
        .await
        .map_err(StoreError::query("begin a claim"))
}

async fn lock_checkpoint(
    connection: &mut AsyncPgConnection,
    request: &ClaimRequest,
) -> Result<CheckpointRow, StoreError> {
    let scope = &request.scope;
    sql_query(
        "INSERT INTO stream_checkpoints (pipeline, topic, partition, topic_id, cluster_id, partition_count, token, \
         next_offset, replay_from) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING",
    )
    .bind::<Text, _>(&scope.pipeline)
    .bind::<Text, _>(&scope.topic)
    .bind::<Integer, _>(scope.partition)
    .bind::<Text, _>(&scope.topic_id)
    .bind::<Text, _>(&request.cluster_id)
    .bind::<Integer, _>(request.partition_count)
    .bind::<SqlUuid, _>(Uuid::new_v4())
    .bind::<BigInt, _>(request.first_offset)
    .execute(connection)
    .await
    .map_err(StoreError::query("make a checkpoint"))?;
    sql_query(
        "SELECT topic_id, cluster_id, partition_count, next_offset, replay_from FROM stream_checkpoints \
         WHERE pipeline = $1 AND topic = $2 AND partition = $3 FOR UPDATE",
    )
    .bind::<Text, _>(&scope.pipeline)
    .bind::<Text, _>(&scope.topic)
    .bind::<Integer, _>(scope.partition)
    .get_result::<CheckpointRow>(connection)
    .await
    .map_err(StoreError::query("read a checkpoint"))
}

/// A checkpoint of the same topic that was made on another log. A partition that nobody has claimed before must not be read
/// either then: after a change of the partition count it holds the rest of games that began on the others.
async fn other_log(
    connection: &mut AsyncPgConnection,
    request: &ClaimRequest,
) -> Result<Option<CheckpointRow>, StoreError> {
    let scope = &request.scope;
    sql_query(
        "SELECT topic_id, cluster_id, partition_count, next_offset, replay_from FROM stream_checkpoints \
         WHERE pipeline = $1 AND topic = $2 AND (topic_id, cluster_id, partition_count) <> ($3, $4, $5) \
         ORDER BY partition LIMIT 1",
    )
    .bind::<Text, _>(&scope.pipeline)
    .bind::<Text, _>(&scope.topic)
    .bind::<Text, _>(&scope.topic_id)
    .bind::<Text, _>(&request.cluster_id)
    .bind::<Integer, _>(request.partition_count)
    .get_result::<CheckpointRow>(connection)
    .await
    .optional()
    .map_err(StoreError::query("read the other partitions' checkpoints"))
}

fn refuse(checkpoint: &CheckpointRow, request: &ClaimRequest) -> Option<ClaimRefused> {
    if checkpoint.topic_id != request.scope.topic_id || checkpoint.cluster_id != request.cluster_id
    {
        return Some(ClaimRefused::TopicRecreated {
            recorded_topic: checkpoint.topic_id.clone(),
            recorded_cluster: checkpoint.cluster_id.clone(),
            topic: request.scope.topic_id.clone(),
            cluster: request.cluster_id.clone(),
        });
    }
    (checkpoint.partition_count != request.partition_count).then_some(
        ClaimRefused::PartitionCountChanged {
            recorded: checkpoint.partition_count,
            now: request.partition_count,
        },
    )
}

async fn load_live_games(
    connection: &mut AsyncPgConnection,
    partition: i32,
) -> Result<Vec<ClaimedGame>, StoreError> {
    let failed = StoreError::query("load live games");
    let mut rows =
        sql_query("SELECT game_id, as_of_offset, state FROM live_games WHERE partition = $1")
            .bind::<Integer, _>(partition)
            .load_stream::<LiveGameRow>(connection)
            .await
            .map_err(&failed)?;
    let mut games = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(&failed)? {
        let game_id = GameId::try_from(row.game_id).map_err(|source| StoreError::Damaged {
            operation: "reading a game id",
            detail: format!("{}: {source}", "live_games.game_id"),
        })?;
        games.push(ClaimedGame {
            game_id,
            as_of_offset: row.as_of_offset,
            state: row.state,
        });
    }
    Ok(games)
}
