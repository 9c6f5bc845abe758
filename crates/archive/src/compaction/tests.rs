//! Compactions one after the other, in a local directory or a bucket.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::*;
use crate::keys::{FileFormat, LogMark, RawFileName, RawFolder, Region, TopicId, TopicName};

fn a_chain() -> ChainId {
    ChainId {
        topic: TopicName::parse("game-events").unwrap(),
        topic_id: TopicId::parse("id").unwrap(),
        partition: 3,
    }
}

fn compactions() -> (Compactions, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::testing::store_or(&folder);
    (Compactions::new(store, a_chain()), folder)
}

fn file(start: i64, end: i64) -> FileEntry {
    let chain = a_chain();
    let raw = RawFolder::of(Region::parse("eu").unwrap(), Some(1_795_255_200_123));
    let name = RawFileName {
        partition: chain.partition,
        start,
        end,
        log: LogMark::of(&chain.topic_id),
        writer: Uuid::nil(),
        attempt: 1,
        format: FileFormat::Parquet,
    };
    FileEntry {
        key: name.in_folder(&CompactedFolder::of(&chain.topic, &raw).key()),
        rows: u64::try_from(end - start).unwrap(),
        min_offset: start,
        max_offset: end - 1,
        bytes: 3,
        sha256: Sha256::of(b"abc"),
    }
}

fn next(head: &CompactedHead, links: u64, end: i64) -> Compaction {
    let (chain, start) = (a_chain(), head.end.unwrap_or(100));
    Compaction {
        version: VERSION,
        topic: chain.topic,
        topic_id: chain.topic_id,
        partition: chain.partition,
        seq: head.next_seq,
        first_link: head.next_link,
        last_link: head.next_link + links - 1,
        last_link_sha256: Sha256::of(b"link"),
        start,
        end,
        files: vec![file(start, end)],
        previous_sha256: head.sha256,
        made_at: DateTime::<Utc>::UNIX_EPOCH,
        writer: Uuid::nil(),
    }
}

#[tokio::test]
async fn an_offset_is_covered_by_one_compaction_or_by_none() {
    let (compactions, _folder) = compactions();
    assert_eq!(compactions.covering(100).await.unwrap(), None);
    let mut made = Vec::new();
    for end in [110, 150, 151, 400] {
        let head = compactions.head().await.unwrap();
        let compaction = next(&head, 3, end);
        let outcome = compactions.append(&head, &compaction).await.unwrap();
        assert!(matches!(outcome, Compacted::Mine(_)));
        made.push(compaction);
    }
    assert_eq!(compactions.head().await.unwrap().next_link, 12);
    for (offset, which) in [(100, 0), (109, 0), (110, 1), (150, 2), (151, 3), (399, 3)] {
        let found = compactions.covering(offset).await.unwrap().unwrap();
        assert_eq!(found, made[which], "{offset}");
    }
    for offset in [0, 99, 400, i64::MAX] {
        assert_eq!(
            compactions.covering(offset).await.unwrap(),
            None,
            "{offset}"
        );
    }
}

#[tokio::test]
async fn one_of_two_compactions_of_the_same_links_stands() {
    let (compactions, _folder) = compactions();
    let head = compactions.head().await.unwrap();
    let mine = next(&head, 2, 110);
    let theirs = Compaction {
        writer: Uuid::max(),
        ..next(&head, 2, 110)
    };
    let stands = compactions.append(&head, &mine).await.unwrap();
    assert_eq!(compactions.append(&head, &mine).await.unwrap(), stands);
    assert_eq!(
        compactions.append(&head, &theirs).await.unwrap(),
        Compacted::Fenced
    );
}

#[tokio::test]
async fn a_compaction_that_leaves_links_out_is_not_written() {
    let (compactions, _folder) = compactions();
    let empty = compactions.head().await.unwrap();
    compactions
        .append(&empty, &next(&empty, 2, 110))
        .await
        .unwrap();
    let head = compactions.head().await.unwrap();
    let wrongs = [
        Compaction {
            first_link: 3,
            ..next(&head, 2, 120)
        },
        Compaction {
            start: 111,
            files: vec![file(111, 120)],
            ..next(&head, 2, 120)
        },
        Compaction {
            files: vec![file(110, 121)],
            ..next(&head, 2, 120)
        },
        Compaction {
            partition: 4,
            ..next(&head, 2, 120)
        },
        Compaction {
            previous_sha256: None,
            ..next(&head, 2, 120)
        },
    ];
    for wrong in wrongs {
        let error = compactions.append(&head, &wrong).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged { .. }), "{wrong:?}");
    }
    assert_eq!(compactions.last_seq().await.unwrap(), Some(0));
}

#[tokio::test]
async fn that_inputs_are_removed_is_noted_beside_the_compaction() {
    let (compactions, _folder) = compactions();
    let head = compactions.head().await.unwrap();
    compactions
        .append(&head, &next(&head, 2, 110))
        .await
        .unwrap();
    assert!(!compactions.inputs_removed(0).await.unwrap());
    compactions
        .note_inputs_removed(0, Utc::now())
        .await
        .unwrap();
    compactions
        .note_inputs_removed(0, Utc::now())
        .await
        .unwrap();
    assert!(compactions.inputs_removed(0).await.unwrap());
    assert_eq!(compactions.last_seq().await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_file_with_other_bytes_is_named() {
    let (compactions, _folder) = compactions();
    let file = file(100, 110);
    let put = async |bytes: &'static [u8]| {
        let bytes = Bytes::from_static(bytes);
        compactions.store.put(&file.key, bytes).await.unwrap();
    };
    put(b"abc").await;
    check_digest(&compactions.store, &file).await.unwrap();
    for bytes in [&b"abd"[..], b"abcd"] {
        put(bytes).await;
        let error = check_digest(&compactions.store, &file).await.unwrap_err();
        assert!(error.to_string().contains(file.key.as_str()), "{error}");
    }
}
