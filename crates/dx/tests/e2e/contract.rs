//! The read API's contract, held by tools that know nothing of its code: a Bruno collection, schemathesis, and a client in another
//! language that was generated from the OpenAPI document alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::history::History;

/// Requests that schemathesis makes up for each route and phase: about half a minute in all.
const EXAMPLES: &str = "12";

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/e2e/contract")
        .join(name)
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// A few players who have played often.
async fn played() -> History {
    let mut history = History::begin().await;
    history.start_ingestor();
    let games = ["--games", "120", "--players", "12", "--seed", "5"];
    history.succeed(&[&["simulate"], &games[..]].concat());
    history.verify();
    history
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_the_bruno_collection_is_answered_as_asserted() {
    let history = played().await;
    let told = history.succeed(&["bruno", "--native"]);
    assert!(told.contains("all hold"), "{told}");
}

/// All of its checks: no 5xx, nothing that the document does not describe, nothing sound refused, nothing unsound taken.
#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_answer_that_breaks_the_document() {
    let history = played().await;
    let document = format!("{}/openapi.json", history.api_url());
    let output = test_support::python()
        .args(["-m", "schemathesis.cli", "run", &document])
        .args(["--checks", "all", "--max-examples", EXAMPLES, "--seed", "7"])
        .args(["--workers", "1", "--continue-on-failure"])
        .env("SCHEMATHESIS_HOOKS", "sound_requests")
        .env("PYTHONPATH", here(""))
        // It leaves a folder of its own where it runs.
        .current_dir(history.file("").parent().unwrap())
        .output()
        .unwrap();
    let told = told(&output);
    assert!(output.status.success(), "{told}");
    // Whoever tests nothing finds nothing.
    let tested = told.lines().find(|line| line.contains("generated, "));
    let generated: u32 = tested
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("{told}"));
    assert!(generated > 1_000, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_generated_from_the_document_alone_reads_the_history() {
    let history = played().await;
    let python = test_support::python();
    let folder = history.file("client");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/generate-client");
    let output = Command::new(script)
        .arg(format!("{}/openapi.json", history.api_url()))
        .arg(&folder)
        .env("PYTHON", python.get_program())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let (_, feed) = history.get("/v1/games?limit=1").await;
    let player = feed["data"][0]["players"][0]["id"].as_str().unwrap();
    let output = test_support::python()
        .arg(here("use_generated_client.py"))
        .args([history.api_url(), player])
        .env("PYTHONPATH", &folder)
        .output()
        .unwrap();
    let told = told(&output);
    assert!(output.status.success() && told.contains(" games"), "{told}");
}
