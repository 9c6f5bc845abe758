//! The chain: who wins, who is fenced, what a sweep may take.

use uuid::Uuid;

use super::*;
use crate::keys::{FileFormat, LogMark, RawFileName, RawFolder, Region, TopicId, TopicName};
use crate::manifest::{FileEntry, Gap, VERSION};
use crate::testing;

fn chain() -> Chain {
    let id = ChainId {
        topic: TopicName::parse("game-events").unwrap(),
        topic_id: TopicId::parse("abc").unwrap(),
        partition: 3,
    };
    Chain::new(testing::store(), id)
}

fn file(chain: &Chain, start: i64, end: i64, writer: u128) -> FileEntry {
    let folder = RawFolder::of(Region::other(), None).key(&chain.id.topic);
    let name = RawFileName {
        partition: chain.id.partition,
        start,
        end,
        log: LogMark::of(&chain.id.topic_id),
        writer: Uuid::from_u128(writer),
        attempt: 1,
        format: FileFormat::Parquet,
    };
    FileEntry {
        key: name.in_folder(&folder),
        rows: u64::try_from(end - start).unwrap(),
        min_offset: start,
        max_offset: end - 1,
        bytes: 1,
        sha256: Sha256::of(b"x"),
    }
}

fn manifest(chain: &Chain, head: &Head, end: i64, writer: u128) -> Manifest {
    let start = head.end.unwrap_or(0);
    Manifest {
        version: VERSION,
        topic: chain.id.topic.clone(),
        topic_id: chain.id.topic_id.clone(),
        partition: chain.id.partition,
        seq: head.next_seq,
        start,
        end,
        files: vec![file(chain, start, end, writer)],
        gap: None,
        previous_sha256: head.sha256,
        writer: Uuid::from_u128(writer),
        attempt: 1,
    }
}

async fn grown(chain: &Chain, links: i64) -> Head {
    let mut head = chain.head().await.unwrap();
    for _ in 0..links {
        let next = manifest(chain, &head, head.end.unwrap_or(0) + 10, 1);
        let Appended::Mine(new) = chain.append(&head, &next).await.unwrap() else {
            panic!("fenced by nobody");
        };
        head = new;
    }
    head
}

#[tokio::test]
async fn a_link_follows_the_last_one() {
    let chain = chain();
    assert_eq!(chain.head().await.unwrap(), Head::empty());
    let head = grown(&chain, 3).await;
    assert_eq!(chain.head().await.unwrap(), head);
    assert_eq!((head.next_seq, head.end), (3, Some(30)));
    let mut links = chain.links(0);
    let mut ends = Vec::new();
    while let Some(link) = links.next().await.unwrap() {
        ends.push(link.manifest.end);
    }
    assert_eq!(ends, [10, 20, 30]);
}

#[tokio::test]
async fn of_two_writers_one_is_fenced() {
    let chain = chain();
    let head = grown(&chain, 1).await;
    let (one, other) = (
        manifest(&chain, &head, 15, 1),
        manifest(&chain, &head, 12, 2),
    );
    assert!(matches!(
        chain.append(&head, &one).await.unwrap(),
        Appended::Mine(_)
    ));
    assert_eq!(chain.append(&head, &other).await.unwrap(), Appended::Fenced);
    assert_eq!(chain.head().await.unwrap().end, Some(15));
}

#[tokio::test]
async fn ones_own_link_is_known_again_when_its_answer_was_lost() {
    let chain = chain();
    let head = grown(&chain, 1).await;
    let mine = manifest(&chain, &head, 15, 1);
    let first = chain.append(&head, &mine).await.unwrap();
    assert_eq!(chain.append(&head, &mine).await.unwrap(), first);
    assert!(matches!(first, Appended::Mine(_)));
}

