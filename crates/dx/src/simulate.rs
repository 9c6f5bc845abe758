//! `cargo dx simulate`: a platform's games, published as a platform would, with faults where they are asked for.
//!
//! [`play`] makes the stream and knows no Kafka, [`mod@publish`] sends it and keeps the ledger: what was sent, what was wrong with
//! it on purpose, and what a right reader makes of each fault.

mod ledger;
mod pace;
mod play;
mod publish;
mod visibility;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::console::{remark, say};
use crate::stack::Endpoints;
use ledger::Totals;
pub(crate) use play::{Faults, HeaderRoom, Play, Role, Sent, Settings, Step};
use publish::{Options, publish};
pub(crate) use visibility::{Seen, Visibility};

/// How many games are watched at a time: enough for a sample, too few to be a load of their own.
const WATCHED: usize = 64;

/// How many events a game has on average.
const EVENTS_A_GAME: u64 = 61;
/// How long a game lasts on average by its own clocks, in milliseconds.
const MEAN_GAME_MS: u64 = 280_000;
/// How long the last games may go on after the last one has begun, in milliseconds.
const LAST_GAMES_MS: u64 = 2_100_000;
/// What this machine may publish flat out, in events a second; only used to place the games in time.
const FLAT_OUT_EVENTS: u64 = 150_000;
/// How many seconds lie between two events of a game on average.
const SECONDS_BETWEEN_EVENTS: u64 = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many games to play
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    games: u64,
    /// Publish for so many seconds instead, however many games that makes; games live then are left live
    #[arg(long, conflicts_with = "games", value_name = "S")]
    seconds: Option<u64>,
    /// Events a second; 0 for as fast as it goes
    #[arg(long, default_value_t = 0, value_name = "EVENTS")]
    rate: u64,
    /// As fast as it goes: the same as --rate 0
    #[arg(long, conflicts_with = "rate")]
    flat_out: bool,
    /// How many games are live at a time [default: as many as make the rate, 1000 without one]
    #[arg(long, value_name = "K")]
    live: Option<usize>,
    /// How many players there are; a few of them play much, most play little
    #[arg(long, default_value_t = 1_000, value_parser = at_least_two, value_name = "P")]
    players: usize,
    /// The source of everything random: the same seed and --start-at give the same events [default: another one every time]
    #[arg(long)]
    seed: Option<u64>,
    /// When the first game begins, as RFC 3339 [default: so that the last one ends about now]
    #[arg(long, value_name = "TIME")]
    start_at: Option<DateTime<Utc>>,
    /// How many lines of legal play to make first; games share them
    #[arg(long, default_value_t = 400, value_name = "LINES")]
    book: usize,
    /// Share of events sent again, byte for byte
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    duplicates: f64,
    /// Share of events followed by a record that can't be applied
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    poison: f64,
    /// Share of events contradicted by another create, move or end
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    conflicts: f64,
    /// Share of creates and moves sent again after their game's end
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    late: f64,
    /// Share of games with a move that is never sent
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    gaps: f64,
    /// Share of moves sent after one or two of those that follow
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    reorder: f64,
    /// Where to write what was sent [default: ledger-SEED.ndjson in the profile's folder]
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Measure how long a finished game takes to be readable over HTTP after its end was acknowledged
    #[arg(long)]
    measure_visibility: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text
        .parse()
        .map_err(|_no_number| format!("{text:?} is not a number"))?;
    match (0.0..=1.0).contains(&share) {
        true => Ok(share),
        false => Err("a share lies between 0 and 1, such as 0.02 for 2 %".to_owned()),
    }
}

fn at_least_two(text: &str) -> Result<usize, String> {
    let players = text
        .parse()
        .map_err(|_no_number| format!("{text:?} is not a number"))?;
    if players < 2 {
        Err("a game needs two players".to_owned())
    } else {
        Ok(players)
    }
}

