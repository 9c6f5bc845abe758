//! Archives for tests: a chain, and links with files of three regions.

use uuid::Uuid;

use crate::chain::{Appended, Chain, Head};
use crate::files::{FileFormat, FileOptions, FileWriter};
use crate::keys::{ChainId, LogMark, RawFileName, RawFolder, Region, TopicId, TopicName};
use crate::manifest::{Gap, Manifest, VERSION};
use crate::record::{Header, Record};
use crate::testing;

pub(crate) fn chain() -> Chain {
    let id = ChainId {
        topic: TopicName::parse("game-events").unwrap(),
        topic_id: TopicId::parse("abc").unwrap(),
        partition: 3,
    };
    Chain::new(testing::store(), id)
}

pub(crate) fn record(offset: i64) -> (Vec<u8>, Vec<u8>) {
    (
        format!("g-{}", offset % 7).into_bytes(),
        format!("{{\"n\":{offset}}}").into_bytes(),
    )
}

/// Appends a link whose records lie in one file for each of three regions.
pub(crate) async fn append(chain: &Chain, format: FileFormat, end: i64) -> Head {
    let head = chain.head().await.unwrap();
    let start = head.end.unwrap_or(0);
    let mut files = Vec::new();
    for region in ["eu", "us", "asia"] {
        let options = FileOptions {
            format,
            zstd_level: 1,
            chain: chain.id().clone(),
        };
        let mut writer = FileWriter::new(&options).unwrap();
        let place = ["eu", "us", "asia"]
            .iter()
            .position(|r| *r == region)
            .unwrap();
        let mine: Vec<i64> = (start..end)
            .filter(|offset| usize::try_from(offset / 2 % 3) == Ok(place))
            .collect();
        if mine.is_empty() {
            continue;
        }
        for offset in mine {
            let (key, value) = record(offset);
            let headers = std::iter::empty::<Header<'_>>();
            let (key, value, timestamp_ms) = (Some(&key[..]), Some(&value[..]), Some(offset));
            writer
                .push(&Record {
                    offset,
                    timestamp_ms,
                    key,
                    value,
                    headers,
                })
                .unwrap();
        }
        let file = writer.finish().unwrap();
        let name = RawFileName {
            partition: 3,
            start: file.min_offset,
            end: file.max_offset + 1,
            log: LogMark::of(&chain.id().topic_id),
            writer: Uuid::nil(),
            attempt: 1,
            format,
        };
        let folder = RawFolder::of(Region::parse(region).unwrap(), Some(0)).key(&chain.id().topic);
        let key = name.in_folder(&folder);
        chain.store().put(&key, file.bytes.clone()).await.unwrap();
        files.push(file.entry(key));
    }
    link(chain, &head, end, files, None).await
}

pub(crate) async fn link(
    chain: &Chain,
    head: &Head,
    end: i64,
    files: Vec<crate::FileEntry>,
    gap: Option<Gap>,
) -> Head {
    let id = chain.id().clone();
    let manifest = Manifest {
        version: VERSION,
        topic: id.topic,
        topic_id: id.topic_id,
        partition: 3,
        seq: head.next_seq,
        start: head.end.unwrap_or(0),
        end,
        files,
        gap,
        previous_sha256: head.sha256,
        writer: Uuid::nil(),
        attempt: 1,
    };
    match chain.append(head, &manifest).await.unwrap() {
        Appended::Mine(head) => head,
        Appended::Fenced => panic!("fenced by nobody"),
    }
}
