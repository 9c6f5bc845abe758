//! `cargo dx up`: starts what does not run, waits until it answers, makes the topic and the schema.
//!
//! Every process is noted in the state before it is waited for. Running again is safe at any point and does only what is missing.

use super::kafka;
use super::migrate;
use super::object_store;
use super::ports::{Ports, pick};
use super::postgres;
use super::profile::Profile;
use super::state::{Lock, State};
use super::sweep;
use super::topic::{self, Ensured};
use crate::console::{self, Step};
use anyhow::Context;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Brings the stack up.
///
/// # Errors
/// A part does not start or does not answer. What did start goes on running; `down` ends it.
pub(crate) async fn run(profile: &Profile, _args: &Args) -> anyhow::Result<()> {
    let lock = Lock::take(profile).await?;
    let work = async {
        let started = servers(profile, &lock).await?;
        let changed = history(profile).await?;
        anyhow::Ok(started || changed)
    };
    let changed = tokio::select! {
        changed = work => changed,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let remedy = profile.command("down");
    let changed =
        changed.map_err(|error| anyhow::anyhow!("{error:#}\n`{remedy}` stops what did start"))?;
    tell(profile, changed)
}

/// Starts the profile's servers that do not run and waits until all answer. True if one was started.
///
/// # Errors
/// As [`run`].
pub(crate) async fn servers(profile: &Profile, _lock: &Lock) -> anyhow::Result<bool> {
    std::fs::create_dir_all(profile.logs_dir())
        .with_context(|| format!("cannot create {}", profile.logs_dir().display()))?;
    let mut state = State::load(profile)?;
    forget_the_dead(profile, &mut state).await?;
    let ports = settle_ports(profile, &mut state)?;
    let kafka = start_kafka(profile, &mut state, &ports).await?;
    let postgres = start_postgres(profile, &mut state, &ports).await?;
    let object_store = start_object_store(profile, &mut state, &ports).await?;
    let started = kafka.is_some() || postgres.is_some() || object_store.is_some();
    tokio::try_join!(
        await_kafka(profile, &state, kafka),
        await_postgres(profile, &state, postgres),
        await_object_store(profile, &state, object_store)
    )?;
    Ok(started)
}

/// The topic and the schema. True if something changed.
///
/// # Errors
/// As [`run`].
pub(crate) async fn history(profile: &Profile) -> anyhow::Result<bool> {
    let endpoints = profile.endpoints()?;
    let ensured = topic::ensure(&endpoints.kafka, &endpoints.topic, profile.partitions).await?;
    match ensured {
        Ensured::Created => console::remark(format_args!(
            "  {:12} {} with {} partitions",
            "topic", endpoints.topic, profile.partitions
        )),
        Ensured::Existed(found) if i32::try_from(found).ok() != Some(profile.partitions) => {
            console::remark(format_args!(
                "  {:12} {} has {found} partitions, the profile says {}; the topic is left as it is",
                "topic", endpoints.topic, profile.partitions
            ))
        }
        Ensured::Existed(_) => {}
    }
    let applied = migrate::apply(&endpoints.postgres).await?;
    Ok(ensured == Ensured::Created || applied > 0)
}

fn tell(profile: &Profile, changed: bool) -> anyhow::Result<()> {
    let endpoints = profile.endpoints()?;
    let verb = if changed {
        "is up"
    } else {
        "was up already; nothing to do"
    };
    console::say(format_args!("profile {} {verb}", profile.name));
    console::say(format_args!(
        "  kafka     {}  topic {}",
        endpoints.kafka, endpoints.topic
    ));
    console::say(format_args!(
        "  postgres  {}",
        without_password(&endpoints.postgres)
    ));
    console::say(format_args!(
        "  archive   {}{}",
        endpoints.archive.url,
        endpoints
            .archive
            .s3
            .map(|s3| format!("  at {}, region {}", s3.endpoint, s3.region))
            .unwrap_or_default()
    ));
    Ok(())
}

/// A PostgreSQL URL fit to be shown.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "(a connection string of your own)".to_owned();
    };
    let (authority, tail) = rest
        .find(['/', '?'])
        .map_or((rest, ""), |at| rest.split_at(at));
    // A password may stand in the query as well.
    let path = tail.split('?').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, host)) => format!(
            "{scheme}://{}@{host}{path}",
            user.split(':').next().unwrap_or_default()
        ),
        None => format!("{scheme}://{authority}{path}"),
    }
}

/// Ends what an earlier, killed `up` started and could not note down; it would hold the ports and the data.
async fn forget_the_dead(profile: &Profile, state: &mut State) -> anyhow::Result<()> {
    state.parts.retain(|_, part| part.process.is_alive());
    let known: Vec<u32> = state.parts.values().map(|part| part.process.pid).collect();
    for stray in sweep::find(
        &profile.dir,
        &postgres::data_folders(profile, state),
        &known,
    ) {
        super::down::end_stray(&stray).await?;
    }
    state.save(profile)
}

