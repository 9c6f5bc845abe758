//! What was measured, as a table with the aims beside the figures, and as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::export::Export;
use super::load::Measure;
use super::routes::{Aim, Route};

/// The least share of pgbench's throughput.
const AIM_RATIO: f64 = 0.5;

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) games: u64,
    pub(super) routes: Vec<Measured>,
    /// pgbench by the name of the route it is compared with: connections and transactions a second.
    pub(super) pgbench: Vec<(&'static str, Vec<(usize, f64)>)>,
    pub(super) shares: Option<Shares>,
    pub(super) export: Option<Export>,
    pub(super) ingesting: Option<Ingesting>,
}

/// One route's figures.
#[derive(Debug)]
pub(super) struct Measured {
    name: &'static str,
    title: &'static str,
    main: usize,
    aim: Aim,
    measures: Vec<Measure>,
}

impl Measured {
    pub(super) fn new(route: &Route, measures: Vec<Measure>) -> Self {
        Self {
            name: route.name,
            title: route.title,
            main: route.main,
            aim: route.aim,
            measures,
        }
    }
}

/// Who spent the processors' time while one route was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    pub(super) api: Duration,
    pub(super) postgres: Duration,
    pub(super) client: Duration,
}

impl Shares {
    fn of_all(&self, part: Duration) -> f64 {
        let all = self.api + self.postgres + self.client;
        part.as_secs_f64() / all.as_secs_f64().max(1e-3)
    }
}

/// How the ingestor fared beside the readers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ingesting {
    pub(super) wanted_per_second: u64,
    pub(super) produced_per_second: f64,
    /// The most records that were in the log and not committed, at any look.
    pub(super) most_lag: i64,
}

impl Report {
    /// The API's throughput by pgbench's, at a number of connections.
    fn ratio(&self, name: &str, connections: usize) -> Option<f64> {
        let (_, lines) = self.pgbench.iter().find(|(of, _)| *of == name)?;
        let (_, line) = lines.iter().find(|(at, _)| *at == connections)?;
        let route = self.routes.iter().find(|route| route.name == name)?;
        let measure = route
            .measures
            .iter()
            .find(|m| m.connections == connections)?;
        Some(measure.per_second / line)
    }

    /// The table.
    pub(super) fn table(&self) -> String {
        let mut table = Table(String::new());
        table.row(
            &format!("{} games", self.games),
            0,
            ["per second", "p50 ms", "p95 ms", "p99 ms", ""],
        );
        for route in &self.routes {
            for measure in &route.measures {
                let is_main = measure.connections == route.main;
                let [p50, p95, p99] = [measure.p50_ms, measure.p95_ms, measure.p99_ms].map(two);
                let mut remark = match (
                    is_main,
                    measure.p95_ms <= route.aim.p95_ms && measure.p99_ms <= route.aim.p99_ms,
                ) {
                    (false, _) => String::new(),
                    (true, true) => format!("≤ {} and {}", route.aim.p95_ms, route.aim.p99_ms),
                    (true, false) => {
                        format!("≤ {} and {}: MISSED", route.aim.p95_ms, route.aim.p99_ms)
                    }
                };
                if measure.refused > 0 {
                    let _ = write!(remark, " {} refused", measure.refused);
                }
                let title = if measure.connections == route.measures[0].connections {
                    route.title
                } else {
                    ""
                };
                table.row(
                    title,
                    measure.connections,
                    [
                        &format!("{:.0}", measure.per_second),
                        &p50,
                        &p95,
                        &p99,
                        &remark,
                    ],
                );
            }
            for (connections, line) in self
                .pgbench
                .iter()
                .filter(|(of, _)| *of == route.name)
                .flat_map(|(_, lines)| lines)
            {
                let ratio = self.ratio(route.name, *connections).unwrap_or_default();
                let verdict = if ratio < AIM_RATIO { ": MISSED" } else { "" };
                table.row(
                    "  pgbench",
                    *connections,
                    [
                        &format!("{line:.0}"),
                        "",
                        "",
                        "",
                        &format!("ratio {ratio:.2}, ≥ {AIM_RATIO}{verdict}"),
                    ],
                );
            }
        }
        if let Some(shares) = &self.shares {
            let percent = |part| format!("{:.0} %", shares.of_all(part) * 100.0);
            let _ = writeln!(
                table.0,
                "processor time while a game is asked for by 32: API {}, PostgreSQL {}, this client {}",
                percent(shares.api),
                percent(shares.postgres),
                percent(shares.client)
            );
        }
        if let Some(export) = &self.export {
            let _ = writeln!(
                table.0,
                "export of {} games: {:.0} a second, {:.0} MB/s; the server's memory {:.0} MB before, at most {:.0} MB",
                export.games,
                export.per_second(),
                export.megabytes_per_second(),
                export.memory_before_bytes as f64 / 1e6,
                export.peak_memory_bytes as f64 / 1e6
            );
        }
        if let Some(ingesting) = &self.ingesting {
            let _ = writeln!(
                table.0,
                "meanwhile {:.0} events a second were published of {} wanted; at most {} of them not committed",
                ingesting.produced_per_second, ingesting.wanted_per_second, ingesting.most_lag
            );
        }
        table.0
    }

