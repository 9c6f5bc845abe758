//! The life of a bench: a stack of its own, empty at the beginning and gone at the end, and where the figures go.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::stack::{self, Lock, Profile};

/// Measures on a fresh stack and takes it down, however that ends; `keep` leaves it running.
///
/// # Errors
/// Servers of one's own are named, a part does not start, a signal came, or what `measure` says.
pub(super) async fn measure_on(
    profile: &Profile,
    keep: bool,
    measure: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let work = async {
        fresh(profile).await?;
        measure.await
    };
    live(profile, keep, work).await
}

/// The same on the stack that an earlier run has left.
///
/// # Errors
/// As [`measure_on`].
pub(super) async fn measure_again_on(
    profile: &Profile,
    keep: bool,
    measure: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let work = async {
        stack::up(profile, &stack::UpArgs {}).await?;
        measure.await
    };
    live(profile, keep, work).await
}

async fn live(
    profile: &Profile,
    keep: bool,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    ensure!(
        profile.servers.kafka.is_none() && profile.servers.postgres.is_none(),
        "a bench measures servers of its own: leave --kafka and --postgres out"
    );
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let outcome = tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    if !keep {
        let lock = Lock::take(profile).await?;
        stack::stop(profile, outcome.is_ok(), &lock).await?;
    }
    outcome
}

async fn fresh(profile: &Profile) -> anyhow::Result<()> {
    {
        let lock = Lock::take(profile).await?;
        stack::stop(profile, true, &lock).await?;
    }
    stack::up(profile, &stack::UpArgs {}).await
}

/// Where a bench's picture goes: as asked for, or into the folder of the profiles.
pub(super) fn picture(profile: &Profile, asked: Option<&Path>, name: &str) -> PathBuf {
    asked.map_or_else(
        || profile.root.join(".game-history").join(name),
        Path::to_path_buf,
    )
}

/// Writes the figures where they were asked for.
///
/// # Errors
/// The file can't be written.
pub(super) fn write_json(file: Option<&Path>, figures: &Value) -> anyhow::Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    std::fs::write(file, serde_json::to_vec_pretty(figures)?)
        .with_context(|| format!("cannot write {}", file.display()))
}
