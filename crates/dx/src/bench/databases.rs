//! A database for each measurement, so that none pays for the rows of another.

use anyhow::{Context, ensure};

use crate::stack::{self, Endpoints, Profile};

/// How many segments of write-ahead log wait to be used again when a chapter begins: a gigabyte, what the stack's server keeps.
const WARM_SEGMENTS: usize = 64;

/// Creates the database, brings it up to date, and gives the endpoints with it.
///
/// # Errors
/// PostgreSQL refuses, or the migrations fail.
pub(super) async fn fresh(profile: &Profile, name: &str, topic: &str) -> anyhow::Result<Endpoints> {
    let admin = profile.admin_postgres()?;
    let client = stack::connect(&admin).await?;
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .with_context(|| format!("cannot create database {name}"))?;
    let endpoints = named(profile, name, topic)?;
    migrate(profile, &endpoints).await?;
    recycle_write_ahead_log(&client).await?;
    Ok(endpoints)
}

/// Leaves segments of write-ahead log to be used again, as a server has them that has run for a while. A new server makes
/// each anew, 16 MB written and synced while every commit waits.
async fn recycle_write_ahead_log(client: &tokio_postgres::Client) -> anyhow::Result<()> {
    for _ in 0..WARM_SEGMENTS {
        client
            .batch_execute(
                "SELECT pg_logical_emit_message(false, 'bench', ''); SELECT pg_switch_wal()",
            )
            .await?;
    }
    client.batch_execute("CHECKPOINT").await?;
    Ok(())
}

/// The endpoints with a database of this name.
///
/// # Errors
/// The stack is not a bench's own.
pub(super) fn named(profile: &Profile, name: &str, topic: &str) -> anyhow::Result<Endpoints> {
    let admin = profile.admin_postgres()?;
    let server = admin
        .strip_suffix("postgres")
        .context("a bench starts its own PostgreSQL: leave --postgres out")?;
    Ok(Endpoints {
        postgres: format!("{server}{name}"),
        topic: topic.to_owned(),
        ..profile.endpoints()?
    })
}

/// Brings the database of these endpoints up to date.
///
/// # Errors
/// The migrations fail.
pub(super) async fn migrate(profile: &Profile, endpoints: &Endpoints) -> anyhow::Result<()> {
    let output = tokio::process::Command::new(super::release::binary(&profile.root, "ingestor")?)
        .arg("migrate")
        .env("INGESTOR__DATABASE__URL", &endpoints.postgres)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "the migrations fail: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
