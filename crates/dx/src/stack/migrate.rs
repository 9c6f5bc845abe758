//! `cargo dx migrate`: the schema of the profile's database, brought up to date by the same code the services use.

use store::{DatabaseConfig, migrate};

use super::profile::Profile;
use crate::console::{self, Step};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Applies the migrations that are missing.
///
/// # Errors
/// The database does not answer, or a migration fails.
pub(crate) async fn run(profile: &Profile, _args: &Args) -> anyhow::Result<()> {
    if apply(&profile.endpoints()?.postgres).await? == 0 {
        console::say("the schema is up to date");
    }
    Ok(())
}

/// Applies the migrations that are missing and says how many there were.
///
/// # Errors
/// As [`run`].
pub(super) async fn apply(postgres: &str) -> anyhow::Result<usize> {
    let step = Step::start("schema", "migrating");
    let applied = migrate::run(&DatabaseConfig::new(postgres)).await?;
    if !applied.is_empty() {
        step.done(format_args!("migrated to {}", migrate::latest_version()));
    }
    Ok(applied.len())
}
