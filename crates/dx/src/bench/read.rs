//! `cargo dx bench read`: the story of the measurement, one chapter a figure.
//!
//! PostgreSQL, the API, pgbench and the client share the machine, as the figures say. Nothing else does: expect it to take the machine
//! for some minutes.

mod client;
mod export;
mod hot_set;
mod load;
mod pgbench;
mod played;
mod report;
mod routes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Handle;

use self::hot_set::HotSet;
use self::pgbench::PgBench;
use self::report::{Ingesting, Measured as MeasuredRoute, Report, Shares};
use self::routes::{Cache, Route};
use super::measured::{Cpu, Measured};
use super::publish::{self, Games};
use super::watch::Watch;
use super::{databases, own_stack, usage};
use crate::console::{Step, remark, say};
use crate::stack::{self, Endpoints, Profile, State};

const DATABASE: &str = "bench_read";
const TOPIC: &str = "bench-read";
/// Partitions of the topic that the ingestor follows beside the readers.
const PARTITIONS: i32 = 8;
/// Games live at a time in that stream.
const LIVE: usize = 20_000;
/// How much longer the stream lasts than the measurements in it.
const INGEST_MARGIN: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many finished games there are, over 62 months
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(20_000..), value_name = "N")]
    games: u64,
    /// How long each route is asked at each number of connections
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..), value_name = "S")]
    seconds: u64,
    /// Only routes whose name begins so, such as `stats`
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Then once more while an ingestor takes so many events a second; 0 leaves that chapter out
    #[arg(long, default_value_t = 0, value_name = "N")]
    events_per_s: u64,
    /// Leave the export out
    #[arg(long)]
    no_export: bool,
    /// Write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave the stack and its games, to look further or to measure again
    #[arg(long)]
    keep: bool,
    /// Measure with the games that an earlier run with `--keep` left
    #[arg(long)]
    reuse: bool,
}

/// Measures and prints the table; takes its stack down, however it ends.
///
/// # Errors
/// A part does not start, or does not answer.
pub(super) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let work = Box::pin(measure(profile, args));
    match args.reuse {
        true => own_stack::measure_again_on(profile, args.keep, work).await,
        false => own_stack::measure_on(profile, args.keep, work).await,
    }
}

async fn measure(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let set = HotSet { games: args.games };
    let endpoints = history(profile, set, args.reuse).await?;
    let mut report = Report {
        games: args.games,
        ..Report::default()
    };
    let bench = Bench {
        profile,
        args,
        endpoints: &endpoints,
        set,
    };
    bench.cache_off(&mut report).await?;
    bench.cache_on(&mut report).await?;
    if !args.no_export {
        report.export = Some(bench.export().await?);
    }
    if args.events_per_s > 0 {
        bench.while_ingesting(&mut report).await?;
    }
    say(report.table());
    own_stack::write_json(args.json.as_deref(), &report.figures())
}

/// The games, in a database of their own.
async fn history(profile: &Profile, set: HotSet, reuse: bool) -> anyhow::Result<Endpoints> {
    if reuse {
        let endpoints = databases::named(profile, DATABASE, TOPIC)?;
        databases::migrate(profile, &endpoints).await?;
        set.check(&endpoints.postgres).await?;
        return Ok(endpoints);
    }
    let endpoints = databases::fresh(profile, DATABASE, TOPIC).await?;
    set.write(&endpoints.postgres).await?;
    Ok(endpoints)
}

struct Bench<'a> {
    profile: &'a Profile,
    args: &'a Args,
    endpoints: &'a Endpoints,
    set: HotSet,
}

