//! The job `compact`: few files instead of many, the same records, and nothing removed that is not proven.

use archive::compaction::{Compaction, Compactions};
use archive::expiry::{Expiries, Expiry};
use archive::log::{LogReader, NoTail, Stretch, records_of_key};
use archive::verify::{Depth, verify_chain};
use archive::{ArchiveStore, Chain, FileEntry, FileFormat, FileReader, ObjectKey, ReadLimits};
use archiver::compact::{CompactConfig, Done, pass};
use archiver::retention::expire;
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;

use crate::chain::{self, Said, said};
use crate::places::{self, Place};

const NOON: &str = "2026-11-20T12:00:00Z";

fn now() -> DateTime<Utc> {
    NOON.parse().unwrap()
}

/// Three links of the 18th with two regions and several hours, one of the 19th, one of the 20th, which is open.
async fn some_days(store: &ArchiveStore, format: FileFormat) -> Vec<Said> {
    let links = vec![
        vec![
            said(10, "2026-11-18T09:59:59.900Z", "eu", "g-1"),
            said(11, "2026-11-18T10:00:00Z", "eu", "g-2"),
            said(12, "2026-11-18T09:59:59.950Z", "eu", "g-1"),
            said(13, "2026-11-18T10:00:00.001Z", "us", "g-3"),
        ],
        vec![said(14, "2026-11-18T11:00:00Z", "eu", "g-1")],
        // One producer's clock is far off; it must not keep the others.
        vec![
            said(15, "2026-11-18T23:59:00Z", "us", "g-3"),
            said(16, "2031-01-01T00:00:00Z", "us", "g-3"),
        ],
        vec![said(20, "2026-11-19T08:00:00Z", "eu", "g-4")],
        vec![said(21, "2026-11-20T08:00:00Z", "eu", "g-5")],
    ];
    for link in &links {
        chain::append(store, format, link).await;
    }
    links.concat()
}

async fn run(store: &ArchiveStore, now: DateTime<Utc>) -> archive::Result<Done> {
    pass(&CompactConfig::default(), store, &chain::id().topic, now).await
}

async fn compactions(store: &ArchiveStore) -> Vec<Compaction> {
    let compactions = Compactions::new(store.clone(), chain::id());
    let mut found = Vec::new();
    if let Some(last) = compactions.last_seq().await.unwrap() {
        for seq in 0..=last {
            found.push(compactions.read(seq).await.unwrap().0);
        }
    }
    found
}

/// The offsets and bodies of a file.
async fn records(store: &ArchiveStore, file: &FileEntry) -> Vec<(i64, String)> {
    let limits = ReadLimits::default();
    let mut reader = FileReader::open(store, &file.key, file.bytes, limits)
        .await
        .unwrap();
    let mut found = Vec::new();
    while let Some(batch) = reader.next_batch().await.unwrap() {
        found.extend(batch.records().map(|record| {
            let body = record.value.unwrap().to_vec();
            (record.offset, String::from_utf8(body).unwrap())
        }));
    }
    found
}

