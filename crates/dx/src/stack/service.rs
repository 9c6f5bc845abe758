//! `cargo dx run SERVICE`: one of our services against the profile's stack, configured as in production, by its environment.
//!
//! In the foreground this process becomes the service, so that signals and exit codes are the service's own. Either way it is noted
//! in the state, and `down` ends it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::build;
use super::log;
use super::ports::{Ports, pick};
use super::process::{self, Process, mark};
use super::profile::{Endpoints, Profile, S3};
use super::state::{Lock, State};
use crate::console::{self, Step};

/// How long a detached service may take until it is live.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Signs page cursors on one machine. It guards nothing that is secret; production has a secret of its own.
const CURSOR_SECRET: &str = "cursors of a local stack";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Service {
    Ingestor,
    QueryApi,
    Archiver,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    service: Service,
    /// Several of a kind run side by side, each on a port of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    instance: u16,
    /// Leave it running in the background; `logs` shows what it says and `down` ends it
    #[arg(long)]
    detach: bool,
    /// A subcommand of the service itself instead of `run`, with its arguments, such as `status`
    #[arg(last = true, conflicts_with = "detach")]
    args: Vec<String>,
}

impl Service {
    fn package(self) -> &'static str {
        match self {
            Self::Ingestor => "ingestor",
            Self::QueryApi => "query-api",
            Self::Archiver => "archiver",
        }
    }

    fn preferred_port(self, ports: &Ports) -> u16 {
        match self {
            Self::Ingestor => ports.ingestor,
            Self::QueryApi => ports.query_api,
            Self::Archiver => ports.archiver,
        }
    }

    fn environment(self, endpoints: &Endpoints, port: u16) -> Vec<(&'static str, String)> {
        let listen = format!("127.0.0.1:{port}");
        match self {
            Self::Ingestor => vec![
                ("INGESTOR__KAFKA__BROKERS", endpoints.kafka.clone()),
                ("INGESTOR__KAFKA__TOPIC", endpoints.topic.clone()),
                ("INGESTOR__DATABASE__URL", endpoints.postgres.clone()),
                ("INGESTOR__HEALTH__LISTEN", listen),
            ],
            Self::QueryApi => {
                vec![
                    ("QUERY_API__DATABASE__URL", endpoints.postgres.clone()),
                    ("QUERY_API__LISTEN", listen),
                    ("QUERY_API__CURSOR__SECRET", CURSOR_SECRET.to_owned()),
                ]
            }
            Self::Archiver => archiver_environment(endpoints, listen),
        }
    }
}

fn archiver_environment(endpoints: &Endpoints, listen: String) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("ARCHIVER__STORE__URL", endpoints.archive.url.clone()),
        ("ARCHIVER__KAFKA__BROKERS", endpoints.kafka.clone()),
        (
            "ARCHIVER__RAW__TOPICS",
            format!("[\"{}\"]", endpoints.topic),
        ),
        // A developer wants to see files sooner than production does.
        ("ARCHIVER__RAW__ROTATION__AGE", "15s".to_owned()),
        ("ARCHIVER__DATABASE__URL", endpoints.postgres.clone()),
        ("ARCHIVER__SUMMARIES__ENABLED", "true".to_owned()),
        ("ARCHIVER__HEALTH__LISTEN", listen),
    ];
    if let Some(s3) = &endpoints.archive.s3 {
        environment.extend(archiver_s3(s3, s3.endpoint.clone()));
    }
    environment
}

