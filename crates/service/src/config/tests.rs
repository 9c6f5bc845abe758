//! Precedence of the sources, and that every fault is told at once.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Demo {
    listen: SocketAddr,
    database: Database,
    #[serde(default)]
    log: Log,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    url: SecretString,
    #[serde(default = "ten")]
    connections: u16,
    #[serde(default, with = "humantime_serde")]
    timeout: Duration,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields, default)]
struct Log {
    format: Format,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Text,
    Json,
}

fn ten() -> u16 {
    10
}

/// Reads `Demo` from a file's text and variables, in an environment of its own.
#[expect(clippy::result_large_err, reason = "figment's jail wants its error")]
fn read(toml: &str, variables: &[(&str, &str)]) -> Result<Demo, Vec<String>> {
    let mut outcome = None;
    figment::Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file("demo.toml", toml)?;
        for (name, value) in variables {
            jail.set_env(name, value);
        }
        let file = jail.directory().join("demo.toml");
        outcome = Some(load_checked("DEMO", Some(&file), check));
        Ok(())
    });
    outcome.unwrap().map_err(|faults| {
        let line = |fault: &ConfigFault| format!("{}: {}", fault.key, fault.problem);
        faults.as_slice().iter().map(line).collect()
    })
}

fn check(demo: &Demo) -> Vec<(String, String)> {
    let key = "database.connections".to_owned();
    match demo.database.connections {
        0 => vec![(key, "must be at least 1".to_owned())],
        _ => Vec::new(),
    }
}

const GOOD: &str = "listen = '0.0.0.0:1'\n[database]\nurl = 'postgres://a'\ntimeout = '3s'\n";

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
    let demo = read(
        GOOD,
        &[
            ("DEMO__DATABASE__URL", "postgres://b"),
            ("DEMO__LOG__FORMAT", "json"),
        ],
    )
    .unwrap();
    assert_eq!(demo.database.url.expose_secret(), "postgres://b");
    assert_eq!(demo.database.timeout, Duration::from_secs(3));
    assert_eq!(demo.database.connections, 10);
    assert_eq!(demo.log.format, Format::Json);
    assert_eq!(demo.listen.port(), 1);
}

#[test]
fn a_secret_of_digits_stays_the_text_it_is() {
    let demo = read(GOOD, &[("DEMO__DATABASE__URL", "0123456")]).unwrap();
    assert_eq!(demo.database.url.expose_secret(), "0123456");
}

#[test]
fn variables_of_others_are_left_alone() {
    assert!(read(GOOD, &[("DEMO_PORT", "tcp://1.2.3.4:80"), ("DEMOLOG", "x")]).is_ok());
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = read(
        "listn = 1\n[database]\nconnections = 'many'\ntimeout = '3 parsecs'\n[log]\nformat = 'xml'\n",
        &[("DEMO__LOG__COLOUR", "true")],
    )
    .unwrap_err();
    assert_eq!(
        faults,
        [
            "database.connections: expected u16, found string \"many\"",
            "database.timeout: expected a duration, found string \"3 parsecs\"",
            "database.url: is required and not set",
            "listen: is required and not set",
            "listn: is not a known key; known here: listen, database, log",
            "log.colour: is not a known key; known here: format",
            "log.format: `xml` is not one of text, json",
        ]
    );
}

#[test]
fn a_missing_section_is_told_by_its_required_keys() {
    let faults = read("listen = '0.0.0.0:1'", &[]).unwrap_err();
    assert_eq!(faults, ["database.url: is required and not set"]);
}

#[test]
fn a_check_of_values_is_told_with_the_others() {
    let faults = read(
        "[database]\nurl = 'x'\nconnections = 0\n",
        &[("DEMO__LISTEN", "nowhere")],
    )
    .unwrap_err();
    assert_eq!(faults[0], "database.connections: must be at least 1");
    assert!(
        faults[1].starts_with("listen: invalid socket address"),
        "{faults:?}"
    );
    assert_eq!(faults.len(), 2);
}

#[test]
fn a_fault_names_the_variable_and_keeps_secrets() {
    let faults = load::<Demo>("DEMO", None).unwrap_err().to_string();
    assert!(
        faults.contains("database.url (DEMO__DATABASE__URL): is required and not set"),
        "{faults}"
    );
    let faults = read("listen = '0.0.0.0:1'\n[database]\nurl = 4711\n", &[]).unwrap_err();
    assert!(!faults[0].contains("4711"), "{faults:?}");
}

#[test]
fn a_file_that_is_missing_or_broken_is_named() {
    let missing = load::<Demo>("DEMO", Some(Path::new("/nowhere/demo.toml"))).unwrap_err();
    assert!(
        missing.to_string().contains("/nowhere/demo.toml"),
        "{missing}"
    );
    let broken = read("listen = [1", &[]).unwrap_err();
    assert!(broken[0].contains("demo.toml"), "{broken:?}");
}
