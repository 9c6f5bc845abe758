//! Downloads from Maven Central through `mvn`, so that a company's mirror in `settings.xml` is honoured.
//!
//! A download is a folder of the shared cache, named after the pom that asked for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::cache;
use super::fingerprint::fingerprint;
use super::process::{mark, on_path};
use super::profile::Profile;

/// What to get.
#[derive(Debug)]
pub(super) struct Download<'a> {
    /// The folder under `deploy/` with the pom; also begins the name in the cache.
    pub(super) pom: &'a str,
    /// `copy-dependencies` or `unpack-dependencies`.
    pub(super) goal: &'a str,
    /// Properties that the pom leaves to its user.
    pub(super) properties: &'a [(&'a str, &'a str)],
}

impl Download<'_> {
    /// Where it is in the cache once it was got.
    ///
    /// # Errors
    /// The pom cannot be read.
    pub(super) fn place(&self, profile: &Profile) -> anyhow::Result<PathBuf> {
        let pom = self.pom_file(profile);
        let mut seed =
            std::fs::read(&pom).with_context(|| format!("cannot read {}", pom.display()))?;
        for (name, value) in self.properties {
            seed.extend_from_slice(format!("{name}={value}").as_bytes());
        }
        Ok(profile
            .cache_dir()
            .join(format!("{}-{:016x}", self.pom, fingerprint(&seed))))
    }

    /// Gets it unless it is there, and says where.
    ///
    /// # Errors
    /// No Maven, no network, or no such version.
    pub(super) async fn get(&self, profile: &Profile) -> anyhow::Result<PathBuf> {
        let place = self.place(profile)?;
        if place.is_dir() {
            return Ok(place);
        }
        if !on_path("mvn") {
            bail!(
                "Maven is needed to download {}; `cargo dx doctor` says how to get it",
                self.pom
            );
        }
        cache::ensure(profile, place, async |draft: &Path| {
            self.fill(profile, draft).await
        })
        .await
    }

    async fn fill(&self, profile: &Profile, draft: &Path) -> anyhow::Result<()> {
        let mut command = Command::new("mvn");
        command
            .args(["-q", "-B", "-Dstyle.color=never", "-f"])
            .arg(self.pom_file(profile))
            .arg(format!("dependency:{}", self.goal))
            .arg(format!("-DoutputDirectory={}", draft.display()))
            .arg(format!(
                "-DmarkersDirectory={}",
                draft.join(".markers").display()
            ))
            .args(
                self.properties
                    .iter()
                    .map(|(name, value)| format!("-D{name}={value}")),
            );
        mark(&mut command, &profile.dir).stdin(Stdio::null());
        let output = tokio::process::Command::from(command)
            .output()
            .await
            .context("cannot start mvn")?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            bail!("Maven could not download {}: {}", self.pom, reason(&text));
        }
        Ok(())
    }

    fn pom_file(&self, profile: &Profile) -> PathBuf {
        profile.root.join("deploy").join(self.pom).join("pom.xml")
    }
}

/// What Maven complains of, without its advice on how to call it.
fn reason(output: &str) -> String {
    let complaints = output
        .lines()
        .filter_map(|line| Some(line.split_once("[ERROR]")?.1.trim()))
        .filter(|line| {
            !line.is_empty()
                && !line.contains("re-run")
                && !line.starts_with("Re-run")
                && !line.contains("[Help 1] http")
        })
        .filter(|line| !line.starts_with("For more information"));
    let told: Vec<&str> = complaints.take(3).collect();
    if told.is_empty() {
        output.trim().to_owned()
    } else {
        told.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_failure_is_told_in_mavens_words_without_its_advice() {
        let output = "\u{1b}[0m[ERROR] Could not create local repository at /x -> [Help 1]\n[ERROR] \n\
                      [ERROR] To see the full stack trace of the errors, re-run Maven with the -e switch.\n\
                      [ERROR] Re-run Maven using the -X switch.\n[ERROR] For more information, read:\n\
                      [ERROR] [Help 1] http://cwiki.example/Exception";
        assert_eq!(
            reason(output),
            "Could not create local repository at /x -> [Help 1]"
        );
        assert_eq!(reason("out of memory\n"), "out of memory");
    }
}
