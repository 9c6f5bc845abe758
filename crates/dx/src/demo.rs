//! `cargo dx demo`: the main job, whole, in front of one's eyes.
//!
//! A story told in the commands anyone can type: each is printed, then run through the same command line. It has a stack of its own,
//! wiped before it begins and taken down when it ends, however it ends.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli;
use crate::console::{Step, remark, say};
use crate::stack::{self, Lock, Profile, State};

/// The project's own games.
const FAMOUS_GAMES: &str = "crates/dx/games/famous.pgn";
/// A famous game and a famous player, to be shown.
const SHOWN_PLAYER: &str = "Fischer, Robert James";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many games to simulate
    #[arg(long, default_value_t = 2_000)]
    games: u32,
    /// The simulator's seed: the same seed plays the same games
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Leave everything running, to look further
    #[arg(long)]
    keep: bool,
}

/// Tells the story.
///
/// # Errors
/// A step fails; what ran is stopped all the same.
pub(crate) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let outcome = tokio::select! {
        outcome = tell(profile, args) => outcome,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    if args.keep && outcome.is_ok() {
        return look_further(profile);
    }
    let lock = Lock::take(profile).await?;
    // After a failure the logs are worth a look; the next demo deletes them.
    stack::stop(profile, outcome.is_ok(), &lock).await?;
    if outcome.is_ok() {
        say(
            "\nThat was it: everything is stopped and deleted. `cargo dx demo --keep` leaves it running.",
        );
    }
    outcome
}

async fn tell(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    {
        let lock = Lock::take(profile).await?;
        stack::stop(profile, true, &lock).await?;
    }
    let (games, seed) = (args.games.to_string(), args.seed.to_string());
    let famous = profile.root.join(FAMOUS_GAMES);
    let famous = famous
        .to_str()
        .context("the checkout's path is not UTF-8")?;
    chapter("A real Apache Kafka and a real PostgreSQL");
    step(profile, &["up"]).await?;
    chapter(
        "The services: one folds events into the history, one answers over HTTP, one archives every record",
    );
    step(profile, &["run", "ingestor", "--detach"]).await?;
    step(profile, &["run", "query-api", "--detach"]).await?;
    step(profile, &["run", "archiver", "--detach"]).await?;
    chapter("Games: simulated ones, with the faults of real life, and a dozen famous ones");
    let faults = [
        "--duplicates",
        "0.02",
        "--poison",
        "0.001",
        "--conflicts",
        "0.001",
        "--late",
        "0.005",
    ];
    step(
        profile,
        &[
            &["simulate", "--games", &games, "--seed", &seed],
            &faults[..],
        ]
        .concat(),
    )
    .await?;
    step(profile, &["import-pgn", famous]).await?;
    chapter("The judge: the whole topic folded again by independent code, compared row by row");
    step(profile, &["verify"]).await?;
    chapter("The archive: every record in files, and the proof that none is missing or doubled");
    archived(profile).await?;
    tell_command(profile, &["run", "archiver", "--", "verify"]);
    stack::ask_archiver(profile, &["verify"]).await?;
    chapter("The history, over HTTP");
    step(profile, &["show", "player", SHOWN_PLAYER]).await?;
    if let Some(id) = newest_game(profile, SHOWN_PLAYER).await? {
        step(profile, &["show", "game", &id]).await?;
    }
    Ok(())
}

fn chapter(title: &str) {
    say(format_args!("\n── {title}"));
}

/// How long the archiver may take to close its last batch and put it.
const ARCHIVING_PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the archive ends where the topic does.
async fn archived(profile: &Profile) -> anyhow::Result<()> {
    let endpoints = profile.endpoints()?;
    let ends = stack::end_offsets(&endpoints.kafka, &endpoints.topic).await?;
    let (end, deadline) = (
        ends.iter().sum::<i64>(),
        Instant::now() + ARCHIVING_PATIENCE,
    );
    let waiting = Step::start(
        "archive",
        "waiting for its last batch, which is closed by age",
    );
    loop {
        let port = State::load(profile)?.port("archiver-1");
        let port = port.context("the archiver has ended; its log says why")?;
        let url = format!("http://127.0.0.1:{port}/metrics");
        let metrics = reqwest::get(url).await?.text().await?;
        let next: i64 = next_offsets(&metrics).sum();
        if next == end {
            waiting.done(format_args!("{next} records in it"));
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the archive ends at {next} records, the topic at {end}");
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The next offset of each archived partition, out of the archiver's metrics.
fn next_offsets(metrics: &str) -> impl Iterator<Item = i64> {
    metrics
        .lines()
        .filter(|line| line.starts_with("archive_next_offset{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
}

/// Prints a command and runs it.
async fn step(profile: &Profile, words: &[&str]) -> anyhow::Result<()> {
    tell_command(profile, words);
    let line = ["cargo dx", "--profile", &profile.name]
        .into_iter()
        .chain(words.iter().copied());
    Box::pin(cli::execute(line)).await
}

fn tell_command(profile: &Profile, words: &[&str]) {
    let root = profile.root.to_string_lossy().into_owned() + "/";
    let shown: Vec<String> = words
        .iter()
        .map(|word| quoted(&word.replace(&root, "")))
        .collect();
    remark(format_args!(
        "$ cargo dx --profile {} {}",
        profile.name,
        shown.join(" ")
    ));
}

fn quoted(word: &str) -> String {
    if word.contains([' ', ',']) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

async fn newest_game(profile: &Profile, player: &str) -> anyhow::Result<Option<String>> {
    let mut url = reqwest::Url::parse(&profile.endpoints()?.api)?;
    url.path_segments_mut()
        .ok()
        .context("the API's URL has no path")?
        .extend(["v1", "players", player, "games"]);
    let page: serde_json::Value = reqwest::get(url).await?.json().await?;
    Ok(page["data"][0]["game_id"].as_str().map(str::to_owned))
}

fn look_further(profile: &Profile) -> anyhow::Result<()> {
    let endpoints = profile.endpoints()?;
    let name = &profile.name;
    say(format_args!(
        "\nEverything is still running:\n  \
         documentation of the API  {api}/docs\n  \
         a player's games          {api}/v1/players/Fischer,%20Robert%20James/games\n  \
         the database              psql {postgres}\n  \
         the archive's files       {archive}\n  \
         what runs and how far     cargo dx --profile {name} status\n  \
         an ingestor's log         cargo dx --profile {name} logs ingestor-1\n  \
         stop and delete           cargo dx --profile {name} down --wipe",
        api = endpoints.api,
        postgres = endpoints.postgres,
        archive = endpoints.archive.url,
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::next_offsets;

    #[test]
    fn offsets_are_read_from_the_metrics_text() {
        let text = "# TYPE archive_next_offset gauge\narchive_next_offset{topic=\"t\",partition=\"0\"} 12\n\
                    archive_lag_records{partition=\"0\"} 3\narchive_next_offset{topic=\"t\",partition=\"1\"} 30\n";
        assert_eq!(next_offsets(text).collect::<Vec<_>>(), [12, 30]);
    }
}