async fn count(store: &ArchiveStore, folder: &str) -> usize {
    let folder = ObjectKey::parse(folder).unwrap();
    let listed: Vec<_> = store.list(&folder).try_collect().await.unwrap();
    listed.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_days_become_a_file_a_region_with_the_same_records() {
    for (place, format) in places::both()
        .await
        .into_iter()
        .zip([FileFormat::Parquet, FileFormat::Jsonl])
    {
        let store = place.open();
        let all = some_days(&store, format).await;
        let done = run(&store, now()).await.unwrap();
        assert_eq!(
            (done.compactions, done.files_before, done.files_after),
            (2, 7, 4)
        );
        let made = compactions(&store).await;
        let spans: Vec<(i64, i64, u64)> = made.iter().map(|c| (c.start, c.end, c.rows())).collect();
        assert_eq!(spans, [(10, 17, 7), (17, 21, 1)]);
        let folders: Vec<String> = made[0]
            .files
            .iter()
            .map(|file| file.key.folder().to_string())
            .collect();
        let of = |rest: &str| format!("compacted/topic=game-events/{rest}");
        assert_eq!(
            folders,
            [
                of("region=eu/dt=2026-11-18"),
                of("region=us/dt=2026-11-18"),
                of("region=us/dt=2031-01-01")
            ]
        );
        let mut found = Vec::new();
        for file in made.iter().flat_map(|compaction| &compaction.files) {
            let records = records(&store, file).await;
            assert!(records.is_sorted(), "{records:?}");
            found.extend(records);
        }
        found.sort();
        let said: Vec<(i64, String)> = all[..8]
            .iter()
            .map(|said| (said.offset, said.body.clone()))
            .collect();
        assert_eq!(found, said);
        // The links and their files are as they were, and a second look finds nothing to do.
        assert_eq!(count(&store, "raw").await, 8);
        assert_eq!(run(&store, now()).await.unwrap(), Done::default());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_files_go_after_the_grace_time_and_the_links_stay() {
    for place in places::both().await {
        let store = place.open();
        some_days(&store, FileFormat::Parquet).await;
        run(&store, now()).await.unwrap();
        let a_week_less = now() + TimeDelta::days(7) - TimeDelta::seconds(1);
        assert_eq!(run(&store, a_week_less).await.unwrap().removed, 0);
        let done = run(&store, now() + TimeDelta::days(7)).await.unwrap();
        assert_eq!(done.removed, 7);
        // The 20th is closed by now, and compacted; its file stays for a week of its own.
        assert_eq!(count(&store, "raw").await, 1);
        let links = Compactions::new(store.clone(), chain::id());
        assert!(links.inputs_removed(0).await.unwrap() && links.inputs_removed(1).await.unwrap());
        assert!(!links.inputs_removed(2).await.unwrap());
        assert_eq!(
            Chain::new(store.clone(), chain::id())
                .last_seq()
                .await
                .unwrap(),
            Some(4)
        );
        assert_eq!(
            run(&store, now() + TimeDelta::days(7)).await.unwrap(),
            Done::default()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_died_while_removing_is_followed_by_one_that_goes_on() {
    let place = Place::directory();
    let store = place.open();
    some_days(&store, FileFormat::Parquet).await;
    run(&store, now()).await.unwrap();
    let links = Compactions::new(store.clone(), chain::id());
    links.note_inputs_removed(0, now()).await.unwrap();
    let first = Chain::new(store.clone(), chain::id())
        .read(0)
        .await
        .unwrap();
    store.delete(&first.manifest.files[0].key).await.unwrap();
    run(&store, now() + TimeDelta::days(7)).await.unwrap();
    assert_eq!(count(&store, "raw").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attempt_left_is_swept_and_nothing_else() {
    let place = Place::directory();
    let store = place.open();
    some_days(&store, FileFormat::Parquet).await;
    run(&store, now()).await.unwrap();
    let made = compactions(&store).await;
    let key = made[0].files[0].key.to_string();
    // Another attempt's name for the same offsets, another partition's, and one beyond what is compacted.
    let orphan = key.replace("000001.parquet", "000009.parquet");
    let foreign = key.replace("/00003-", "/00004-");
    let later = key
        .replace(
            "/00003-00000000000000000010-",
            "/00003-00000000000000000099-",
        )
        .replace("-00000000000000000015-", "-00000000000000000199-");
    for key in [&orphan, &foreign, &later] {
        let key = ObjectKey::parse(key).unwrap();
        store.put(&key, "x").await.unwrap();
    }
    // Swept when something is compacted into the folder: a late record of that day.
    chain::append(
        &store,
        FileFormat::Parquet,
        &[said(30, "2026-11-18T12:00:00Z", "eu", "g-9")],
    )
    .await;
    run(&store, now() + TimeDelta::days(1)).await.unwrap();
    let mut left = Vec::new();
    for key in [&key, &orphan, &foreign, &later] {
        left.push(store.size(&ObjectKey::parse(key).unwrap()).await.is_ok());
    }
    assert_eq!(left, [true, false, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_archivers_that_compact_the_same_links_leave_one_compaction() {
    let place = Place::directory();
    let store = place.open();
    some_days(&store, FileFormat::Parquet).await;
    let (one, two) = tokio::join!(run(&store, now()), run(&store, now()));
    // One of them may find its files gone that the other has swept; it says so and comes again.
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    run(&store, now()).await.unwrap();
    let made = compactions(&store).await;
    assert_eq!(made.len(), 2);
    let named: usize = made.iter().map(|compaction| compaction.files.len()).sum();
    for file in made.iter().flat_map(|compaction| &compaction.files) {
        records(&store, file).await;
    }
    assert_eq!(count(&store, "compacted").await, named);
}

fn flip(place: &Place, key: &ObjectKey) {
    let Place::Directory(folder) = place else {
        unreachable!()
    };
    let path = folder.path().join(key.as_str());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_input_is_named_and_not_compacted() {
    let place = Place::directory();
    let store = place.open();
    some_days(&store, FileFormat::Parquet).await;
    let link = Chain::new(store.clone(), chain::id())
        .read(1)
        .await
        .unwrap();
    let key = &link.manifest.files[0].key;
    flip(&place, key);
    let error = run(&store, now()).await.unwrap_err();
    assert!(
        error.is_damage() && error.to_string().contains(key.as_str()),
        "{error}"
    );
    assert_eq!(compactions(&store).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_stay_while_a_file_that_replaces_them_is_damaged() {
    let place = Place::directory();
    let store = place.open();
    some_days(&store, FileFormat::Parquet).await;
    run(&store, now()).await.unwrap();
    let key = compactions(&store).await[0].files[1].key.clone();
    flip(&place, &key);
    let error = run(&store, now() + TimeDelta::days(7)).await.unwrap_err();
    assert!(error.to_string().contains(key.as_str()), "{error}");
    assert_eq!(count(&store, "raw").await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_records_expire_by_whole_links_and_compactions_and_never_by_default() {
    for place in places::both().await {
        let store = place.open();
        some_days(&store, FileFormat::Parquet).await;
        let topic = &chain::id().topic;
        let expiries = Expiries::new(store.clone(), chain::id());
        // Three days: the 18th, 19th and 20th.
        assert_eq!(expire(&store, topic, 3, now()).await.unwrap(), 0);
        assert_eq!(expiries.newest().await.unwrap(), None);
        // The first link of the 18th is compacted with the rest of it.
        run(&store, now()).await.unwrap();
        let removed = expire(&store, topic, 2, now()).await.unwrap();
        assert_eq!(
            removed,
            6 + 3,
            "the files of the 18th and of its compaction"
        );
        let newest = expiries.newest().await.unwrap().unwrap();
        assert_eq!((newest.links, newest.end), (3, 17));
        assert_eq!(
            (count(&store, "raw").await, count(&store, "compacted").await),
            (2, 1)
        );
        assert_eq!(expire(&store, topic, 2, now()).await.unwrap(), 0);
        // A process that died after the note, before the removing.
        let next = Expiry::after(Some(&newest), 4, 21, "2026-11-20".parse().unwrap(), now());
        assert!(expiries.note(Some(&newest), &next).await.unwrap());
        assert_eq!(expire(&store, topic, 1, now()).await.unwrap(), 2);
        assert_eq!(
            (count(&store, "raw").await, count(&store, "compacted").await),
            (1, 0)
        );
    }
}

/// The offsets that a reader of the log gives from `from` on.
async fn offsets_from(store: &ArchiveStore, from: i64) -> Vec<i64> {
    let chain = Chain::new(store.clone(), chain::id());
    let mut reader = LogReader::new(chain, NoTail, from, ReadLimits::default());
    let mut offsets = Vec::new();
    while let Some(stretch) = reader.next().await.unwrap() {
        if let Stretch::Records(records) = stretch {
            offsets.extend(records.records().map(|record| record.offset));
        }
    }
    offsets
}

async fn of_game(store: &ArchiveStore, game: &str) -> Vec<i64> {
    let chain = Chain::new(store.clone(), chain::id());
    let (mut offsets, limits) = (Vec::new(), ReadLimits::default());
    let mut found = |record: &archive::Record<'_>| offsets.push(record.offset);
    records_of_key(
        &chain,
        game.as_bytes(),
        0..i64::MAX,
        None,
        limits,
        &mut found,
    )
    .await
    .unwrap();
    offsets
}

/// The objects that a verification blames.
async fn faults(store: &ArchiveStore) -> Vec<String> {
    let chain = Chain::new(store.clone(), chain::id());
    let report = verify_chain(&chain, Depth::Records, ReadLimits::default(), &|_| {}).await;
    let faults = report.unwrap().faults;
    faults.into_iter().map(|fault| fault.key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_reads_and_verifies_the_same_whatever_was_compacted_removed_or_expired() {
    for place in places::both().await {
        let store = place.open();
        let all: Vec<i64> = some_days(&store, FileFormat::Parquet)
            .await
            .iter()
            .map(|said| said.offset)
            .collect();
        assert_eq!(all, [10, 11, 12, 13, 14, 15, 16, 20, 21]);
        let a_week_on = now() + TimeDelta::days(7);
        for step in 0..3 {
            match step {
                0 => {}
                1 => assert_eq!(run(&store, now()).await.unwrap().compactions, 2),
                _ => assert_eq!(run(&store, a_week_on).await.unwrap().removed, 7),
            }
            for from in [0, 10, 13, 16, 17, 21, 22] {
                let wanted: Vec<i64> = all
                    .iter()
                    .copied()
                    .filter(|offset| *offset >= from)
                    .collect();
                assert_eq!(
                    offsets_from(&store, from).await,
                    wanted,
                    "step {step} from {from}"
                );
            }
            assert_eq!(of_game(&store, "g-1").await, [10, 12, 14], "step {step}");
            assert_eq!(of_game(&store, "g-5").await, [21], "step {step}");
            assert_eq!(faults(&store).await, [""; 0], "step {step}");
        }
        expire(&store, &chain::id().topic, 2, now()).await.unwrap();
        assert_eq!(offsets_from(&store, 0).await, [20, 21]);
        assert_eq!(of_game(&store, "g-1").await, [0; 0]);
        assert_eq!(faults(&store).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_on_its_way_through_small_files_goes_on_in_the_large_ones() {
    let place = Place::directory();
    let store = place.open();
    some_days(&store, FileFormat::Parquet).await;
    let chain = Chain::new(store.clone(), chain::id());
    let mut reader = LogReader::new(chain, NoTail, 0, ReadLimits::default());
    let Some(Stretch::Records(first)) = reader.next().await.unwrap() else {
        panic!("there are records");
    };
    assert_eq!(first.len(), 4);
    run(&store, now()).await.unwrap();
    run(&store, now() + TimeDelta::days(7)).await.unwrap();
    let mut offsets = Vec::new();
    while let Some(Stretch::Records(records)) = reader.next().await.unwrap() {
        offsets.extend(records.records().map(|record| record.offset));
    }
    assert_eq!(offsets, [14, 15, 16, 20, 21]);
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_names_a_damaged_compacted_file_and_a_lost_small_one() {
    let place = Place::directory();
    let store = place.open();
    some_days(&store, FileFormat::Parquet).await;
    run(&store, now()).await.unwrap();
    let key = compactions(&store).await[0].files[1].key.clone();
    flip(&place, &key);
    assert_eq!(faults(&store).await, [key.to_string()]);
    flip(&place, &key);
    let link = Chain::new(store.clone(), chain::id())
        .read(1)
        .await
        .unwrap();
    let lost = &link.manifest.files[0].key;
    store.delete(lost).await.unwrap();
    assert_eq!(
        faults(&store).await,
        [lost.to_string()],
        "nobody has said that it may be gone"
    );
}