/// What makes an archiver use an S3 server of the stack, reached at `endpoint`.
pub(crate) fn archiver_s3(s3: &S3, endpoint: String) -> [(&'static str, String); 5] {
    [
        ("ARCHIVER__STORE__ENDPOINT", endpoint),
        ("ARCHIVER__STORE__REGION", s3.region.to_owned()),
        ("ARCHIVER__STORE__ACCESS_KEY_ID", s3.access_key.to_owned()),
        (
            "ARCHIVER__STORE__SECRET_ACCESS_KEY",
            s3.secret_key.to_owned(),
        ),
        ("ARCHIVER__STORE__ALLOW_HTTP", "true".to_owned()),
    ]
}

/// Builds a service and runs it.
///
/// # Errors
/// It does not build, runs already, or does not come alive.
pub(crate) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    // Said before a long build as well as after it: meanwhile the stack may have gone.
    profile.endpoints()?;
    let program = build::binary(&profile.root, args.service.package())?;
    let name = format!("{}-{}", args.service.package(), args.instance);

    let lock = Lock::take(profile).await?;
    let endpoints = profile.endpoints()?;
    let mut state = State::load(profile)?;
    let ports = state
        .ports
        .clone()
        .unwrap_or_else(|| profile.preferred.clone());
    if !args.args.is_empty() {
        drop(lock);
        let mut command = Command::new(&program);
        command.args(&args.args).envs(
            args.service
                .environment(&endpoints, args.service.preferred_port(&ports)),
        );
        return become_it(command);
    }
    if let Some(part) = state.running(&name) {
        bail!(
            "{name} runs already, as process {}; `--instance {}` starts another one",
            part.process.pid,
            args.instance + 1
        );
    }
    let port = free_port(args, &ports)?;
    let environment = args.service.environment(&endpoints, port);
    if args.detach {
        let step = Step::start(&name, "starting");
        std::fs::create_dir_all(profile.logs_dir())?;
        let file = profile.logs_dir().join(format!("{name}.log"));
        let mut command = process::detached(&program);
        command.arg("run").envs(environment);
        let process = process::start(command, &profile.dir, &file)?;
        state.note(profile, &name, process.clone(), port)?;
        drop(lock);
        await_life(&name, &process, port, &file).await?;
        step.done(format_args!("up on http://127.0.0.1:{port}"));
        return Ok(());
    }
    state.note(
        profile,
        &name,
        Process::current().context("this process cannot be seen")?,
        port,
    )?;
    drop(lock);
    console::remark(format_args!("{name} on http://127.0.0.1:{port}"));
    let mut command = Command::new(&program);
    mark(command.arg("run").envs(environment), &profile.dir);
    become_it(command)
}

/// Runs a subcommand of a service as a child, its output going where ours goes, and waits for it.
///
/// # Errors
/// It does not build, cannot be started, or fails.
pub(crate) async fn ask_archiver(profile: &Profile, args: &[&str]) -> anyhow::Result<()> {
    let service = Service::Archiver;
    let program = build::binary(&profile.root, service.package())?;
    let endpoints = profile.endpoints()?;
    let port = service.preferred_port(&profile.preferred);
    let mut command = Command::new(&program);
    command
        .args(args)
        .envs(service.environment(&endpoints, port));
    mark(&mut command, &profile.dir);
    let status = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .status()
        .await
        .context("cannot start the archiver")?;
    anyhow::ensure!(status.success(), "archiver {} failed", args.join(" "));
    Ok(())
}

/// Replaces this process by the command; returns only if that fails.
fn become_it(mut command: Command) -> anyhow::Result<()> {
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().display()))
}

/// The instance's port: its own place behind the first instance's, or the next free one.
fn free_port(args: &Args, ports: &Ports) -> anyhow::Result<u16> {
    let first = args.service.preferred_port(ports);
    let of_others: Vec<u16> = ports
        .named()
        .iter()
        .map(|(_, port)| *port)
        .filter(|port| *port != first)
        .collect();
    pick(first.saturating_add(args.instance - 1), &of_others)
}

/// Waits until a detached service says it is live.
async fn await_life(
    name: &str,
    process: &Process,
    port: u16,
    log_file: &Path,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_PATIENCE;
    while !answers(port, "live").await {
        if !process.is_alive() {
            bail!("{name} ended while it started; {}", log::excerpt(log_file));
        }
        if Instant::now() > deadline {
            bail!(
                "{name} does not answer on port {port}; {}",
                log::excerpt(log_file)
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Whether a service's `/health/live` or `/health/ready` says yes.
pub(super) async fn answers(port: u16, question: &str) -> bool {
    let Ok(client) = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .no_proxy()
        .build()
    else {
        return false;
    };
    let answer = client
        .get(format!("http://127.0.0.1:{port}/health/{question}"))
        .send()
        .await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
