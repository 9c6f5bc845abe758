//! A store that answers wrongly, late or not at all: the archiver says so, goes on when it is over, and has every record once.

use std::time::Duration;

use test_support::Refusal;

#[cfg(target_os = "linux")]
use crate::archiver::files;
use crate::archiver::{Archiver, Setup, wait_for};
use crate::ledger::Ledger;
#[cfg(target_os = "linux")]
use crate::ledger::{archived, unnamed};

const LONG: Duration = Duration::from_secs(600);

/// Waits until the archive in the bucket has the whole ledger, and has it proven.
fn whole(setup: &Setup, ledger: &Ledger, running: Archiver) {
    let topic = setup.topic.name();
    let printed = || {
        let printed = setup.run(&["cat", "--topic", topic]);
        String::from_utf8(printed.stdout).unwrap().lines().count()
    };
    wait_for("the whole log in the archive", || {
        printed() >= ledger.records.len()
    });
    running.shut_down();
    let verified = setup.run(&["verify", "--compare", "--topic", topic]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{said}");
    let rows = format!(" {} records, 0 orphans, 0 faults", ledger.records.len());
    assert!(said.contains(&rows), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_outlives_a_store_that_refuses_and_keys_that_expire_and_says_so_meanwhile() {
    let setup = Setup::in_bad_weather(1, "parquet").await;
    let mut ledger = Ledger::open(&setup.topic).await;
    let running = setup.start("weather");
    wait_for("readiness", || running.readiness().0);
    for (refusal, word) in [
        (Refusal::InternalError, "InternalError"),
        (Refusal::SlowDown, "SlowDown"),
        (Refusal::TooManyRequests, "TooManyRequests"),
        (Refusal::AccessDenied, "AccessDenied"),
        (Refusal::ExpiredToken, "ExpiredToken"),
    ] {
        setup.weather().refuse(refusal, LONG);
        ledger.publish(300).await;
        wait_for("what the store answers, in readiness", || {
            let (ready, told) = running.readiness();
            !ready && told.contains(word)
        });
        setup.weather().clear();
        wait_for("readiness", || running.readiness().0);
    }
    whole(&setup, &ledger, running);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_outlives_a_store_that_is_slow_silent_or_cut_off() {
    let setup = Setup::in_bad_weather(2, "jsonl").await;
    let mut ledger = Ledger::open(&setup.topic).await;
    let running = setup.start("weather");
    wait_for("readiness", || running.readiness().0);
    setup.weather().slow(Duration::from_millis(150), LONG);
    ledger.publish(300).await;
    wait_for("slow answers", || setup.weather().faults().slowed > 5);
    setup.weather().clear();
    // Longer than a request may take: what was given up is carried out afterwards all the same.
    setup.weather().stall(Duration::from_secs(4));
    ledger.publish(300).await;
    wait_for("silence in readiness", || !running.readiness().0);
    wait_for("readiness", || running.readiness().0);
    for _ in 0..3 {
        setup.weather().stall(Duration::from_secs(1));
        ledger.publish(100).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        setup.weather().cut();
    }
    let faults = setup.weather().faults();
    assert!(faults.stalled > 0 && faults.cut > 0, "{faults:?}");
    whole(&setup, &ledger, running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_answer_was_lost_is_found_to_be_ones_own() {
    let setup = Setup::in_bad_weather(1, "parquet").await;
    let mut ledger = Ledger::open(&setup.topic).await;
    let running = setup.start("weather");
    wait_for("readiness", || running.readiness().0);
    setup.weather().lose_answers(4);
    ledger.publish(1_200).await;
    wait_for("lost answers", || {
        setup.weather().faults().answers_lost == 4
    });
    wait_for("links that stand already", || {
        running.said().matches("the link stands already").count() >= 4
    });
    assert!(!running.said().contains("fenced"), "{}", running.said());
    whole(&setup, &ledger, running);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_outlives_a_disk_that_takes_no_more() {
    let setup = Setup::new(1, "jsonl").await;
    let archive = setup.archive();
    let mut ledger = Ledger::open(&setup.topic).await;
    let running = setup.start("full");
    ledger.publish(300).await;
    wait_for("the whole log in the archive", || {
        ledger.is_archived(&archive)
    });
    // A link is put in place under its name, and its first name taken away, one after the other.
    wait_for("the last link alone", || {
        files(&archive).iter().all(|file| !file.contains('#'))
    });
    // A file of records has more bytes; to the process it is as if the disk had no room for it.
    running.limit_files(Some(256));
    let before = files(&archive);
    ledger.publish(300).await;
    wait_for("the full disk in readiness", || {
        let (ready, told) = running.readiness();
        !ready && told.contains("File too large")
    });
    assert_eq!(files(&archive), before, "what did not fit was left behind");
    running.limit_files(None);
    wait_for("the whole log in the archive", || {
        ledger.is_archived(&archive)
    });
    wait_for("readiness", || running.readiness().0);
    running.shut_down();
    assert_eq!(archived(&archive), ledger.records);
    assert_eq!(unnamed(&archive), [] as [String; 0]);
}