#[tokio::test]
#[should_panic(expected = "does not follow")]
async fn a_link_that_would_leave_a_gap_is_never_written() {
    let chain = chain();
    let head = grown(&chain, 1).await;
    let mut next = manifest(&chain, &head, 20, 1);
    next.start = 11;
    let _ = chain.append(&head, &next).await;
}

#[tokio::test]
async fn the_end_of_a_long_chain_is_found_and_a_hole_is_not_its_end() {
    let chain = chain();
    // A page of a bucket's listing has a thousand; so many requests more take their time.
    let links = if testing::is_bucket() { 1_200 } else { 9_000 };
    for seq in (0..links).chain([links + 7]) {
        let key = chain.key(seq);
        assert_eq!(
            chain.store.create(&key, "x".into()).await.unwrap(),
            Created::New
        );
        let looks = [0, 1, 511, 512, 513, 514, 1_001, 2_500, links - 1, links + 7];
        if looks.contains(&seq) {
            assert_eq!(chain.last_seq().await.unwrap(), Some(seq));
        }
    }
}

#[tokio::test]
async fn an_offset_is_found_in_its_link() {
    let chain = chain();
    assert_eq!(chain.locate(0).await.unwrap(), Place::Beyond);
    grown(&chain, 23).await;
    for offset in 0..240 {
        match chain.locate(offset).await.unwrap() {
            Place::In(link) => assert_eq!(link.manifest.start, offset / 10 * 10),
            place => assert_eq!((place, offset >= 230), (Place::Beyond, true), "{offset}"),
        }
    }
    assert_eq!(chain.locate(-1).await.unwrap(), Place::Before);
}

#[tokio::test]
async fn a_changed_link_is_found_by_the_next_ones_hash() {
    let chain = chain();
    grown(&chain, 3).await;
    let mut changed = chain.read(1).await.unwrap().manifest;
    changed.attempt = 9;
    chain
        .store
        .put(&chain.key(1), changed.to_bytes())
        .await
        .unwrap();
    let mut links = chain.links(0);
    links.next().await.unwrap();
    links.next().await.unwrap();
    let error = links.next().await.unwrap_err().to_string();
    assert!(error.contains("another hash"), "{error}");
}

#[tokio::test]
async fn a_gap_is_a_link_without_files() {
    let chain = chain();
    let head = grown(&chain, 1).await;
    let mut gap = manifest(&chain, &head, 99, 1);
    gap.files.clear();
    let (reason, accepted_by) = ("retention".to_owned(), "ops".to_owned());
    gap.gap = Some(Gap {
        reason,
        accepted_by,
    });
    assert!(matches!(
        chain.append(&head, &gap).await.unwrap(),
        Appended::Mine(_)
    ));
    assert_eq!(chain.read(1).await.unwrap().manifest, gap);
}

#[tokio::test]
async fn a_sweep_takes_what_no_link_can_name_any_more() {
    let chain = chain();
    grown(&chain, 2).await;
    let folder = RawFolder::of(Region::other(), None).key(&chain.id.topic);
    let mut other_log = chain.clone();
    other_log.id.topic_id = TopicId::parse("older").unwrap();
    let mut other_partition = chain.clone();
    other_partition.id.partition = 4;
    let named = file(&chain, 0, 10, 1);
    let (lost, early) = (file(&chain, 3, 10, 2), file(&chain, 10, 30, 2));
    let kept = [
        named.key.clone(),
        file(&chain, 20, 30, 2).key,
        file(&other_log, 3, 10, 2).key,
        file(&other_partition, 3, 10, 2).key,
    ];
    for key in kept.iter().chain([&lost.key, &early.key]) {
        chain.store.put(key, "x").await.unwrap();
    }
    let swept = chain.sweep(&[folder].into()).await.unwrap();
    let mut removed = swept.removed;
    removed.sort();
    assert_eq!(removed, [lost.key, early.key]);
    for key in &kept {
        assert!(chain.store.size(key).await.is_ok(), "{key}");
    }
}