    /// The figures by name. A route's plain names are those of the connections that its aim is about.
    pub(super) fn figures(&self) -> Value {
        let mut figures = Map::new();
        let mut put = |name: String, value: Value| {
            figures.insert(name, value);
        };
        put("read_games".to_owned(), json!(self.games));
        for route in &self.routes {
            for measure in &route.measures {
                let name = match measure.connections == route.main {
                    true => route.name.to_owned(),
                    false => format!("{}_{}_connections", route.name, measure.connections),
                };
                put(format!("{name}_per_s"), json!(measure.per_second.round()));
                put(format!("{name}_p50_ms"), json!(measure.p50_ms));
                put(format!("{name}_p95_ms"), json!(measure.p95_ms));
                put(format!("{name}_p99_ms"), json!(measure.p99_ms));
                if measure.refused > 0 {
                    put(format!("{name}_refused"), json!(measure.refused));
                }
            }
        }
        for (of, lines) in &self.pgbench {
            for (connections, line) in lines {
                let suffix = match *connections {
                    32 => String::new(),
                    other => format!("_{other}_connections"),
                };
                put(format!("{of}_pgbench{suffix}_per_s"), json!(line.round()));
                put(
                    format!("{of}_ratio{suffix}"),
                    json!(self.ratio(of, *connections)),
                );
            }
        }
        if let Some(shares) = &self.shares {
            put(
                "get_game_client_cpu_share".to_owned(),
                json!(shares.of_all(shares.client)),
            );
            put(
                "get_game_api_cpu_share".to_owned(),
                json!(shares.of_all(shares.api)),
            );
        }
        if let Some(export) = &self.export {
            put("export_games".to_owned(), json!(export.games));
            put(
                "export_per_s".to_owned(),
                json!(export.per_second().round()),
            );
            put(
                "export_memory_before_bytes".to_owned(),
                json!(export.memory_before_bytes),
            );
            put(
                "export_peak_memory_bytes".to_owned(),
                json!(export.peak_memory_bytes),
            );
        }
        if let Some(ingesting) = &self.ingesting {
            put(
                "while_ingesting_events_per_s".to_owned(),
                json!(ingesting.produced_per_second.round()),
            );
            put(
                "while_ingesting_most_lag_records".to_owned(),
                json!(ingesting.most_lag),
            );
        }
        Value::Object(figures)
    }
}

struct Table(String);

impl Table {
    fn row(&mut self, title: &str, connections: usize, columns: [&str; 5]) {
        let [per_second, p50, p95, p99, remark] = columns;
        let connections = match connections {
            0 => "connections".to_owned(),
            some => some.to_string(),
        };
        // Writing to a String can't fail.
        let _ = writeln!(
            self.0,
            "{title:<48} {connections:>11} {per_second:>10} {p50:>8} {p95:>8} {p99:>8}   {remark}"
        );
    }
}

fn two(value: f64) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use super::super::hot_set::HotSet;
    use super::super::routes::{Cache, get_game};
    use super::*;

    fn measure(connections: usize, per_second: f64, p95_ms: f64) -> Measure {
        Measure {
            connections,
            per_second,
            p50_ms: 1.0,
            p95_ms,
            p99_ms: 12.0,
            refused: 0,
        }
    }

    #[test]
    fn the_ratio_and_the_plain_names_are_those_of_32_connections() {
        let route = get_game(HotSet { games: 10 }, Cache::Off);
        let measures = vec![measure(1, 500.0, 2.0), measure(32, 3_000.0, 11.0)];
        let report = Report {
            games: 10,
            routes: vec![Measured::new(&route, measures)],
            pgbench: vec![("get_game", vec![(1, 2_000.0), (32, 5_000.0)])],
            ..Report::default()
        };
        let figures = report.figures();
        assert_eq!(figures["get_game_per_s"], json!(3_000.0));
        assert_eq!(figures["get_game_ratio"], json!(0.6));
        assert_eq!(figures["get_game_1_connections_p95_ms"], json!(2.0));
        let table = report.table();
        assert!(table.contains("≤ 10 and 20: MISSED"), "{table}");
        assert!(table.contains("ratio 0.25, ≥ 0.5: MISSED"), "{table}");
        assert!(table.contains("ratio 0.60, ≥ 0.5\n"), "{table}");
    }
}
