//! A short attack on a stack of its own: a zombie, lost replies, a kill -9, of ingestors and of archivers, and whatever else the seed
//! has in its first half minute.
//!
//! It is alone in its test binary, so that nothing else runs beside it: what it proves depends on timing.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A service of this build, which stands beside the command under test.
fn service(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_dx")).with_file_name(name);
    assert!(
        path.exists(),
        "{} is not built: run through `cargo dx test`",
        path.display()
    );
    path
}

/// The exit code of an attack that held and can't prove that it attacked: no verdict, try another seed.
const PROVES_NOTHING: i32 = 3;

fn attack(seed: &str, json: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dx"));
    command
        .args(["chaos", "--seed", seed, "--minutes", "0.4"])
        .args(["--members", "2", "--rate", "3000", "--rebalances", "2"])
        .arg("--ingestor")
        .arg(service("ingestor"))
        .arg("--archiver")
        .arg(service("archiver"))
        .arg("--json")
        .arg(json);
    for name in [
        "DX_PROFILE",
        "DX_KAFKA",
        "DX_POSTGRES",
        "DX_TOPIC",
        "DX_API",
    ] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

#[test]
fn a_short_attack_proves_that_it_attacked_and_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let mut seeds = ["20261121", "20261122", "20261123"].into_iter();
    let output = loop {
        let output = attack(
            seeds
                .next()
                .unwrap_or_else(|| panic!("no seed proved that it attacked")),
            &json,
        );
        if output.status.code() != Some(PROVES_NOTHING) {
            break output;
        }
    };
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");

    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let count = |place: &str| report.pointer(place).and_then(Value::as_u64).unwrap();
    assert_eq!(report["outcome"], "held");
    for proof in [
        "/evidence/fenced_commits",
        "/evidence/unknown_commit_outcomes",
        "/evidence/replays",
        "/archive/evidence/killed",
        "/archive/evidence/woken",
        "/archive/compared/links",
    ] {
        assert!(count(proof) >= 1, "{proof}: {told}");
    }
    assert!(count("/compared/records") > 30_000, "{told}");
    assert!(count("/compared/finished_games") > 100, "{told}");
    assert!(count("/archive/compared/records") >= count("/compared/records"));
    assert!(count("/sampler/looks") > 50, "{told}");
    assert!(count("/sampler/games_seen_again") > 100, "{told}");
}
