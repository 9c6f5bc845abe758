//! The schema's versions: the files under `migrations/`, embedded, applied in order under an advisory lock.
//!
//! Several processes may call [`run`] at once; one migrates and the others wait and find nothing to do. A schema may be ahead
//! of a build (migrations only expand while old builds run, see `migrations/README.md`), so "current" means that every
//! migration this build knows is applied.

use std::collections::BTreeSet;
use std::time::Duration;

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{DatabaseConfig, StoreError, connect};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// The advisory lock's key: "gamehist" in ASCII.
const LOCK_KEY: i64 = 0x6761_6d65_6869_7374;

/// Applies every pending migration and returns their versions, oldest first.
///
/// # Errors
/// [`StoreError::Connect`], or [`StoreError::Migrate`] with the name of the migration that failed.
pub async fn run(config: &DatabaseConfig) -> Result<Vec<String>, StoreError> {
    // A migration takes the time it takes, and so does waiting for another process to finish one.
    let config = DatabaseConfig {
        statement_timeout: Duration::ZERO,
        lock_timeout: Duration::ZERO,
        ..config.clone()
    };
    let mut connection = connect::establish(&config).await?;
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<BigInt, _>(LOCK_KEY)
        .execute(&mut connection)
        .await
        .map_err(StoreError::query("locking the schema for migration"))?;
    // The harness blocks its thread. The lock goes with the session, whatever happens in there.
    tokio::task::spawn_blocking(move || apply(connection))
        .await
        .map_err(|error| StoreError::Migrate {
            reason: error.to_string(),
        })?
}

fn apply(connection: AsyncPgConnection) -> Result<Vec<String>, StoreError> {
    let mut harness = AsyncMigrationHarness::new(connection);
    let versions = harness
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| StoreError::Migrate {
            reason: error.to_string(),
        })?;
    Ok(versions.iter().map(ToString::to_string).collect())
}

/// The newest version this build knows.
#[must_use]
pub fn latest_version() -> String {
    known_versions().into_iter().next_back().unwrap_or_default()
}

/// Whether every migration this build knows is applied.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn is_current(connection: &mut AsyncPgConnection) -> Result<bool, StoreError> {
    let applied = applied_versions(connection).await?;
    Ok(known_versions().is_subset(&applied))
}

/// The newest version applied, or nothing for an empty database.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn applied_version(
    connection: &mut AsyncPgConnection,
) -> Result<Option<String>, StoreError> {
    Ok(applied_versions(connection).await?.into_iter().next_back())
}

async fn applied_versions(
    connection: &mut AsyncPgConnection,
) -> Result<BTreeSet<String>, StoreError> {
    const OPERATION: &str = "reading the schema's version";
    #[derive(QueryableByName)]
    struct Exists {
        #[diesel(sql_type = Bool)]
        exists: bool,
    }
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let table: Exists =
        diesel::sql_query("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS exists")
            .get_result(connection)
            .await
            .map_err(StoreError::query(OPERATION))?;
    if !table.exists {
        return Ok(BTreeSet::new());
    }
    let versions: Vec<Version> =
        diesel::sql_query("SELECT version FROM __diesel_schema_migrations")
            .load(connection)
            .await
            .map_err(StoreError::query(OPERATION))?;
    Ok(versions.into_iter().map(|row| row.version).collect())
}

fn known_versions() -> BTreeSet<String> {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().unwrap_or_default();
    migrations
        .iter()
        .map(|migration| migration.name().version())
        .map(|version: MigrationVersion<'_>| version.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_version_is_the_newest_folder_under_migrations() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let newest = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .max()
            .unwrap();
        assert!(newest.starts_with(&latest_version()), "{newest}");
        assert!(!latest_version().is_empty());
    }
}
