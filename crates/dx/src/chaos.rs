//! `cargo dx chaos`: an attack on the real thing, judged.
//!
//! A stack of its own, wiped before and taken down after, however the run ends: real Kafka, real PostgreSQL, a real S3 server,
//! ingestors and archivers as they are deployed, a simulator that publishes with every fault it knows. A seeded schedule ([`plan`])
//! kills, stops, cuts, fills and puts back ([`mod@attack`]); a witness looks at the database all the while ([`sampler`]). Then the
//! stream settles, `verify` compares everything in the database, [`archive`] everything in the bucket, and the run proves from the
//! services' logs that it attacked ([`evidence`]): one that did not, does not count.
//!
//! The schedule depends on the seed and the length alone. What the blows hit depends on the machine too, so a failing seed finds its
//! fault again often, not always.

mod archive;
mod attack;
mod evidence;
mod leftovers;
mod members;
mod plan;
mod proxy;
mod report;
mod sampler;
mod servers;
mod tools;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::console::{remark, say};
use crate::stack::{self, Lock, Profile, State};
use archive::Archivers;
use attack::Attack;
use evidence::{Demand, Evidence};
use members::{Kind, Members};
use plan::Abilities;
use proxy::Proxy;
use report::{Outcome, Report};
use sampler::Sampler;
use servers::Servers;
use tools::Simulation;

/// What the names of attacked stacks begin with; no other stack is ever attacked.
const PREFIX: &str = "chaos-";
/// Size of the history's disk: a base, and so much for each minute of the stream.
const DISK_MIB: f64 = 512.0;
const DISK_MIB_A_MINUTE: f64 = 128.0;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The source of the schedule: the same seed and length give the same one
    #[arg(long, value_name = "N")]
    seed: u64,
    /// How long to attack
    #[arg(long, default_value_t = 5.0, value_parser = minutes, value_name = "M")]
    minutes: f64,
    /// How many ingestors share the work
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=16), value_name = "K")]
    members: u16,
    /// How many archivers share the topic, their object store attacked too; 0 leaves the archive out
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=16), value_name = "N")]
    archivers: u16,
    /// Events a second
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..), value_name = "EVENTS")]
    rate: u64,
    /// The least number of rebalances for the run to count
    #[arg(long, default_value_t = 10, value_name = "N")]
    rebalances: u64,
    /// How many seconds the services may take to catch up afterwards
    #[arg(long, default_value_t = 300, value_name = "S")]
    settle: u64,
    /// Attack this build of the ingestor instead of a fresh one
    #[arg(long, value_name = "FILE")]
    ingestor: Option<PathBuf>,
    /// Attack this build of the archiver instead of a fresh one
    #[arg(long, value_name = "FILE")]
    archiver: Option<PathBuf>,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The run broke nothing and did too little to break it. Its exit code is 3.
#[derive(Debug, thiserror::Error)]
#[error("the attack proves nothing: {0}; a longer run, or another seed, does more")]
pub(crate) struct DidNotAttack(String);

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if (0.1..=1_440.0).contains(&minutes) => Ok(minutes),
        _ => Err("so many minutes, from 0.1 to 1440".to_owned()),
    }
}

impl Args {
    /// The name of the stack to attack.
    pub(crate) fn profile_name(&self) -> String {
        format!("{PREFIX}{}", self.seed)
    }

    fn length(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "minutes are positive and few"
    )]
    fn disk_mib(&self) -> u64 {
        (DISK_MIB + DISK_MIB_A_MINUTE * self.minutes) as u64
    }
}

/// Attacks and judges.
///
/// # Errors
/// Something broke, the run proves nothing ([`DidNotAttack`]), or it could not be carried out.
pub(crate) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    ensure!(
        profile.name.starts_with(PREFIX),
        "profile `{}` is not attacked: only stacks whose name begins with {PREFIX} are, and they are wiped",
        profile.name
    );
    ensure!(
        profile.servers.kafka.is_none() && profile.servers.postgres.is_none(),
        "an attack ends servers: it has its own, and takes neither --kafka nor --postgres"
    );
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let build = |given: &Option<PathBuf>, service| match given {
        Some(program) => Ok(program.clone()),
        None => stack::service_binary(&profile.root, service),
    };
    let programs = Programs {
        ingestor: build(&args.ingestor, "ingestor")?,
        archiver: match args.archivers {
            0 => None,
            _ => Some(build(&args.archiver, archive::NAME)?),
        },
    };
    let with_store = programs.archiver.is_some().then(|| profile.with_s3());
    let profile = with_store.as_ref().unwrap_or(profile);
    let lock = Lock::take(profile).await?;
    take_down(profile, true, &lock).await?;
    leftovers::sweep(profile).await?;
    let outcome = tokio::select! {
        outcome = tell(profile, args, &programs, &lock) => outcome,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    // After a failure the logs are worth a look; the next run of this seed deletes them.
    let held = outcome.is_ok();
    take_down(profile, held, &lock).await?;
    if !held {
        remark(format_args!(
            "the logs stay; `{}` deletes them",
            profile.command("down --wipe")
        ));
    }
    outcome
}

/// The services under attack.
struct Programs {
    ingestor: PathBuf,
    archiver: Option<PathBuf>,
}

