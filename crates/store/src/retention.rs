//! Taking a month of finished games out of the hot tables, without ever standing in the way of ingestion.
//!
//! The order is what keeps everything: first the floor is raised ([`raise_floor`]), so that nobody makes the month's partitions again;
//! then they are detached ([`detach`]), after which nothing can change them; then the caller holds its summaries against what
//! [`crate::summaries`] reads from the detached tables; then they are dropped ([`drop_detached`]). Every step may be repeated, and a
//! process that died between two of them leaves a state that the next one goes on from.
//!
//! A game that ends below the floor meanwhile, or a year later by a producer's wrong clock, goes to `games_below_floor` and
//! `player_games_below_floor` in the same commit that ends it. The directory has it like any other game, so that it is one game for
//! ever; the summaries take it into a new revision of its day, and [`forget_below_floor`] lets it go.
//!
//! Detaching is done `CONCURRENTLY`: it takes no lock that a reader or writer of the parent waits for, and waits itself for those that
//! were there before, as long as the session's `lock_timeout` says. Given up half way it is finished by the next call.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveTime, Utc};
use diesel::sql_types::{Array, Bool, Text, Timestamptz};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::StoreError;
use crate::partitions::{ADVISORY_LOCK, Month, PARTITIONED};

/// Lets one archiver at a time work on summaries and retention: "gamearch" in ASCII.
const JOBS_LOCK: i64 = 0x6761_6d65_6172_6368;

/// Says that everything before this month is retention's: no partition below it is made from now on. Never lowers the floor.
///
/// # Errors
/// [`StoreError`] when the lock is not had in time or the session fails; trying again is safe.
pub async fn raise_floor(
    connection: &mut AsyncPgConnection,
    month: Month,
) -> Result<(), StoreError> {
    let floor = month.first_day();
    let statements = format!(
        "BEGIN; SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock({ADVISORY_LOCK}); \
         INSERT INTO retention_floor (ended_at) VALUES ('{floor} 00:00:00+00') \
         ON CONFLICT (only_row) DO UPDATE SET ended_at = greatest(retention_floor.ended_at, excluded.ended_at); COMMIT"
    );
    if let Err(source) = connection.batch_execute(&statements).await {
        // The session may be inside the failed transaction; a lost session has nothing to roll back.
        let _ = connection.batch_execute("ROLLBACK").await;
        return Err(StoreError::query("raise the retention floor")(source));
    }
    tracing::info!(%floor, "raised the retention floor");
    Ok(())
}

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    attached: bool,
}

/// Which months' tables there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonthTables {
    /// Months of which at least one table is a partition, or is not quite detached yet.
    pub attached: BTreeSet<Month>,
    /// Months with a detached table and no attached one.
    pub detached: BTreeSet<Month>,
}

/// Looks which months' tables there are.
///
/// # Errors
/// [`StoreError`] when the query fails.
pub async fn month_tables(connection: &mut AsyncPgConnection) -> Result<MonthTables, StoreError> {
    let tables: Vec<Table> = sql_query(
        "SELECT c.relname::text AS name, EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = c.oid) AS attached \
         FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'games'::regclass)",
    )
    .load(connection)
    .await
    .map_err(StoreError::query("look for the months' tables"))?;
    let mut found = MonthTables::default();
    for table in tables {
        for parent in PARTITIONED {
            if let Some(month) = Month::of_partition(&table.name, parent) {
                if table.attached {
                    found.attached.insert(month);
                } else {
                    found.detached.insert(month);
                }
            }
        }
    }
    found.detached = &found.detached - &found.attached;
    Ok(found)
}

#[derive(QueryableByName)]
struct Detaching {
    #[diesel(sql_type = Bool)]
    pending: bool,
}