/// Keeps recorded ports, unless a part that does not run has lost its own to somebody else.
fn settle_ports(profile: &Profile, state: &mut State) -> anyhow::Result<Ports> {
    let wanted = state
        .ports
        .clone()
        .unwrap_or_else(|| profile.preferred.clone())
        .or(&profile.preferred);
    let mut taken = Vec::new();
    let mut settle = |port: u16, runs: bool, what: &str| -> anyhow::Result<u16> {
        let picked = if runs { port } else { pick(port, &taken)? };
        if picked != port {
            console::remark(format_args!(
                "  port {port} is taken by something else: {what} goes to {picked}"
            ));
        }
        taken.push(picked);
        Ok(picked)
    };
    let kafka_runs = state.running(kafka::NAME).is_some();
    let ports = Ports {
        kafka: settle(
            wanted.kafka,
            kafka_runs || profile.servers.kafka.is_some(),
            "kafka",
        )?,
        kafka_controller: settle(
            wanted.kafka_controller,
            kafka_runs || profile.servers.kafka.is_some(),
            "kafka's controller",
        )?,
        postgres: settle(
            wanted.postgres,
            state.running(postgres::NAME).is_some() || profile.servers.postgres.is_some(),
            "postgres",
        )?,
        query_api: settle(
            wanted.query_api,
            state.running("query-api-1").is_some(),
            "query-api",
        )?,
        ingestor: settle(
            wanted.ingestor,
            state.running("ingestor-1").is_some(),
            "ingestor's health",
        )?,
        archiver: settle(
            wanted.archiver,
            state.running("archiver-1").is_some(),
            "archiver's health",
        )?,
        object_store: settle(
            wanted.object_store,
            state.running(object_store::NAME).is_some() || !profile.runs_object_store(),
            "the object store",
        )?,
    };
    state.ports = Some(ports.clone());
    state.save(profile)?;
    Ok(ports)
}

async fn start_kafka(
    profile: &Profile,
    state: &mut State,
    ports: &Ports,
) -> anyhow::Result<Option<Step>> {
    if profile.servers.kafka.is_some() || state.running(kafka::NAME).is_some() {
        return Ok(None);
    }
    let step = Step::start(kafka::NAME, "starting");
    let jars = kafka::jars(profile, &step).await?;
    let part = kafka::start(profile, &jars, ports, &step).await?;
    state.parts.insert(kafka::NAME.to_owned(), part);
    state.save(profile)?;
    Ok(Some(step))
}

async fn start_postgres(
    profile: &Profile,
    state: &mut State,
    ports: &Ports,
) -> anyhow::Result<Option<Step>> {
    if profile.servers.postgres.is_some() || state.running(postgres::NAME).is_some() {
        return Ok(None);
    }
    let step = Step::start(postgres::NAME, "starting");
    let part = postgres::start(profile, state, ports, &step).await?;
    state.parts.insert(postgres::NAME.to_owned(), part);
    state.save(profile)?;
    Ok(Some(step))
}

async fn start_object_store(
    profile: &Profile,
    state: &mut State,
    ports: &Ports,
) -> anyhow::Result<Option<Step>> {
    if !profile.runs_object_store() || state.running(object_store::NAME).is_some() {
        return Ok(None);
    }
    let step = Step::start(object_store::NAME, "starting");
    let program = object_store::program(profile, &step).await?;
    step.doing("starting");
    let part = object_store::start(profile, &program, ports)?;
    state.parts.insert(object_store::NAME.to_owned(), part);
    state.save(profile)?;
    Ok(Some(step))
}

async fn await_object_store(
    profile: &Profile,
    state: &State,
    step: Option<Step>,
) -> anyhow::Result<()> {
    let Some(part) = state.parts.get(object_store::NAME) else {
        return Ok(());
    };
    object_store::ready(profile, &part.process, part.port).await?;
    if let Some(step) = step {
        step.done(format_args!("up on 127.0.0.1:{}", part.port));
    }
    Ok(())
}

async fn await_kafka(profile: &Profile, state: &State, step: Option<Step>) -> anyhow::Result<()> {
    match (&profile.servers.kafka, state.parts.get(kafka::NAME)) {
        (Some(brokers), _) => topic::answers(brokers)
            .await
            .with_context(|| format!("Kafka at {brokers} does not answer"))?,
        (None, Some(part)) => {
            kafka::ready(profile, &part.process, &format!("127.0.0.1:{}", part.port)).await?
        }
        (None, None) => {}
    }
    if let (Some(step), Some(part)) = (step, state.parts.get(kafka::NAME)) {
        step.done(format_args!("up on 127.0.0.1:{}", part.port));
    }
    Ok(())
}

async fn await_postgres(
    profile: &Profile,
    state: &State,
    step: Option<Step>,
) -> anyhow::Result<()> {
    match (&profile.servers.postgres, state.parts.get(postgres::NAME)) {
        (Some(url), _) => {
            postgres::connect(url)
                .await
                .with_context(|| format!("{} does not answer", without_password(url)))?;
        }
        (None, Some(part)) => postgres::ready(profile, &part.process, part.port).await?,
        (None, None) => {}
    }
    if let (Some(step), Some(part)) = (step, state.parts.get(postgres::NAME)) {
        step.done(format_args!("up on 127.0.0.1:{}", part.port));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_url_is_shown_without_its_password_wherever_that_stands() {
        assert_eq!(
            without_password("postgres://u:se%40cret@db:5432/h"),
            "postgres://u@db:5432/h"
        );
        assert_eq!(
            without_password("postgres://u@db/h?password=secret"),
            "postgres://u@db/h"
        );
        assert_eq!(without_password("postgres://db/h"), "postgres://db/h");
        assert!(!without_password("host=db password=secret").contains("secret"));
    }
}
