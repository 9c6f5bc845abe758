//! From the dev profile's `cargo dx` to the release profile's.

use std::os::unix::process::CommandExt;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::console::remark;
use crate::stack;

/// What a bench runs.
const BINARIES: [&str; 4] = ["dx", "ingestor", "query-api", "archiver"];

/// Returns at once in a release build. Otherwise builds the release binaries and goes on as the release `dx`, with the same arguments.
///
/// # Errors
/// The build fails, or what it built can't be started.
pub(super) fn become_release(root: &Path) -> anyhow::Result<()> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    remark("building the release binaries; the first time this takes many minutes");
    let mut build = stack::cargo(root);
    build.args(["build", "--release", "--locked"]);
    for binary in BINARIES {
        build.args(["--bin", binary]);
    }
    let status = build.status().context("cannot start cargo")?;
    ensure!(status.success(), "the release binaries do not build");
    let error = std::process::Command::new(binary(root, "dx")?)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).context("cannot start the release build of dx")
}

/// A release binary beside the running one, or where cargo puts it.
///
/// # Errors
/// It is not there.
pub(super) fn binary(root: &Path, name: &str) -> anyhow::Result<std::path::PathBuf> {
    let beside = match cfg!(debug_assertions) {
        true => None,
        false => std::env::current_exe()
            .ok()
            .and_then(|exe| Some(exe.parent()?.join(name))),
    };
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |folder| root.join(folder));
    let path = beside.unwrap_or_else(|| folder.join("release").join(name));
    ensure!(
        path.is_file(),
        "{} is not there: `cargo dx bench` from a checkout builds it",
        path.display()
    );
    Ok(path)
}
