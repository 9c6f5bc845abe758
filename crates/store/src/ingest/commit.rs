//! One batch, one transaction.
//!
//! The first statement advances the checkpoint where token and base are the owner's, and is awaited: only when it hit one row
//! does anything else go out. A zombie's batch therefore never reaches its inserts. A COMMIT whose answer is lost is a doubt,
//! not a failure: the caller forgets the session and claims again, and what the log says then is right either way.

use std::collections::HashSet;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{BigInt, Integer, Text, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{EventTime, GameId, Reason};

use super::rows::{self, Shelf};
use super::{Batch, Counts, DeadLetter, IngestSession};
use crate::StoreError;
use crate::kept::Keep as _;

/// What a commit did beyond what its batch said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Games that another partition had finished first: their ends became dead letters.
    pub split: Vec<GameId>,
}

/// Why a batch is not committed, or not known to be.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The checkpoint is not where this owner left it: another one has claimed the partition, or the database was put back.
    #[error("fenced: the checkpoint is not where this owner left it")]
    Fenced,
    /// The session is gone or the COMMIT's answer is lost: whether the batch is committed is unknown.
    #[error("the session is lost while committing: {0}")]
    SessionLost(DieselError),
    /// A finished game's month has no partition. Nothing is committed; make it and commit again.
    #[error("no partition for a finished game's month: {0}")]
    MissingPartition(DieselError),
    /// A finished game's month has no partition and none could be made yet. Nothing is committed; commit again later.
    #[error("a partition could not be made: {0}")]
    PartitionsNotReady(StoreError),
    /// The world's fault, rolled back. Nothing is committed; commit again later.
    #[error("rolled back: {0}")]
    Retry(DieselError),
    /// The database refuses what the batch says. Nothing is committed, and committing again would fail again.
    #[error("the database refuses the batch: {0}")]
    Refused(DieselError),
}

impl CommitError {
    fn of_statement(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(kind, info) => match kind {
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                    Self::SessionLost(error)
                }
                DatabaseErrorKind::CheckViolation
                    if info.message().starts_with("no partition of relation") =>
                {
                    Self::MissingPartition(error)
                }
                DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation => Self::Refused(error),
                _ => Self::Retry(error),
            },
            DieselError::SerializationError(_) | DieselError::QueryBuilderError(_) => {
                Self::Refused(error)
            }
            _ => Self::SessionLost(error),
        }
    }
}

#[derive(QueryableByName)]
pub(super) struct GameRow {
    #[diesel(sql_type = Text)]
    pub(super) game_id: String,
}

impl IngestSession {
    /// Commits a batch. Finished games below `retention_floor` have no partition to go to: beside their directory entry their rows
    /// are kept for the summaries, see [`crate::retention`].
    ///
    /// # Errors
    /// [`CommitError`]; after `SessionLost` and `Fenced` the session's claims on the partition are void.
    pub async fn commit(
        &mut self,
        batch: &Batch,
        retention_floor: Option<EventTime>,
    ) -> Result<Committed, CommitError> {
        let connection = &mut self.connection;
        match write(connection, batch, retention_floor).await {
            Ok(committed) => {
                // Any failure here leaves the outcome unknown, whatever its kind.
                connection
                    .batch_execute("COMMIT")
                    .await
                    .map_err(CommitError::SessionLost)?;
                Ok(committed)
            }
            Err(CommitError::SessionLost(error)) => Err(CommitError::SessionLost(error)),
            Err(error) => {
                connection
                    .batch_execute("ROLLBACK")
                    .await
                    .map_err(CommitError::SessionLost)?;
                Err(error)
            }
        }
    }
}

async fn write(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
    retention_floor: Option<EventTime>,
) -> Result<Committed, CommitError> {
    connection
        .batch_execute("BEGIN")
        .await
        .map_err(CommitError::SessionLost)?;
    advance_checkpoint(connection, batch).await?;
    let split = write_directory(connection, batch).await?;
    let (hot, below_floor): (Vec<_>, Vec<_>) = batch
        .finished
        .iter()
        .filter(|finished| !split.contains(finished.game.id.as_str()))
        .partition(|finished| retention_floor.is_none_or(|floor| finished.game.ended_at >= floor));
    for (shelf, finished) in [(Shelf::Hot, hot), (Shelf::BelowFloor, below_floor)] {
        rows::insert_games(connection, shelf, &finished)
            .await
            .map_err(CommitError::of_statement)?;
        rows::insert_player_games(connection, shelf, &finished)
            .await
            .map_err(CommitError::of_statement)?;
    }
    rows::write_live_games(connection, batch)
        .await
        .map_err(CommitError::of_statement)?;
    let dead: Vec<DeadLetter> = split_letters(batch, &split);
    rows::insert_dead_letters(
        connection,
        &batch.scope,
        batch.dead_letters.iter().chain(&dead),
    )
    .await
    .map_err(CommitError::of_statement)?;
    if !split.is_empty() {
        recount_split_keys(connection, batch, split.len()).await?;
    }
    let split = batch
        .finished
        .iter()
        .map(|f| &f.game.id)
        .filter(|id| split.contains(id.as_str()))
        .cloned()
        .collect();
    Ok(Committed { split })
}

