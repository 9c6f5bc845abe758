//! PostgreSQL of a stack: a cluster of its own, on the loopback address only, trusting whoever connects there.
//!
//! Its data normally lies in the profile's folder. Root lends it an ordinary account, and where that account cannot enter the
//! checkout the data goes to a folder under /var/tmp, which the state remembers.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio_postgres::NoTls;

use super::account::Account;
use super::fingerprint::fingerprint;
use super::postgres_binaries::{self, Binaries};
use super::process::{self, Process, mark};
use super::profile::Profile;
use super::state::{Part, State};
use super::{log, ports::Ports};
use crate::console::Step;

pub(super) const NAME: &str = "postgres";
/// Both the role that owns the history and its database.
const DATABASE: &str = "game_history";
/// How long a server may take to answer; recovery after a kill takes longer than a start.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// Where the data of a profile's PostgreSQL may be, for finding its processes.
pub(super) fn data_folders(profile: &Profile, state: &State) -> Vec<PathBuf> {
    let mut bases = vec![profile.dir.join(NAME), outside(profile)];
    bases.extend(state.postgres_base.clone());
    bases.iter().map(|base| base.join("data")).collect()
}

/// Folders outside the profile's own that belong to it.
pub(super) fn outside(profile: &Profile) -> PathBuf {
    let seed = profile.dir.display().to_string();
    Path::new("/var/tmp").join(format!(
        "game-history-{:016x}",
        fingerprint(seed.as_bytes())
    ))
}

/// Starts the server; it answers a moment later, see [`ready`].
///
/// # Errors
/// No programs, no account to run as, or the cluster cannot be made.
pub(super) async fn start(
    profile: &Profile,
    state: &mut State,
    ports: &Ports,
    step: &Step,
) -> anyhow::Result<Part> {
    let account = Account::to_lend()?;
    let base = base_folder(profile, account.as_ref())?;
    state.postgres_base = Some(base.clone());
    state.save(profile)?;
    let data = base.join("data");
    let initialised = base.join("initialised");
    let data_major = initialised.exists().then(|| version_of(&data)).flatten();
    let binaries =
        postgres_binaries::choose(profile, account.as_ref(), &base, data_major, step).await?;
    if !initialised.exists() {
        step.doing("making its cluster");
        make_cluster(profile, &binaries, account.as_ref(), &data).await?;
        std::fs::write(&initialised, "")
            .with_context(|| format!("cannot write {}", initialised.display()))?;
    }
    step.doing("starting");
    let mut command = process::detached(binaries.folder.join("postgres"));
    command.arg("-D").arg(&data).current_dir(&base);
    for setting in settings(profile, ports) {
        command.arg("-c").arg(setting);
    }
    prepare(&mut command, account.as_ref());
    let process = process::start(command, &profile.dir, &log_file(profile))?;
    Ok(Part::new(process, ports.postgres))
}

/// Waits until the server answers, and makes the history's database if it is not there.
///
/// # Errors
/// The process ends, or the time is over; with the end of its log.
pub(super) async fn ready(profile: &Profile, part: &Process, port: u16) -> anyhow::Result<()> {
    let url = format!("postgres://{DATABASE}@127.0.0.1:{port}/postgres");
    let deadline = Instant::now() + START_PATIENCE;
    let client = loop {
        let error = match connect(&url).await {
            Ok(client) => break client,
            Err(error) => error,
        };
        if !part.is_alive() {
            bail!(
                "PostgreSQL ended while it started; {}",
                log::excerpt(&log_file(profile))
            );
        }
        if Instant::now() > deadline {
            bail!(
                "PostgreSQL does not answer on port {port} ({error:#}); {}",
                log::excerpt(&log_file(profile))
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    if client
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE])
        .await?
        .is_none()
    {
        client
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await
            .context("cannot create the history's database")?;
    }
    Ok(())
}

/// A connection that has answered a query.
///
/// # Errors
/// The server cannot be reached or refuses. The URL is not told: it may hold a password.
pub(crate) async fn connect(url: &str) -> anyhow::Result<tokio_postgres::Client> {
    let mut config: tokio_postgres::Config = url.parse().context("not a PostgreSQL URL")?;
    config
        .connect_timeout(Duration::from_secs(5))
        .application_name("cargo-dx");
    let (client, connection) = config
        .connect(NoTls)
        .await
        .context("cannot connect to PostgreSQL")?;
    tokio::spawn(connection);
    client.simple_query("SELECT 1").await?;
    Ok(client)
}

fn log_file(profile: &Profile) -> PathBuf {
    profile.logs_dir().join("postgres.log")
}

fn settings(profile: &Profile, ports: &Ports) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={}", ports.postgres),
        "unix_socket_directories=".to_owned(),
        format!("cluster_name=game-history-{}", profile.name),
        "max_connections=300".to_owned(),
        "shared_buffers=256MB".to_owned(),
        "max_wal_size=2GB".to_owned(),
        "min_wal_size=1GB".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
    ];
    if !profile.durable {
        settings.extend(
            [
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
            ]
            .map(str::to_owned),
        );
    }
    settings
}

/// The folder for the cluster, made and owned by whoever will run it.
fn base_folder(profile: &Profile, account: Option<&Account>) -> anyhow::Result<PathBuf> {
    let inside = profile.dir.join(NAME);
    std::fs::create_dir_all(&inside)
        .with_context(|| format!("cannot create {}", inside.display()))?;
    let Some(account) = account else {
        return Ok(inside);
    };
    account.own(&inside)?;
    if account.enters(&inside) {
        return Ok(inside);
    }
    let outside = outside(profile);
    if let Err(error) = std::fs::create_dir(&outside)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot create {}", outside.display()));
    }
    // Anyone may have put something of this name into /var/tmp before.
    let found = std::fs::symlink_metadata(&outside)?;
    ensure!(
        found.is_dir() && [0, account.uid].contains(&found.uid()),
        "{} belongs to someone else; remove it",
        outside.display()
    );
    account.own(&outside)?;
    Ok(outside)
}

/// Major version that made the cluster in `data`.
fn version_of(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

async fn make_cluster(
    profile: &Profile,
    binaries: &Binaries,
    account: Option<&Account>,
    data: &Path,
) -> anyhow::Result<()> {
    if data.exists() {
        std::fs::remove_dir_all(data)
            .with_context(|| format!("cannot remove {}", data.display()))?;
    }
    let mut command = Command::new(binaries.folder.join("initdb"));
    command.arg("-D").arg(data);
    command.args([
        "--username",
        DATABASE,
        "--auth",
        "trust",
        "--encoding",
        "UTF8",
        "--locale",
        "C",
        "--no-sync",
    ]);
    command.current_dir("/");
    prepare(&mut command, account);
    mark(&mut command, &profile.dir).stdin(Stdio::null());
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .context("cannot start initdb")?;
    ensure!(
        output.status.success(),
        "PostgreSQL's cluster cannot be made: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn prepare(command: &mut Command, account: Option<&Account>) {
    // Neither another cluster's settings nor an unknown locale of the caller may reach the server.
    for name in [
        "PGDATA",
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGDATABASE",
        "PGOPTIONS",
        "LC_ALL",
        "LC_MESSAGES",
        "LANGUAGE",
    ] {
        command.env_remove(name);
    }
    command.env("LANG", "C");
    if let Some(account) = account {
        account.lend(command);
    }
}