pub(crate) async fn run(args: Args, endpoints: &Endpoints) -> anyhow::Result<()> {
    let options = args.options(endpoints);
    remark(format_args!(
        "simulate --seed {} --start-at {}",
        options.play.seed,
        time(options.play.start_ms)
    ));
    let (totals, seen) = publish(&options, endpoints).await?;
    print(&totals, &options, endpoints);
    if let Some(seen) = seen {
        print_visibility(&seen);
        seen.check()?;
    }
    Ok(())
}

impl Args {
    fn options(self, endpoints: &Endpoints) -> Options {
        let now = Utc::now();
        let seed = self
            .seed
            .unwrap_or_else(|| u64::from(now.timestamp_subsec_nanos() ^ std::process::id()));
        let live = self.live.unwrap_or_else(|| usual_live(self.rate));
        let start_ms = match self.start_at {
            Some(start_at) => start_at.timestamp_millis(),
            None => now.timestamp_millis() - i64::try_from(self.span_ms(live)).unwrap_or(0),
        };
        Options {
            play: Settings {
                seed,
                games: self.seconds.is_none().then_some(self.games),
                live,
                players: self.players,
                start_ms,
                book_lines: self.book,
                faults: Faults {
                    duplicates: self.duplicates,
                    poison: self.poison,
                    conflicts: self.conflicts,
                    late: self.late,
                    gaps: self.gaps,
                    reorder: self.reorder,
                },
            },
            rate: (self.rate > 0).then_some(self.rate),
            time: self.seconds.map(Duration::from_secs),
            ledger: self
                .ledger
                .unwrap_or_else(|| endpoints.data_dir.join(format!("ledger-{seed}.ndjson"))),
            watched: if self.measure_visibility { WATCHED } else { 0 },
        }
    }

    /// How long the games take by their own time, beyond what publishing them takes.
    fn span_ms(&self, live: usize) -> u64 {
        let rate = if self.rate > 0 {
            self.rate
        } else {
            FLAT_OUT_EVENTS
        };
        let games = self.seconds.map_or(self.games, |seconds| {
            seconds.saturating_mul(rate) / EVENTS_A_GAME
        });
        let live = u64::try_from(live).unwrap_or(u64::MAX).max(1);
        let games_ms = games.saturating_mul(MEAN_GAME_MS) / live;
        match self.rate {
            0 => games_ms + LAST_GAMES_MS,
            rate => games_ms.saturating_sub(games.saturating_mul(EVENTS_A_GAME * 1_000) / rate),
        }
    }
}

/// As many live games as give so many events a second when everybody thinks as long as people do.
fn usual_live(rate: u64) -> usize {
    match rate {
        0 => 1_000,
        rate => usize::try_from(
            rate.saturating_mul(SECONDS_BETWEEN_EVENTS)
                .clamp(20, 200_000),
        )
        .unwrap_or(1_000),
    }
}

fn time(at_ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn print(totals: &Totals, options: &Options, endpoints: &Endpoints) {
    let row = |name: &str, count: u64| say(format_args!("  {name:<34} {count:>12}"));
    row(&format!("records to {}", endpoints.topic), totals.records);
    row("  to be applied", totals.applied);
    for (verdict, count) in &totals.expected {
        row(&format!("  {verdict}"), *count);
    }
    row("games", totals.games);
    for (termination, count) in &totals.terminations {
        row(&format!("  {termination}"), *count);
    }
    row("games with a missing move", totals.incomplete);
    row("games with moves out of order", totals.reordered);
    row("events a second", totals.per_second());
    say(format_args!("ledger: {}", options.ledger.display()));
}

fn print_visibility(seen: &Seen) {
    let Some([p50, p90, p99, max]) = seen.quantiles() else {
        return;
    };
    say(format_args!(
        "readable after its end was acknowledged, {} games: p50 {p50} ms, p90 {p90} ms, p99 {p99} ms, max {max} ms",
        seen.measured()
    ));
}

#[cfg(test)]
mod tests;
