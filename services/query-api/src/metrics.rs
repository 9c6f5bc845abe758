//! The metrics of the API, each described once, in one list that the operator's document is held to. Labels are few: never an id.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// How a metric is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Its values are counted in buckets.
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

/// Every metric of the API: name, labels, kind, what it tells. `docs/OPERATIONS.md` has the same list.
pub const ALL: [(&str, &[&str], Kind, &str); 14] = [
    (
        "http_request_duration_seconds",
        &["method", "route", "status"],
        Histogram,
        "Time until an answer begins",
    ),
    (
        "database_pool_connections",
        &[],
        Gauge,
        "Sessions of the pool",
    ),
    (
        "database_pool_idle_connections",
        &[],
        Gauge,
        "Sessions of the pool that nobody uses",
    ),
    (
        "auth_refusals_total",
        &["reason"],
        Counter,
        "Requests refused by their token, or for want of one",
    ),
    (
        "auth_key_fetches_total",
        &["outcome"],
        Counter,
        "Fetches of the issuer's keys",
    ),
    (
        "rate_limited_total",
        &["bucket"],
        Counter,
        "Requests refused because their caller asked too much",
    ),
    (
        "rate_limit_callers",
        &["bucket"],
        Gauge,
        "Callers that a rate remembers",
    ),
    (
        "requests_shed_total",
        &["cause"],
        Counter,
        "Requests refused because there was too much to do",
    ),
    (
        "game_cache_requests_total",
        &["outcome"],
        Counter,
        "Games asked for, by where they were found",
    ),
    (
        "game_cache_bytes",
        &[],
        Gauge,
        "Bytes of the games in memory, about",
    ),
    ("game_cache_games", &[], Gauge, "Games in memory"),
    (
        "cold_reads_total",
        &["outcome"],
        Counter,
        "Games asked of the archive",
    ),
    (
        "cold_read_duration_seconds",
        &[],
        Histogram,
        "Time to read a game of the archive",
    ),
    (
        "admin_actions_total",
        &["action"],
        Counter,
        "What operators did",
    ),
];

/// Gives every metric its description. Once, after the recorder is installed.
pub fn describe() {
    for (name, _, kind, text) in ALL {
        match kind {
            Counter => describe_counter!(name, text),
            Gauge => describe_gauge!(name, text),
            Histogram => describe_histogram!(name, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::ALL;

    #[test]
    fn the_document_lists_every_metric_with_its_labels_and_no_other() {
        let text = include_str!("../../../docs/OPERATIONS.md");
        let (_, section) = text.split_once("The metrics of the query API").unwrap();
        let rows = section
            .lines()
            .skip_while(|line| !line.starts_with('|'))
            .take_while(|line| line.starts_with('|'));
        let first = rows.filter_map(|row| row.split('|').nth(1));
        let documented: BTreeSet<String> = first
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .map(str::to_owned)
            .collect();
        let code = ALL.iter().map(|(name, labels, ..)| match labels {
            [] => (*name).to_owned(),
            labels => format!("{name}{{{}}}", labels.join(",")),
        });
        assert_eq!(code.collect::<BTreeSet<_>>(), documented);
    }

    #[test]
    fn every_metric_that_is_recorded_is_in_the_list_and_the_other_way_round() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = sources(&root.join("src"));
        files.push(root.join("../../crates/service/src/http/observe.rs"));
        let mut recorded = BTreeSet::new();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for kind in ["counter!(", "gauge!(", "histogram!("] {
                let calls = text.split(kind).skip(1);
                recorded.extend(calls.filter_map(name));
            }
        }
        let listed: BTreeSet<String> = ALL.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(recorded, listed);
    }

    /// The name that the arguments of a call begin with, if they do.
    fn name(call: &str) -> Option<String> {
        let name = call.trim_start().strip_prefix('"')?;
        name.split('"').next().map(str::to_owned)
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| match path.is_dir() {
                true => sources(&path),
                false => vec![path],
            })
            .collect()
    }
}