impl Bench<'_> {
    async fn api(&self, label: &str, cache: Cache) -> anyhow::Result<(Measured, SocketAddr)> {
        let label = format!("read-{label}");
        let settings = cache.settings();
        let api = Measured::query_api_with(self.profile, self.endpoints, &label, &settings).await?;
        let address = api.url();
        let address = address.strip_prefix("http://").unwrap_or(&address).parse();
        Ok((api, address.context("the API's address can't be read")?))
    }

    fn wanted(&self, name: &str) -> bool {
        self.args
            .only
            .as_ref()
            .is_none_or(|only| name.starts_with(only.as_str()))
    }

    /// Every route, each game read from the database, with pgbench's figures for the same statements in between.
    async fn cache_off(&self, report: &mut Report) -> anyhow::Result<()> {
        let (api, address) = self.api("cache-off", Cache::Off).await?;
        let pgbench = match PgBench::find(self.profile, self.endpoints) {
            Ok(pgbench) => Some(pgbench),
            Err(reason) => {
                remark(format_args!("no ratios: {reason:#}"));
                None
            }
        };
        for route in routes::uncached(self.set, address).await? {
            if !self.wanted(route.name) {
                continue;
            }
            let before = self.spent(&api)?;
            report.routes.push(self.route(address, &route).await?);
            let after = self.spent(&api)?;
            let scripts = match route.name {
                "get_game" => pgbench::get_game(self.set),
                "player_page" => pgbench::player_page(self.set),
                _ => continue,
            };
            if route.name == "get_game" {
                report.shares = Some(Shares {
                    api: after.api.saturating_sub(before.api),
                    postgres: after.postgres.saturating_sub(before.postgres),
                    client: after.client.saturating_sub(before.client),
                });
            }
            if let Some(pgbench) = &pgbench {
                let mut lines = Vec::new();
                for connections in route.connections {
                    let lasting = Duration::from_secs(self.args.seconds);
                    let step = Step::start("pgbench", &format!("{} by {connections}", route.name));
                    let line = pgbench
                        .per_second(route.name, &scripts, *connections, lasting)
                        .await?;
                    step.done(format_args!("{} by {connections}: {line:.0}", route.name));
                    lines.push((*connections, line));
                }
                report.pgbench.push((route.name, lines));
            }
        }
        api.stop().await
    }

    /// Processor time until now.
    fn spent(&self, api: &Measured) -> anyhow::Result<Shares> {
        let postgres = State::load(self.profile)?.process("postgres");
        Ok(Shares {
            api: usage::cpu_of_tree(api.pid())?,
            postgres: usage::cpu_of_tree(postgres.context("postgres is gone")?.pid)?,
            client: usage::cpu_of_this()?,
        })
    }

    /// A game that the cache has, and one that it has not.
    async fn cache_on(&self, report: &mut Report) -> anyhow::Result<()> {
        let (api, address) = self.api("cache-on", Cache::On).await?;
        for route in [
            routes::get_game(self.set, Cache::On),
            routes::get_game_hit(self.set),
        ] {
            if self.wanted(route.name) {
                report.routes.push(self.route(address, &route).await?);
            }
        }
        api.stop().await
    }

    async fn route(&self, address: SocketAddr, route: &Route) -> anyhow::Result<MeasuredRoute> {
        let lasting = Duration::from_secs(self.args.seconds);
        let mut measures = Vec::new();
        for connections in route.connections {
            let step = Step::start("read", &format!("{} by {connections}", route.name));
            let measure = load::measure(address, &route.targets, *connections, lasting).await?;
            step.done(format_args!(
                "{} by {connections}: {:.0} a second, p95 {:.2} ms",
                route.name, measure.per_second, measure.p95_ms
            ));
            measures.push(measure);
        }
        Ok(MeasuredRoute::new(route, measures))
    }

    /// Everything, by a server that has done nothing else.
    async fn export(&self) -> anyhow::Result<export::Export> {
        let (api, address) = self.api("export", Cache::Off).await?;
        let step = Step::start("export", "all games as NDJSON");
        let exported = export::everything(address, api.pid(), self.set.games).await?;
        step.done(format_args!("{:.0} games a second", exported.per_second()));
        api.stop().await?;
        Ok(exported)
    }

    /// The same reads beside a stream of events.
    async fn while_ingesting(&self, report: &mut Report) -> anyhow::Result<()> {
        let routes = routes::while_ingesting(self.set);
        let rate = self.args.events_per_s;
        let each = Duration::from_secs(self.args.seconds) + load::WARM_UP;
        let lasting = each * u32::try_from(routes.len())? + INGEST_MARGIN;
        let step = Step::start("stream", &format!("playing {rate} events a second"));
        stack::new_topic(&self.endpoints.kafka, &self.endpoints.topic, PARTITIONS).await?;
        let games = Games {
            seed: 12,
            games: None,
            most_records: Some(rate * lasting.as_secs()),
            live: LIVE,
        };
        let stream = tokio::task::block_in_place(|| games.prepare());
        let ingestor = Measured::ingestor(self.profile, self.endpoints, "read").await?;
        let (api, address) = self.api("while-ingesting", Cache::Off).await?;
        let mut target = self.endpoints.clone();
        target.api = api.url();
        let watch = Watch::new(self.endpoints).await?;
        watch.until_claimed().await?;
        step.done("ready");
        let (before, watching) = (Cpu::now(self.profile, &ingestor)?, watch.watching());
        let runtime = Handle::current();
        let publishing = move || publish::at_rate(&stream, rate, &target, 0, &runtime);
        let publishing = tokio::task::spawn_blocking(publishing);
        for route in routes {
            report.routes.push(self.route(address, &route).await?);
        }
        let (published, _) = publishing.await??;
        let (watch, samples) = watching.finish().await?;
        let spent = Cpu::now(self.profile, &ingestor)?.since(before);
        watch.until_caught_up().await?;
        remark(format_args!(
            "  processor time: ingestor {:.1} s, PostgreSQL {:.1} s, Kafka {:.1} s, producer and readers {:.1} s",
            spent.service.as_secs_f64(),
            spent.postgres.as_secs_f64(),
            spent.kafka.as_secs_f64(),
            spent.producer.as_secs_f64()
        ));
        let lag = samples.iter().map(|look| look.produced - look.committed);
        report.ingesting = Some(Ingesting {
            wanted_per_second: rate,
            produced_per_second: published.per_second(),
            most_lag: lag.max().unwrap_or_default(),
        });
        api.stop().await?;
        ingestor.stop().await
    }
}
