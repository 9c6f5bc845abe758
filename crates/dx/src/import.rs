//! `cargo dx import-pgn`: real games, from PGN to the topic.
//!
//! Ids are derived from the games themselves, so an import that is repeated publishes what the history already has and
//! changes nothing. A game is refused rather than guessed at; the others are imported.

mod ending;
mod game;
mod identity;
mod tags;
mod times;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use chess::pgn::{FoundGame, Reader, Reason, Refused};
use indicatif::{ProgressBar, ProgressStyle};
use publisher::{GamePublisher, Pending, PublisherConfig};
use uuid::Uuid;

use crate::console::say;
use crate::stack::Endpoints;
pub(crate) use game::{ImportedGame, Refusal, Settings, events_of};

/// How many events may be on their way at a time.
const MAX_IN_FLIGHT: usize = 10_000;
/// How long the last events may take to arrive.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// PGN files, each with any number of games
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Fail when any game is refused, not only when all are
    #[arg(long)]
    strict: bool,
    /// Import games without a result as live ones instead of refusing them
    #[arg(long)]
    unfinished: bool,
    /// When games end whose date is missing or lies before 1970, as RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    undated_at: Option<chrono::DateTime<chrono::Utc>>,
    /// The region to give every event, such as eu
    #[arg(long)]
    region: Option<String>,
    /// The platform to give every game, such as web
    #[arg(long)]
    platform: Option<String>,
}

/// What came of an import.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) imported: usize,
    pub(crate) events: usize,
    /// Games whose times are not those of their tags.
    pub(crate) undated: usize,
    /// Each refused game: where, and why.
    pub(crate) refused: Vec<String>,
    /// The ids of the imported games, in their order.
    pub(crate) ids: Vec<String>,
}

pub(crate) async fn run(args: Args, endpoints: &Endpoints) -> anyhow::Result<()> {
    let settings = Settings {
        region: args.region,
        platform: args.platform,
        undated_end_ms: args
            .undated_at
            .unwrap_or_else(chrono::Utc::now)
            .timestamp_millis(),
        unfinished: args.unfinished,
    };
    if let Some(region) = &settings.region {
        domain::Slug::check(region).with_context(|| format!("--region {region:?}"))?;
    }
    let summary = import(&args.files, &settings, endpoints).await?;
    print(&summary, &endpoints.topic);
    if summary.imported == 0 {
        bail!("no game was imported");
    }
    if args.strict && !summary.refused.is_empty() {
        bail!("{} games were refused", summary.refused.len());
    }
    Ok(())
}

/// Publishes the games of some files.
///
/// # Errors
/// A file that can't be opened, or an event that can't be delivered. Refused games are in the summary instead.
pub(crate) async fn import(
    files: &[PathBuf],
    settings: &Settings,
    endpoints: &Endpoints,
) -> anyhow::Result<Summary> {
    let config = PublisherConfig::new(&endpoints.kafka, &endpoints.topic);
    let publisher = GamePublisher::connect(config).await?;
    let mut import = Import {
        settings,
        publisher: &publisher,
        summary: Summary::default(),
        known: HashMap::new(),
        in_flight: VecDeque::new(),
    };
    for path in files {
        import.file(path).await?;
    }
    import.deliver(0).await?;
    let summary = import.summary;
    publisher.shutdown(FLUSH_TIMEOUT).await?;
    Ok(summary)
}

struct Import<'a> {
    settings: &'a Settings,
    publisher: &'a GamePublisher,
    summary: Summary,
    /// Every imported game: what it is, and where it stands.
    known: HashMap<String, (Uuid, String)>,
    in_flight: VecDeque<Pending>,
}

impl Import<'_> {
    async fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let file = File::open(path).with_context(|| format!("can't open {}", path.display()))?;
        let bar = progress(&file, path);
        for game in Reader::new(bar.wrap_read(file)) {
            match game {
                Ok(found) => {
                    let place = format!("game {} of {}", found.number, path.display());
                    if let Err(refusal) = self.game(&found, place).await? {
                        let told = format!(
                            "{}: game {}, line {}: {refusal}",
                            path.display(),
                            found.number,
                            found.line
                        );
                        self.summary.refused.push(told);
                    }
                }
                // Nothing follows it: what is missing is not a game but the rest of the file.
                Err(Refused {
                    reason: Reason::Io(error),
                    ..
                }) => {
                    return Err(error)
                        .with_context(|| format!("can't read on in {}", path.display()));
                }
                Err(refused) => self
                    .summary
                    .refused
                    .push(format!("{}: {refused}", path.display())),
            }
            bar.set_message(format!("{} games", self.summary.imported));
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn game(
        &mut self,
        found: &FoundGame,
        place: String,
    ) -> anyhow::Result<Result<(), Refusal>> {
        let game = match events_of(found, self.settings) {
            Ok(game) => game,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some((content, known)) = self.known.get(game.id.as_str()) {
            let known = known.clone();
            let same = *content == game.content;
            return Ok(Err(if same {
                Refusal::Twice(known)
            } else {
                Refusal::SameId(known)
            }));
        }
        self.publish(&game).await?;
        self.summary.imported += 1;
        self.summary.events += game.events.len();
        self.summary.undated += usize::from(!game.dated);
        self.summary.ids.push(game.id.clone());
        self.known.insert(game.id, (game.content, place));
        Ok(Ok(()))
    }

    async fn publish(&mut self, game: &ImportedGame) -> anyhow::Result<()> {
        for event in &game.events {
            let pending = self
                .publisher
                .send(event, None)
                .await
                .with_context(|| format!("game {}", game.id))?;
            self.in_flight.push_back(pending);
        }
        self.deliver(MAX_IN_FLIGHT).await
    }

    /// Waits until no more than `most` events are on their way.
    async fn deliver(&mut self, most: usize) -> anyhow::Result<()> {
        while self.in_flight.len() > most {
            let Some(oldest) = self.in_flight.pop_front() else {
                break;
            };
            oldest.await?;
        }
        Ok(())
    }
}

fn progress(file: &File, path: &Path) -> ProgressBar {
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let bar = ProgressBar::new(bytes);
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    if let Ok(style) =
        ProgressStyle::with_template("{prefix} [{bar:40}] {bytes}/{total_bytes} {msg}")
    {
        bar.set_style(style);
    }
    bar.with_prefix(name)
}

/// The reasons, the commonest first, each with how many games and the first of them.
fn by_reason(refused: &[String]) -> Vec<(usize, &str)> {
    let mut reasons: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for told in refused {
        // "file: game 3, line 7: reason"
        let reason = told.splitn(3, ": ").nth(2).unwrap_or(told);
        reasons.entry(reason).or_insert((0, told)).0 += 1;
    }
    let mut counted: Vec<_> = reasons.into_values().collect();
    counted.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    counted
}

fn print(summary: &Summary, topic: &str) {
    say(format_args!(
        "imported {} games, {} events, to {topic}",
        summary.imported, summary.events
    ));
    if summary.undated > 0 {
        say(format_args!(
            "  {} of them have no date that an event can carry (missing, or before 1970) and end at the time of the import",
            summary.undated
        ));
    }
    if !summary.refused.is_empty() {
        say(format_args!("refused {} games:", summary.refused.len()));
        for (count, told) in by_reason(&summary.refused) {
            match count {
                1 => say(format_args!("  {told}")),
                _ => say(format_args!("  {told} (and {} more)", count - 1)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