/// Detaches a month's partitions, or finishes what an earlier call began. Waits for transactions that use them, not longer than the
/// session's `lock_timeout`; nobody waits for it. The session must not be in a transaction.
///
/// # Errors
/// [`StoreError`] when somebody used a partition for too long, or the session fails. Call again later.
pub async fn detach(connection: &mut AsyncPgConnection, month: Month) -> Result<(), StoreError> {
    for table in PARTITIONED {
        let name = format!("{table}_{}", month.suffix());
        let state: Option<Detaching> = sql_query(
            "SELECT inhdetachpending AS pending FROM pg_inherits WHERE inhrelid = to_regclass($1) AND inhparent = to_regclass($2)",
        )
        .bind::<Text, _>(&name)
        .bind::<Text, _>(table)
        .get_result(connection)
        .await
        .optional()
        .map_err(StoreError::query("look at a partition"))?;
        let how = match state {
            None => continue,
            Some(Detaching { pending: false }) => "CONCURRENTLY",
            Some(Detaching { pending: true }) => "FINALIZE",
        };
        // Names are formatted from numbers only.
        connection
            .batch_execute(&format!(
                "ALTER TABLE {table} DETACH PARTITION {name} {how}"
            ))
            .await
            .map_err(StoreError::query("detach a partition"))?;
        tracing::info!(table, %month, "detached a partition");
    }
    Ok(())
}

/// Drops a month's detached tables for good. An attached one is left alone and is an error.
///
/// # Errors
/// [`StoreError`] when somebody reads them for too long, or the session fails. Call again later.
pub async fn drop_detached(
    connection: &mut AsyncPgConnection,
    month: Month,
) -> Result<(), StoreError> {
    let mut statements = "BEGIN; ".to_owned();
    for table in PARTITIONED {
        let name = format!("{table}_{}", month.suffix());
        statements.push_str(&format!(
            "DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass('{name}')) \
             THEN RAISE EXCEPTION '{name} is attached'; END IF; END $$; DROP TABLE IF EXISTS {name}; "
        ));
    }
    statements.push_str("COMMIT");
    if let Err(source) = connection.batch_execute(&statements).await {
        let _ = connection.batch_execute("ROLLBACK").await;
        return Err(StoreError::query("drop a detached partition")(source));
    }
    tracing::info!(%month, "dropped a month whose summaries are verified");
    Ok(())
}

/// Removes these games from the tables below the floor, once the summaries have them.
///
/// # Errors
/// [`StoreError`] when the session fails; trying again is safe.
pub async fn forget_below_floor(
    connection: &mut AsyncPgConnection,
    game_ids: &[&str],
) -> Result<(), StoreError> {
    sql_query(
        "WITH gone AS (DELETE FROM games_below_floor WHERE game_id = ANY($1)) \
         DELETE FROM player_games_below_floor WHERE game_id = ANY($1)",
    )
    .bind::<Array<Text>, _>(game_ids)
    .execute(connection)
    .await
    .map_err(StoreError::query("remove games below the floor"))?;
    Ok(())
}

/// Takes the lock that lets one process at a time work on summaries and retention; false when another one has it. It goes with the
/// session.
///
/// # Errors
/// [`StoreError`] when the session fails.
pub async fn try_lock(connection: &mut AsyncPgConnection) -> Result<bool, StoreError> {
    let row: Locked = sql_query("SELECT pg_try_advisory_lock($1) AS locked")
        .bind::<diesel::sql_types::BigInt, _>(JOBS_LOCK)
        .get_result(connection)
        .await
        .map_err(StoreError::query("take the lock of the archiver's jobs"))?;
    Ok(row.locked)
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

/// A day's first instant.
pub(crate) fn midnight(day: chrono::NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
}

/// The database's clock, which `written_at` is told by.
///
/// # Errors
/// [`StoreError`] when the session fails.
pub async fn database_time(
    connection: &mut AsyncPgConnection,
) -> Result<DateTime<Utc>, StoreError> {
    let row: Now = sql_query("SELECT now() AS now")
        .get_result(connection)
        .await
        .map_err(StoreError::query("ask the database's clock"))?;
    Ok(row.now)
}
