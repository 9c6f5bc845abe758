//! Archivers that are killed at each step, and two on the same partitions.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::archiver::{Archiver, Setup, files, wait_for};
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

/// Waits until the bucket's chains reach to the end of the ledger, and gives the bucket's objects.
async fn archived_in_s3(setup: &Setup, ledger: &Ledger) -> tempfile::TempDir {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let copy = setup.copy_of_bucket().await;
        if ledger.is_archived(copy.path()) {
            return copy;
        }
        assert!(
            Instant::now() < deadline,
            "waited in vain for the whole log in the bucket"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One that takes a link of the other for its own goes on behind a link that nobody has. While the other is there, the other's
/// links hide that; so each of the two has to go on alone.
#[tokio::test(flavor = "multi_thread")]
async fn in_s3_one_of_two_that_is_stopped_and_woken_goes_on_alone_behind_the_others_links() {
    let setup = Setup::in_s3(2, "jsonl").await;
    let mut ledger = Ledger::open(&setup.topic).await;
    let claimed = |archiver: &Archiver| {
        wait_for("both partitions claimed", || {
            archiver.said().matches("behind=").count() >= 2
        });
    };
    let one = setup.start("one");
    for round in 0.. {
        ledger.publish(300).await;
        archived_in_s3(&setup, &ledger).await;
        let other = setup.start(&format!("other-{round}"));
        claimed(&one);
        claimed(&other);
        // It sleeps with the end of the chain in its memory, and wakes when that is the other's.
        one.stop();
        ledger.publish(300).await;
        archived_in_s3(&setup, &ledger).await;
        one.go_on();
        ledger.publish(300).await;
        archived_in_s3(&setup, &ledger).await;
        other.shut_down();
        ledger.publish(300).await;
        let copy = archived_in_s3(&setup, &ledger).await;
        assert_eq!(archived(copy.path()), ledger.records);
        if one.said().contains("fenced") {
            break;
        }
        assert!(
            round < 5,
            "the one that was stopped is never fenced: the test attacks nothing"
        );
    }
    one.shut_down();
    let topic = setup.topic.name();
    let swept = setup.run(&["sweep", "--yes", "--topic", topic]);
    assert!(swept.status.success());
    let copy = setup.copy_of_bucket().await;
    assert_eq!(archived(copy.path()), ledger.records);
    assert_eq!(unnamed(copy.path()), [] as [String; 0], "orphans are left");
    let verified = setup.run(&["verify", "--compare", "--topic", topic]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{said}");
    let rows = format!(" {} records, 0 orphans, 0 faults", ledger.records.len());
    assert!(said.contains(&rows), "{said}");
}
