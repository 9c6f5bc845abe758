//! A chain written link by link, with the files that the product writes.

use std::collections::BTreeMap;

use archive::keys::LogMark;
use archive::manifest::VERSION;
use archive::{
    Appended, ArchiveStore, Chain, ChainId, FileFormat, FileOptions, FileWriter, Manifest,
    RawFileName, RawFolder, Record, Region, TopicId, TopicName,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A record: offset, time, region, key and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) offset: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) region: &'static str,
    pub(crate) game: String,
    pub(crate) body: String,
}

/// An event of a game in its place.
pub(crate) fn said(offset: i64, at: &str, region: &'static str, game: &str) -> Said {
    let body = format!(
        r#"{{"eventId":"e-{offset}","eventType":"MoveMade","schemaVersion":1,"gameId":"{game}","occurredAt":"{at}","region":"{region}","payload":{{"moveNumber":{offset}}}}}"#
    );
    Said {
        offset,
        at: at.parse().unwrap(),
        region,
        game: game.to_owned(),
        body,
    }
}

pub(crate) fn id() -> ChainId {
    ChainId {
        topic: TopicName::parse("game-events").unwrap(),
        topic_id: TopicId::parse("log").unwrap(),
        partition: 3,
    }
}

/// Appends a link with these records.
pub(crate) async fn append(store: &ArchiveStore, format: FileFormat, records: &[Said]) {
    let chain = Chain::new(store.clone(), id());
    let head = chain.head().await.unwrap();
    let mut folders: BTreeMap<RawFolder, Vec<&Said>> = BTreeMap::new();
    for record in records {
        let region = Region::parse(record.region).unwrap();
        let folder = RawFolder::of(region, Some(record.at.timestamp_millis()));
        folders.entry(folder).or_default().push(record);
    }
    let (writer, mut files) = (Uuid::now_v7(), Vec::new());
    for (folder, records) in folders {
        let options = FileOptions {
            format,
            zstd_level: 3,
            chain: id(),
        };
        let mut file = FileWriter::new(&options).unwrap();
        for said in records {
            let record = Record {
                offset: said.offset,
                timestamp_ms: Some(said.at.timestamp_millis()),
                key: Some(said.game.as_bytes()),
                value: Some(said.body.as_bytes()),
                headers: [("region".into(), Some(said.region.as_bytes()))].into_iter(),
            };
            file.push(&record).unwrap();
        }
        let file = file.finish().unwrap();
        let name = RawFileName {
            partition: id().partition,
            start: file.min_offset,
            end: file.max_offset + 1,
            log: LogMark::of(&id().topic_id),
            writer,
            attempt: 1,
            format,
        };
        let key = name.in_folder(&folder.key(&id().topic));
        store.put(&key, file.bytes.clone()).await.unwrap();
        files.push(file.entry(key));
    }
    let manifest = Manifest {
        version: VERSION,
        topic: id().topic,
        topic_id: id().topic_id,
        partition: id().partition,
        seq: head.next_seq,
        start: head.end.unwrap_or(records[0].offset),
        end: records[records.len() - 1].offset + 1,
        files,
        gap: None,
        previous_sha256: head.sha256,
        writer,
        attempt: 1,
    };
    let appended = chain.append(&head, &manifest).await.unwrap();
    assert!(matches!(appended, Appended::Mine(_)));
}
