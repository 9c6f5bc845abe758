//! Downloads that all profiles share.
//!
//! An entry is a folder whose name says what it was made from. It is filled under another name and renamed when complete: a folder of
//! the right name is whole. One `cargo dx` fills at a time.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::profile::Profile;

/// Fills the entry at `place` unless it is there. `fill` gets the folder to fill, which does not exist yet.
///
/// # Errors
/// The cache cannot be written, or what `fill` says.
pub(super) async fn ensure(
    profile: &Profile,
    place: PathBuf,
    fill: impl AsyncFnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    if place.is_dir() {
        return Ok(place);
    }
    let cache = profile.cache_dir();
    std::fs::create_dir_all(&cache)
        .with_context(|| format!("cannot create {}", cache.display()))?;
    let lock = File::create(cache.join("lock")).context("cannot lock the cache")?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    if !place.is_dir() {
        // Not `with_extension`: a version's last number would be taken for one.
        let mut draft = place.clone().into_os_string();
        draft.push(".part");
        let draft = PathBuf::from(draft);
        if draft.exists() {
            std::fs::remove_dir_all(&draft)
                .with_context(|| format!("cannot remove {}", draft.display()))?;
        }
        fill(&draft).await?;
        std::fs::rename(&draft, &place)
            .with_context(|| format!("cannot create {}", place.display()))?;
    }
    drop(lock);
    Ok(place)
}