/// Ends everything of the stack and unmounts its disk.
async fn take_down(profile: &Profile, wipe: bool, lock: &Lock) -> anyhow::Result<()> {
    // Stopped ones would not hear a polite signal, and whether they end in order matters to nobody now.
    State::load(profile)?.kill_services();
    stack::stop(profile, false, lock).await?;
    servers::unmount(profile).await?;
    stack::stop(profile, wipe, lock).await?;
    Ok(())
}

async fn tell(
    profile: &Profile,
    args: &Args,
    programs: &Programs,
    lock: &Lock,
) -> anyhow::Result<()> {
    let report = attack(profile, args, programs, lock).await?;
    for line in report.lines() {
        say(line);
    }
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    match report.outcome {
        Outcome::Held => Ok(()),
        Outcome::Broken => bail!("the attack found {} faults", report.faults.len()),
        Outcome::DidNotAttack => Err(DidNotAttack(report.missing.join(", ")).into()),
    }
}

async fn attack(
    profile: &Profile,
    args: &Args,
    programs: &Programs,
    lock: &Lock,
) -> anyhow::Result<Report> {
    let servers = Servers::start(profile, lock, args.disk_mib()).await?;
    let endpoints = profile.endpoints()?;
    let direct: reqwest::Url = endpoints.postgres.parse()?;
    let proxy = Proxy::listen(direct.port().context("PostgreSQL's port is not known")?).await?;
    let mut proxied = direct;
    // A URL with a host takes a port.
    let _ = proxied.set_port(Some(proxy.port()));
    let sampler = Sampler::begin(endpoints.postgres.clone());
    let abilities = Abilities {
        disk: servers.has_disk(),
    };
    let (archivers, plan) = match &programs.archiver {
        Some(program) => (
            Some(Archivers::prepare(profile, program.clone()).await?),
            plan::draw_with_archivers(args.seed, args.length(), abilities),
        ),
        None => (None, plan::draw(args.seed, args.length(), abilities)),
    };
    let ingestors = Kind::ingestors(programs.ingestor.clone(), &endpoints, proxied.into());
    let mut attack = Attack {
        servers: &servers,
        members: Members::new(profile, ingestors),
        archivers,
        proxy: &proxy,
        sampler: &sampler,
        usual: usize::from(args.members),
        began: Instant::now(),
        timeline: Vec::new(),
        counts: BTreeMap::new(),
        deserters: Vec::new(),
    };
    for _ in 0..args.members {
        attack.start_member()?;
    }
    for _ in 0..args.archivers {
        attack.start_archiver()?;
    }
    let simulation = Simulation::begin(profile, args.seed, args.rate, args.length())?;
    attack.run(&plan, args.length()).await?;
    attack.relent().await?;
    let attacked = attack.began.elapsed();
    let settling = Instant::now();
    let mut faults = Vec::new();
    if let Err(error) = simulation.end().await {
        faults.push(format!("{error:#}"));
    }
    let patience = Duration::from_secs(args.settle);
    let verdict = tools::verify(profile, patience).await?;
    attack.tell("the judge of the database has spoken".to_owned());
    faults.extend(verdict.differences);
    let mut archive = None;
    if let (Some(mut archivers), Some(program)) = (attack.archivers.take(), &programs.archiver) {
        let compared = archive::judge(profile, program, &mut archivers.members, patience).await?;
        attack.tell("the judge of the archive has spoken".to_owned());
        let logs = members::logs(profile, archive::NAME)?;
        let evidence = archive::Evidence::gather(&logs, archivers.blows, archivers.proxy.faults())?;
        faults.extend(compared.faults.iter().cloned());
        faults.extend(evidence.stops.iter().chain(&evidence.panics).cloned());
        archive = Some(archive::Told {
            archivers: args.archivers,
            evidence,
            compared,
        });
    }
    let (timeline, actions, deserters) = (attack.timeline, attack.counts, attack.deserters);
    let testimony = sampler.finish().await?;
    let evidence = Evidence::gather(&members::logs(profile, "ingestor")?, proxy.losses())?;
    faults.extend(testimony.breaches.iter().cloned());
    faults.extend(evidence.stops.iter().chain(&evidence.panics).cloned());
    faults.extend(
        deserters
            .iter()
            .map(|name| format!("{name} ended by itself")),
    );
    let demand = Demand {
        rebalances: args.rebalances,
    };
    let mut missing = evidence.missing(demand);
    missing.extend(archive.iter().flat_map(|told| told.evidence.missing()));
    Ok(Report {
        seed: args.seed,
        minutes: args.minutes,
        members: usize::from(args.members),
        rate: args.rate,
        outcome: Report::judge(&faults, &missing),
        attacked_s: attacked.as_secs_f64(),
        settled_s: settling.elapsed().as_secs_f64(),
        actions,
        losses: proxy.losses(),
        evidence,
        archive,
        demand,
        missing,
        not_attacked: match servers.has_disk() {
            true => Vec::new(),
            false => {
                vec!["the database's disk: this machine lets nobody mount one of limited size"]
            }
        },
        sampler: testimony,
        compared: verdict.compared,
        faults,
        timeline,
    })
}