/// The compare-and-set that everything hangs on.
async fn advance_checkpoint(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
) -> Result<(), CommitError> {
    let (scope, counts) = (&batch.scope, &batch.counts);
    let Counts {
        applied,
        duplicates,
        late,
        ..
    } = *counts;
    let updated = sql_query(
        "UPDATE stream_checkpoints SET next_offset = $6, replay_from = $7, committed_at = now(), \
         records = records + $8, applied = applied + $9, duplicates = duplicates + $10, late = late + $11, \
         undecodable = undecodable + $12, unsupported = unsupported + $13, key_mismatch = key_mismatch + $14, \
         invalid = invalid + $15, conflict = conflict + $16, orphan = orphan + $17, gap_overflow = gap_overflow + $18, \
         split_key = split_key + $19, \
         stopped_reason = CASE WHEN next_offset = $6 THEN stopped_reason END, \
         stopped_detail = CASE WHEN next_offset = $6 THEN stopped_detail END \
         WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND token = $4 AND next_offset = $5",
    )
    .bind::<Text, _>(&scope.pipeline)
    .bind::<Text, _>(&scope.topic)
    .bind::<Integer, _>(scope.partition)
    .bind::<SqlUuid, _>(batch.token)
    .bind::<BigInt, _>(batch.base)
    .bind::<BigInt, _>(batch.next)
    .bind::<BigInt, _>(batch.replay_from)
    .bind::<BigInt, _>(counts.records())
    .bind::<BigInt, _>(applied)
    .bind::<BigInt, _>(duplicates)
    .bind::<BigInt, _>(late)
    .bind::<BigInt, _>(counts.dead(Reason::Undecodable))
    .bind::<BigInt, _>(counts.dead(Reason::Unsupported))
    .bind::<BigInt, _>(counts.dead(Reason::KeyMismatch))
    .bind::<BigInt, _>(counts.dead(Reason::Invalid))
    .bind::<BigInt, _>(counts.dead(Reason::Conflict))
    .bind::<BigInt, _>(counts.dead(Reason::Orphan))
    .bind::<BigInt, _>(counts.dead(Reason::GapOverflow))
    .bind::<BigInt, _>(counts.dead(Reason::SplitKey))
    .kept()
    .execute(connection)
    .await
    .map_err(CommitError::of_statement)?;
    if updated == 1 {
        Ok(())
    } else {
        Err(CommitError::Fenced)
    }
}

/// Writes the directory and returns the ids that stood there already.
async fn write_directory<'b>(
    connection: &mut AsyncPgConnection,
    batch: &'b Batch,
) -> Result<HashSet<&'b str>, CommitError> {
    if batch.finished.is_empty() {
        return Ok(HashSet::new());
    }
    let inserted: Vec<GameRow> = rows::insert_directory(connection, batch)
        .await
        .map_err(CommitError::of_statement)?;
    let mut split: HashSet<&str> = batch.finished.iter().map(|f| f.game.id.as_str()).collect();
    for row in &inserted {
        split.remove(row.game_id.as_str());
    }
    Ok(split)
}

fn split_letters(batch: &Batch, split: &HashSet<&str>) -> Vec<DeadLetter> {
    let lost = batch
        .finished
        .iter()
        .filter(|f| split.contains(f.game.id.as_str()));
    lost.map(|finished| DeadLetter {
        reason: Reason::SplitKey,
        detail: "the game was finished from another partition".into(),
        game_id: Some(finished.game.id.clone()),
        record: finished.end.clone(),
    })
    .collect()
}

/// The checkpoint counted these ends as applied before the directory said otherwise.
async fn recount_split_keys(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
    ends: usize,
) -> Result<(), CommitError> {
    let scope = &batch.scope;
    sql_query(
        "UPDATE stream_checkpoints SET applied = applied - $4, split_key = split_key + $4 \
         WHERE pipeline = $1 AND topic = $2 AND partition = $3",
    )
    .bind::<Text, _>(&scope.pipeline)
    .bind::<Text, _>(&scope.topic)
    .bind::<Integer, _>(scope.partition)
    .bind::<BigInt, _>(i64::try_from(ends).unwrap_or(i64::MAX))
    .execute(connection)
    .await
    .map_err(CommitError::of_statement)?;
    Ok(())
}
