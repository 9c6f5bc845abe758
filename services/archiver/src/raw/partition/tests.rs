//! What a partition's writer decides, without a store.

use std::time::Duration;

use archive::{FileFormat, TopicId, TopicName};
use proptest::prelude::*;
use stream::RecordBlockBuilder;

use super::*;
use crate::raw::Rotation;

fn chain() -> ChainId {
    ChainId {
        topic: TopicName::parse("game-events").unwrap(),
        topic_id: TopicId::parse("id").unwrap(),
        partition: 3,
    }
}

fn writer(rotation: Rotation) -> PartitionWriter {
    let policy = RawPolicy {
        rotation,
        format: FileFormat::Jsonl,
        ..RawPolicy::default()
    };
    PartitionWriter::new(chain(), Arc::new(policy), Head::empty(), 0)
}

/// A block of records with these offsets, regions and hours.
fn block(records: &[(i64, &str, i64)]) -> RecordBlock {
    let mut builder = RecordBlockBuilder::default();
    for (offset, region, hour) in records {
        let headers = [("region", Some(region.as_bytes()))];
        builder.push(
            *offset,
            Some(hour * 3_600_000),
            Some(b"g"),
            Some(b"{}"),
            headers.into_iter(),
        );
    }
    builder.build(3, 1)
}

fn head(end: i64) -> Head {
    Head {
        end: Some(end),
        ..Head::empty()
    }
}

#[test]
fn a_batch_is_closed_before_it_opens_a_file_too_many() {
    let mut writer = writer(Rotation {
        files: 2,
        ..Rotation::default()
    });
    let block = block(&[
        (0, "eu", 1),
        (1, "us", 1),
        (2, "eu", 1),
        (3, "eu", 2),
        (4, "us", 1),
    ]);
    assert_eq!(writer.take(&block, 0, 0).unwrap(), 3);
    assert!(writer.is_due(0));
    let closed = writer.close().unwrap().unwrap();
    assert_eq!(
        (closed.start, closed.end, closed.files.len(), closed.rows()),
        (0, 3, 2, 3)
    );
    assert_eq!(writer.take(&block, 3, 0).unwrap(), 5);
    assert!(writer.close().unwrap().is_none(), "one is on its way");
    writer.committed(head(3));
    assert_eq!(writer.close().unwrap().unwrap().start, 3);
}

#[test]
fn a_batch_is_closed_by_rows_and_by_age() {
    let rotation = Rotation {
        rows: 2,
        age: Duration::from_millis(50),
        ..Rotation::default()
    };
    let mut writer = writer(rotation);
    assert_eq!(writer.due_at_ms(), None);
    let block = block(&[(0, "eu", 1), (1, "eu", 1), (2, "eu", 1)]);
    assert_eq!(writer.take(&block, 0, 100).unwrap(), 2);
    assert!(writer.is_due(100));
    assert_eq!(writer.close().unwrap().unwrap().rows(), 2);
    writer.committed(head(2));
    assert_eq!(writer.take(&block, 2, 200).unwrap(), 3);
    assert!(!writer.is_due(249) && writer.is_due(250));
}

#[test]
fn regions_that_are_none_lie_under_other_and_are_counted() {
    let mut writer = writer(Rotation::default());
    writer
        .take(
            &block(&[(0, "../etc", 1), (1, "EU", 1), (2, "eu", -5)]),
            0,
            0,
        )
        .unwrap();
    let closed = writer.close().unwrap().unwrap();
    assert_eq!(closed.oddities.other_region, 2);
    assert_eq!(closed.oddities.no_time, 1);
    let regions: Vec<&str> = closed
        .files
        .iter()
        .map(|(folder, _)| folder.region.as_str())
        .collect();
    assert_eq!(regions, ["_other", "eu"]);
}

proptest! {
    /// Blocks may come again and be cut anywhere; batches follow each other without a hole, and every offset is in one.
    #[test]
    fn batches_follow_each_other_and_hold_each_record_once(
        steps in proptest::collection::vec((1..4_i64, 0..3_usize, 0..3_i64), 1..60),
        cuts in proptest::collection::vec(0..60_usize, 0..12),
        rows in 1..8_u64, files in 1..4_usize,
    ) {
        let mut offset = -1;
        let records: Vec<(i64, &str, i64)> = steps.iter().map(|(step, region, hour)| {
            offset += step;
            (offset, ["eu", "us", "asia"][*region], *hour)
        }).collect();
        let mut writer = writer(Rotation { rows, files, ..Rotation::default() });
        let mut closed = Vec::new();
        let mut cuts = cuts;
        cuts.push(records.len());
        let mut drain = |writer: &mut PartitionWriter| {
            if let Some(batch) = writer.close().unwrap() {
                writer.committed(head(batch.end));
                closed.push(batch);
            }
        };
        for cut in cuts {
            // A block from somewhere before the position, as after a seek.
            let block = block(&records[..cut.min(records.len())]);
            let mut from = 0;
            while from < block.len() {
                from = writer.take(&block, from, 0).unwrap();
                if writer.is_due(0) {
                    drain(&mut writer);
                }
            }
        }
        drain(&mut writer);
        let mut end = 0;
        for batch in &closed {
            prop_assert_eq!(batch.start, end);
            prop_assert!(batch.files.len() <= files && batch.rows() <= rows);
            end = batch.end;
        }
        prop_assert_eq!(end, offset + 1);
        prop_assert_eq!(closed.iter().map(ClosedBatch::rows).sum::<u64>(), records.len() as u64);
    }
}
