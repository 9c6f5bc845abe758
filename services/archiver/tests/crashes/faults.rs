//! Archivers that are killed at each step, and two on the same partitions.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::archiver::{Setup, files, wait_for};
use crate::ledger::{Ledger, archived, links, unnamed};

/// Where an archiver is killed.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// While its first batch is open.
    MidFile,
    /// When a file of records has appeared that no manifest names.
    AfterData,
    /// When a manifest has appeared.
    AfterManifest,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_killed_at_any_step_loses_and_doubles_nothing() {
    let setup = Setup::new(2, "jsonl").await;
    let archive = setup.archive();
    let mut ledger = Ledger::open(&setup.topic).await;
    let mut left_behind = 0;
    for (round, step) in [Step::MidFile, Step::AfterData, Step::AfterManifest]
        .into_iter()
        .cycle()
        .take(9)
        .enumerate()
    {
        ledger.publish(600).await;
        let (raw, manifests) = (count(&archive, "raw/"), count(&archive, "_manifests/"));
        let running = setup.start(&format!("kill-{round}"));
        match step {
            Step::MidFile => std::thread::sleep(Duration::from_millis(150)),
            Step::AfterData => wait_for("a file of records", || count(&archive, "raw/") > raw),
            Step::AfterManifest => {
                wait_for("a manifest", || count(&archive, "_manifests/") > manifests)
            }
        }
        running.kill();
        left_behind += unnamed(&archive).len();
    }
    assert!(
        left_behind > 0,
        "no kill came between a file and its manifest: the test attacks nothing"
    );
    ledger.publish(100).await;
    let last = setup.start("last");
    wait_for("the whole log in the archive", || {
        ledger.is_archived(&archive)
    });
    last.shut_down();
    assert_eq!(archived(&archive), ledger.records);
    assert_eq!(unnamed(&archive), [] as [String; 0], "orphans are left");
    let verified = setup.run(&["verify", "--compare", "--topic", setup.topic.name()]);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}

fn count(archive: &std::path::Path, below: &str) -> usize {
    files(archive)
        .iter()
        .filter(|key| key.starts_with(below) && !key.contains('#'))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_archivers_on_one_partition_with_one_stopped_and_woken_double_nothing() {
    let setup = Setup::new(1, "jsonl").await;
    let archive = setup.archive();
    let mut ledger = Ledger::open(&setup.topic).await;
    let (one, other) = (setup.start("one"), setup.start("other"));
    let writers = || -> BTreeSet<String> {
        let links = links(&archive);
        links
            .iter()
            .map(|link| link["writer"].to_string())
            .collect()
    };
    // The one that is awake gets the time to win a link, however slow the machine is.
    let until_linked = |before: usize| {
        let deadline = Instant::now() + Duration::from_secs(5);
        while links(&archive).len() <= before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    for round in 0.. {
        ledger.publish(500).await;
        for asleep in [&one, &other] {
            asleep.stop();
            let before = links(&archive).len();
            ledger.publish(500).await;
            until_linked(before);
            asleep.go_on();
        }
        if round >= 3 && writers().len() == 2 {
            break;
        }
        assert!(
            round < 20,
            "only one of the two ever writes: the test attacks nothing"
        );
    }
    wait_for("the whole log in the archive", || {
        ledger.is_archived(&archive)
    });
    one.shut_down();
    other.shut_down();
    assert_eq!(archived(&archive), ledger.records);
    let swept = setup.run(&["sweep", "--yes", "--topic", setup.topic.name()]);
    assert!(
        swept.status.success(),
        "{}",
        String::from_utf8_lossy(&swept.stderr)
    );
    assert_eq!(unnamed(&archive), [] as [String; 0], "orphans are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_s3_two_archivers_on_the_same_partitions_double_nothing_either() {
    let setup = Setup::in_s3(2, "parquet").await;
    let mut ledger = Ledger::open(&setup.topic).await;
    let (one, other) = (setup.start("one"), setup.start("other"));
    for _ in 0..3 {
        ledger.publish(400).await;
        one.stop();
        std::thread::sleep(Duration::from_millis(600));
        one.go_on();
    }
    let topic = setup.topic.name();
    let printed = || {
        let printed = setup.run(&["cat", "--topic", topic]);
        String::from_utf8(printed.stdout).unwrap().lines().count()
    };
    wait_for("the whole log in the archive", || {
        printed() >= ledger.records.len()
    });
    one.shut_down();
    other.shut_down();
    assert_eq!(printed(), ledger.records.len());
    let verified = setup.run(&["verify", "--compare", "--topic", topic]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{said}");
    assert!(said.contains("1200 records"), "{said}");
}
