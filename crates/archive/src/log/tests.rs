//! The log as one: from the archive, over its end, into the tail, whatever grows or is forgotten meanwhile.

use std::sync::{Arc, Mutex};

use super::testing::{append, chain, link, record};
use super::*;
use crate::files::FileFormat;
use crate::record::{Header, Record};

/// A tail that holds some offsets, ten at a time.
#[derive(Debug, Clone, Default)]
struct Kafka(Arc<Mutex<(i64, i64)>>);

impl Kafka {
    fn holding(first: i64, end: i64) -> Self {
        Self(Arc::new(Mutex::new((first, end))))
    }
}

impl LogTail for Kafka {
    async fn bounds(&mut self) -> Result<(i64, i64)> {
        Ok(*self.0.lock().unwrap())
    }

    async fn read(&mut self, from: i64) -> Result<Option<RecordBuffer>> {
        let (first, end) = *self.0.lock().unwrap();
        if from < first {
            return Err(ArchiveError::Log {
                partition: 3,
                reason: "out of range".into(),
            });
        }
        let mut records = RecordBuffer::default();
        for offset in from..end.min(from + 10) {
            let (key, value) = record(offset);
            let headers = std::iter::empty::<Header<'_>>();
            let (key, value, timestamp_ms) = (Some(&key[..]), Some(&value[..]), Some(offset));
            records.push(&Record {
                offset,
                timestamp_ms,
                key,
                value,
                headers,
            });
        }
        Ok((!records.is_empty()).then_some(records))
    }
}

async fn offsets(reader: &mut LogReader<impl LogTail>) -> Vec<i64> {
    let mut offsets = Vec::new();
    while let Some(stretch) = reader.next().await.unwrap() {
        let Stretch::Records(records) = stretch else {
            panic!("no gap is there");
        };
        for found in records.records() {
            let (key, value) = record(found.offset);
            assert_eq!((found.key, found.value), (Some(&key[..]), Some(&value[..])));
            offsets.push(found.offset);
        }
    }
    offsets
}

#[tokio::test]
async fn records_come_in_order_from_any_offset_over_the_end_of_the_archive() {
    for format in [FileFormat::Parquet, FileFormat::Jsonl] {
        let chain = chain();
        for end in [40, 41, 90, 100] {
            append(&chain, format, end).await;
        }
        for from in [0, 1, 39, 40, 41, 60, 99, 100, 120, 130] {
            let mut reader = LogReader::new(
                chain.clone(),
                Kafka::holding(70, 130),
                from,
                ReadLimits::default(),
            );
            let expected: Vec<i64> = (from..130).collect();
            assert_eq!(
                offsets(&mut reader).await,
                expected,
                "{format:?} from {from}"
            );
        }
    }
}

#[tokio::test]
async fn what_kafka_forgets_meanwhile_comes_from_the_archive() {
    let chain = chain();
    append(&chain, FileFormat::Parquet, 50).await;
    let kafka = Kafka::holding(0, 100);
    let mut reader = LogReader::new(chain.clone(), kafka.clone(), 60, ReadLimits::default());
    let Some(Stretch::Records(first)) = reader.next().await.unwrap() else {
        panic!("there are records");
    };
    assert_eq!(first.next_offset(), Some(70));
    append(&chain, FileFormat::Parquet, 95).await;
    *kafka.0.lock().unwrap() = (95, 100);
    assert_eq!(offsets(&mut reader).await, (70..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_at_the_end_goes_on_when_more_has_come() {
    let chain = chain();
    append(&chain, FileFormat::Jsonl, 10).await;
    let mut reader = LogReader::new(chain.clone(), NoTail, 0, ReadLimits::default());
    assert_eq!(offsets(&mut reader).await.len(), 10);
    append(&chain, FileFormat::Jsonl, 15).await;
    assert_eq!(offsets(&mut reader).await, [10, 11, 12, 13, 14]);
}

#[tokio::test]
async fn a_hole_that_neither_side_has_is_an_error() {
    let chain = chain();
    append(&chain, FileFormat::Jsonl, 10).await;
    let mut reader = LogReader::new(chain, Kafka::holding(20, 30), 0, ReadLimits::default());
    let _ = reader.next().await.unwrap();
    let error = reader.next().await.unwrap_err().to_string();
    assert!(error.contains("offsets 20 to 30"), "{error}");
}

#[tokio::test]
async fn an_accepted_gap_is_told_with_its_reason() {
    let chain = chain();
    let head = append(&chain, FileFormat::Jsonl, 10).await;
    let gap = Gap {
        reason: "retention".into(),
        accepted_by: "ops".into(),
    };
    link(&chain, &head, 20, Vec::new(), Some(gap)).await;
    append(&chain, FileFormat::Jsonl, 25).await;
    let mut reader = LogReader::new(chain, NoTail, 12, ReadLimits::default());
    let first = reader.next().await.unwrap();
    assert!(
        matches!(
            first,
            Some(Stretch::Gap {
                start: 12,
                end: 20,
                ..
            })
        ),
        "{first:?}"
    );
    assert_eq!(offsets(&mut reader).await, [20, 21, 22, 23, 24]);
}

#[tokio::test]
async fn a_missing_or_short_file_is_named() {
    let chain = chain();
    append(&chain, FileFormat::Parquet, 50).await;
    let link = chain.read(0).await.unwrap();
    let victim = link.manifest.files[1].clone();
    chain.store().delete(&victim.key).await.unwrap();
    let mut reader = LogReader::new(chain.clone(), NoTail, 0, ReadLimits::default());
    let mut error = None;
    while error.is_none() {
        error = reader.next().await.err();
    }
    assert!(error.unwrap().to_string().contains(victim.key.as_str()));
}

#[tokio::test]
async fn a_games_records_are_found_in_order_and_without_reading_what_lies_elsewhere() {
    for format in [FileFormat::Parquet, FileFormat::Jsonl] {
        let chain = chain();
        for end in [40, 90, 100] {
            append(&chain, format, end).await;
        }
        let mut found = Vec::new();
        let limits = ReadLimits::default();
        let mut take = |record: &Record<'_>| found.push(record.offset);
        let searched = records_of_key(&chain, b"g-3", 10..95, None, limits, &mut take)
            .await
            .unwrap();
        let expected: Vec<i64> = (10..95).filter(|offset| offset % 7 == 3).collect();
        assert_eq!(found, expected);
        assert_eq!((searched.links, searched.files), (3, 9));
        let mut never = |_: &Record<'_>| panic!("there is no such key or hour");
        let nothing = records_of_key(&chain, b"g-9", 0..95, None, limits, &mut never).await;
        let searched = nothing.unwrap();
        assert_eq!(
            searched.files_read,
            if format == FileFormat::Parquet { 0 } else { 9 }
        );
        let hours = Some(5..=9);
        let elsewhen = records_of_key(&chain, b"g-3", 0..95, hours, limits, &mut never).await;
        assert_eq!(elsewhen.unwrap().files_read, 0);
    }
}
