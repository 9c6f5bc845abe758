//! The commands on a real archive, and a start that can't work.

use serde_json::{Value, json};
use test_support::Refusal;

use crate::archiver::{PATIENCE, Setup, wait_for};
use crate::ledger::{Ledger, named};

async fn filled(format: &'static str) -> (Setup, Ledger) {
    let setup = Setup::new(2, format).await;
    let mut ledger = Ledger::open(&setup.topic).await;
    ledger.publish(1_000).await;
    let running = setup.start("fill");
    wait_for("the whole log in the archive", || {
        ledger.is_archived(&setup.archive())
    });
    running.shut_down();
    (setup, ledger)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_is_verified_listed_and_printed_and_a_flipped_byte_is_named() {
    for format in ["parquet", "jsonl"] {
        let (setup, ledger) = filled(format).await;
        let topic = setup.topic.name().to_owned();
        let report = setup.archive().with_extension("json");
        let path = report.to_str().unwrap();
        let verified = setup.run(&["verify", "--compare", "--topic", &topic, "--json", path]);
        assert!(
            verified.status.success(),
            "{}{}",
            text(&verified.stdout),
            text(&verified.stderr)
        );
        let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
        let sum = |field: &str| -> i64 {
            let chains = report["chains"].as_array().unwrap();
            chains
                .iter()
                .map(|chain| chain["kafka"][field].as_i64().unwrap())
                .sum()
        };
        assert_eq!(
            (report["sound"].as_bool(), sum("compared"), sum("lag")),
            (Some(true), 1_000, 0)
        );

        let listed = text(&setup.run(&["ls", "--topic", &topic]).stdout);
        let mut urls: Vec<String> = listed.lines().map(str::to_owned).collect();
        urls.sort();
        let expected: Vec<String> = named(&setup.archive())
            .iter()
            .map(|key| format!("file://{}/{key}", setup.archive().display()))
            .collect();
        assert_eq!(urls, expected);

        let game = text(
            &setup
                .run(&["cat", "--topic", &topic, "--game", "g-5"])
                .stdout,
        );
        let found: Vec<Value> = game
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let wanted: Vec<&String> = ledger
            .records
            .values()
            .filter(|value| value.contains("\"g-5\""))
            .collect();
        assert_eq!(found.len(), wanted.len());
        assert!(
            found
                .iter()
                .all(|record| record["value"]["gameId"] == "g-5")
        );
        assert!(found.is_sorted_by_key(|record| record["offset"].as_i64()));

        let victim = &named(&setup.archive())[1];
        let file = setup.archive().join(victim);
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let verified = setup.run(&["verify", "--topic", &topic, "--offline"]);
        let said = text(&verified.stdout);
        assert_eq!(verified.status.code(), Some(1), "{said}");
        let faults: Vec<&str> = said.lines().filter(|line| line.contains("FAULT")).collect();
        assert!(
            faults.len() == 1 && faults[0].contains(victim.as_str()),
            "{said}"
        );

        // Out of the way of those who glob for files, and named all the same.
        let quarantine = |key: &str| {
            let words = ["quarantine", "--key", key, "--reason", "a flipped byte"];
            setup.run(&[&words[..], &["--by", "ann", "--yes"]].concat())
        };
        let whole = quarantine(&named(&setup.archive())[0]);
        assert_eq!(whole.status.code(), Some(1));
        assert!(text(&whole.stderr).contains("it stays"));
        let moved = quarantine(victim);
        assert!(moved.status.success(), "{}", text(&moved.stderr));
        assert!(!file.exists() && setup.archive().join("quarantine").join(victim).exists());
        for command in ["verify", "cat"] {
            let told = setup.run(&[command, "--topic", &topic]);
            let said = text(&told.stdout) + &text(&told.stderr);
            assert_eq!(told.status.code(), Some(1), "{said}");
            assert!(
                said.contains(victim.as_str()) && said.contains("a flipped byte (ann"),
                "{said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_filled_from_the_archive_once_and_never_on_top_of_records() {
    let (setup, ledger) = filled("parquet").await;
    let other = Setup::new(2, "parquet").await;
    let target = &other.topic;
    let arguments = [
        "copy-to-topic",
        "--topic",
        setup.topic.name(),
        "--to",
        target.name(),
    ];
    let copied = setup.run(&arguments);
    assert!(copied.status.success(), "{}", text(&copied.stderr));
    assert!(text(&copied.stdout).contains(&format!("copied {} records", ledger.records.len())));
    // Archived again they are the same records: a header without a value has not got an empty one.
    let records = |setup: &Setup| {
        let printed = setup.run(&["cat", "--topic", setup.topic.name()]);
        let mut lines: Vec<String> = text(&printed.stdout)
            .lines()
            .map(|line| {
                let record: Value = serde_json::from_str(line).unwrap();
                json!([record["key"], record["headers"], record["value"]]).to_string()
            })
            .collect();
        lines.sort();
        lines
    };
    let running = other.start("copied");
    wait_for("the copy in the archive", || {
        records(&other).len() == ledger.records.len()
    });
    running.shut_down();
    let copies = records(&other);
    assert_eq!(copies, records(&setup));
    assert!(copies[0].contains("\"null\":null"), "{}", copies[0]);
    let again = setup.run(&arguments);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("is not empty"),
        "{}",
        text(&again.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_can_not_be_used_ends_the_start_with_the_reason() {
    let setup = Setup::new(1, "parquet").await;
    let refused = |word: &str| {
        let said = setup.start("in-vain").gave_up();
        let url = format!("the store file://{}", setup.archive().display());
        assert!(said.contains(&url) && said.contains(word), "{said}");
    };
    std::fs::write(setup.archive(), "a file where the directory should be").unwrap();
    refused("it is not a directory");

    // Nothing is wrong with the directory itself: only who tries to write in it learns that it can't be done.
    std::fs::remove_file(setup.archive()).unwrap();
    std::fs::create_dir(setup.archive()).unwrap();
    std::fs::write(setup.archive().join("_probe"), "a file in the way").unwrap();
    refused("creating _probe/");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_or_is_none_ends_the_start_with_the_reason() {
    let setup = Setup::in_bad_weather(1, "parquet").await;
    let refused = |others: &[(&str, &str)], words: [&str; 2]| {
        let said = setup.start_with("in-vain", others).gave_up();
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    refused(
        &[("ARCHIVER__STORE__SECRET_ACCESS_KEY", "another")],
        ["creating _probe/", "SignatureDoesNotMatch"],
    );
    refused(
        &[("ARCHIVER__STORE__URL", "s3://nobody-has-made-this-one")],
        [
            "the store s3://nobody-has-made-this-one can't be used",
            "there is no such bucket",
        ],
    );
    setup.weather().refuse(Refusal::AccessDenied, PATIENCE);
    refused(&[], ["creating _probe/", "AccessDenied"]);
    setup.weather().clear();

    // It is the probe alone that keeps it from working.
    let running = setup.start("at-last");
    wait_for("readiness", || running.readiness().0);
    running.shut_down();
}
