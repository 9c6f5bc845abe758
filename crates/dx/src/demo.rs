//! `cargo dx demo`: the main job, whole, in front of one's eyes.
//!
//! A story told in the commands anyone can type: each is printed, then run through the same command line. It has a stack of its own,
//! wiped before it begins and taken down when it ends, however it ends.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli;
use crate::console::{remark, say};
use crate::stack::{self, Lock, Profile};

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
    chapter("The services: one folds events into the history, one answers over HTTP");
    step(profile, &["run", "ingestor", "--detach"]).await?;
    step(profile, &["run", "query-api", "--detach"]).await?;
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

/// Prints a command and runs it.
async fn step(profile: &Profile, words: &[&str]) -> anyhow::Result<()> {
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
    let line = ["cargo dx", "--profile", &profile.name]
        .into_iter()
        .chain(words.iter().copied());
    Box::pin(cli::execute(line)).await
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
         what runs and how far     cargo dx --profile {name} status\n  \
         an ingestor's log         cargo dx --profile {name} logs ingestor-1\n  \
         stop and delete           cargo dx --profile {name} down --wipe",
        api = endpoints.api,
        postgres = endpoints.postgres,
    ));
    Ok(())
}
