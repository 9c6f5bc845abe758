//! The checkout and cargo: where the sources are, and the binaries built from them.
//!
//! Builds use the features of all default members together, as the alias `cargo dx` does, so that nothing is compiled twice; and the
//! dev profile, but for a bench.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

/// Root of the checkout this command runs in.
///
/// # Errors
/// Neither the folder cargo ran it from nor the working folder lies in one.
pub(crate) fn checkout() -> anyhow::Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let starts = manifest.into_iter().chain(std::env::current_dir().ok());
    for start in starts {
        if let Some(root) = start
            .ancestors()
            .find(|folder| folder.join("deploy/kafka/pom.xml").is_file())
        {
            return Ok(root.to_owned());
        }
    }
    bail!("not inside a checkout of game-history; change into one first")
}

/// A cargo command at the root of the checkout.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // What cargo told this program about its own package must not look like a change of the build's environment.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds a package's binary of the same name, cargo's progress on the terminal, and says where it is.
///
/// # Errors
/// The build fails.
pub(crate) fn binary(root: &Path, package: &str) -> anyhow::Result<PathBuf> {
    let output = cargo(root)
        .args([
            "build",
            "--bin",
            package,
            "--message-format=json-render-diagnostics",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{package} does not build");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter(|message| {
            message
                .target
                .as_ref()
                .is_some_and(|target| target.name == package)
        })
        .find_map(|message| message.executable)
        .with_context(|| format!("package {package} has no binary {package}"))
}
