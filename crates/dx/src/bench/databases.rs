//! A database for each measurement, so that none pays for the rows of another.

use anyhow::{Context, ensure};

use crate::stack::{self, Endpoints, Profile};

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
    Ok(endpoints)
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
