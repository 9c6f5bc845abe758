//! `cargo dx status`: what runs, where, and how far the history has come. Changes nothing and needs no lock.

use std::time::Duration;

use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::object_store;
use super::postgres;
use super::profile::{Endpoints, Profile};
use super::service;
use super::state::{Part, State};
use super::topic;
use super::up::without_password;
use crate::console;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Says what runs.
///
/// # Errors
/// The profile's state cannot be read. A part that is down is told, not an error.
pub(crate) async fn run(profile: &Profile, _args: &Args) -> anyhow::Result<()> {
    let state = State::load(profile)?;
    console::say(format_args!(
        "profile {} in {}",
        profile.name,
        profile.dir.display()
    ));
    if state.ports.is_none() && profile.endpoints().is_err() {
        console::say(format_args!(
            "  not up; `{}` starts it",
            profile.command("up")
        ));
        return Ok(());
    }
    let endpoints = profile.endpoints()?;
    let (kafka, database) = tokio::join!(
        topic::answers(&endpoints.kafka),
        postgres::connect(&endpoints.postgres)
    );
    let own = &profile.servers;
    server(
        "kafka",
        &state,
        own.kafka.as_ref(),
        &endpoints.kafka,
        kafka.as_ref().err(),
    );
    server(
        "postgres",
        &state,
        own.postgres.as_ref(),
        &without_password(&endpoints.postgres),
        database.as_ref().err(),
    );
    if let Some(s3) = &endpoints.archive.s3 {
        tell_object_store(&state, &s3.endpoint).await;
    }
    services(&state).await;
    if kafka.is_ok() {
        tell_topic(&endpoints).await;
    }
    if let Ok(client) = database
        && let Err(error) = tell_history(&client).await
    {
        console::say(format_args!("  history      {error:#}"));
    }
    Ok(())
}

/// Tells one server: ours by its process, one of the user's own by whether it answers.
fn server(
    name: &str,
    state: &State,
    own: Option<&String>,
    address: &str,
    failure: Option<&anyhow::Error>,
) {
    let health = match failure {
        None => "answers".to_owned(),
        Some(_) if own.is_none() && state.running(name).is_none() => "down".to_owned(),
        Some(error) => format!("DOES NOT ANSWER: {error:#}"),
    };
    console::say(format_args!(
        "  {name:12} {}  {address}  {health}",
        pid(state.running(name))
    ));
}

async fn tell_object_store(state: &State, endpoint: &str) {
    let running = state.running(object_store::NAME);
    let health = match running {
        None => "down",
        Some(part) if object_store::answers(part.port).await => "answers",
        Some(_) => "DOES NOT ANSWER",
    };
    console::say(format_args!(
        "  {:12} {}  {endpoint}  {health}",
        object_store::NAME,
        pid(running)
    ));
}

fn pid(part: Option<&Part>) -> String {
    part.map_or_else(
        || "pid -".to_owned(),
        |part| {
            let age = (chrono::Utc::now() - part.started_at)
                .to_std()
                .unwrap_or_default();
            let rounded = Duration::from_secs(age.as_secs());
            format!(
                "pid {}, up {}",
                part.process.pid,
                humantime::format_duration(rounded)
            )
        },
    )
}

async fn services(state: &State) {
    for (name, part) in &state.parts {
        if super::SERVERS.contains(&name.as_str()) {
            continue;
        }
        let running = state.running(name);
        let health = match running {
            None => "DOWN: its process has ended",
            Some(_) if service::answers(part.port, "ready").await => "ready",
            Some(_) if service::answers(part.port, "live").await => "live, not ready",
            Some(_) => "does not answer",
        };
        console::say(format_args!(
            "  {name:12} {}  http://127.0.0.1:{}  {health}",
            pid(running),
            part.port
        ));
    }
}

async fn tell_topic(endpoints: &Endpoints) {
    match topic::end_offsets(&endpoints.kafka, &endpoints.topic).await {
        Ok(ends) => {
            let each: Vec<String> = ends.iter().map(ToString::to_string).collect();
            let total: i64 = ends.iter().sum();
            console::say(format_args!(
                "  topic        {}: {total} records in {} partitions, ends {}",
                endpoints.topic,
                ends.len(),
                each.join(" ")
            ));
        }
        Err(error) => console::say(format_args!("  topic        {error:#}")),
    }
}

async fn tell_history(client: &Client) -> anyhow::Result<()> {
    let found = client
        .query_one(
            "SELECT (SELECT count(*) FROM games), (SELECT count(*) FROM live_games), (SELECT count(*) FROM dead_letters)",
            &[],
        )
        .await;
    let row = match found {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
            anyhow::bail!("no schema yet; `cargo dx migrate` makes it")
        }
        found => found.context("cannot count games")?,
    };
    let (games, live, dead): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    console::say(format_args!(
        "  history      {games} finished games, {live} live ones with a snapshot, {dead} dead letters"
    ));
    let checkpoints = client
        .query(
            "SELECT pipeline, topic, count(*), sum(next_offset)::bigint, string_agg(next_offset::text, ' ' ORDER BY partition)
             FROM stream_checkpoints GROUP BY pipeline, topic ORDER BY pipeline, topic",
            &[],
        )
        .await?;
    if checkpoints.is_empty() {
        console::say("  checkpoints  none: no ingestor has run yet");
    }
    for row in checkpoints {
        let (pipeline, topic, count, total): (&str, &str, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let each: &str = row.get(4);
        console::say(format_args!(
            "  checkpoints  {pipeline} of {topic}: {total} records done in {count} partitions, next {each}"
        ));
    }
    tell_stopped(client).await
}

async fn tell_stopped(client: &Client) -> anyhow::Result<()> {
    let stopped = client
        .query(
            "SELECT pipeline, partition, stopped_reason, coalesce(stopped_detail, '') FROM stream_checkpoints
             WHERE stopped_reason IS NOT NULL ORDER BY pipeline, partition",
            &[],
        )
        .await?;
    for row in stopped {
        let (pipeline, partition, reason, detail): (&str, i32, &str, &str) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        console::say(format_args!(
            "  STOPPED      {pipeline}, partition {partition}: {reason} {detail}"
        ));
    }
    Ok(())
}
