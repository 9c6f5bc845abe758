//! A member of the group against librdkafka's in-process broker: what comes out, from where on, and how long it stands.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod sending;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use stream::{Consumer, ConsumerConfig, Record, RecordBlock, StreamEvent};

use sending::{Sender, Sent};

const TOPIC: &str = "records";
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for the poll thread to deliver whatever it will deliver.
const A_WHILE: Duration = Duration::from_millis(500);

type Owned = (
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Option<Vec<u8>>)>,
);

/// One partition with these records, and a member that it is assigned to.
struct Reading {
    member: Option<Consumer>,
    events: Receiver<StreamEvent>,
    _cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Reading {
    fn of(records: &[Sent<'_>], partition_buffer_bytes: usize) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        Sender::to(&cluster.bootstrap_servers()).send(TOPIC, records);
        let config = ConsumerConfig {
            brokers: cluster.bootstrap_servers(),
            topic: TOPIC.into(),
            partition_buffer_bytes,
            total_buffer_bytes: partition_buffer_bytes,
            ..ConsumerConfig::default()
        };
        let (to, events) = channel();
        let member = Consumer::join(&config, move |event| {
            // A test that has seen enough does not listen any more.
            let _ = to.send(event);
        });
        let reading = Self {
            member: Some(member.unwrap()),
            events,
            _cluster: cluster,
        };
        match reading.events.recv_timeout(PATIENCE).unwrap() {
            StreamEvent::Assigned(partitions) => assert_eq!(partitions, [0]),
            other => panic!("{other:?} instead of an assignment"),
        }
        reading
    }

    fn start(&self, offset: i64, epoch: u64) {
        self.member.as_ref().unwrap().start(0, offset, epoch);
    }

    fn block(&self) -> RecordBlock {
        match self.events.recv_timeout(PATIENCE).unwrap() {
            StreamEvent::Records(block) => block,
            other => panic!("{other:?} instead of records"),
        }
    }

    /// Blocks until they hold `count` records.
    fn blocks(&self, count: usize) -> Vec<RecordBlock> {
        let mut blocks = Vec::new();
        while blocks.iter().map(RecordBlock::len).sum::<usize>() < count {
            blocks.push(self.block());
        }
        blocks
    }
}

fn numbered(values: &[Vec<u8>]) -> Vec<Sent<'_>> {
    values
        .iter()
        .map(|value| Sent {
            value: Some(value),
            ..Sent::default()
        })
        .collect()
}

fn offsets(blocks: &[RecordBlock]) -> Vec<i64> {
    blocks
        .iter()
        .flat_map(RecordBlock::records)
        .map(|record| record.offset())
        .collect()
}

fn owned(record: Record<'_>) -> Owned {
    let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let headers = record.headers();
    (
        bytes(record.key()),
        bytes(record.value()),
        headers
            .map(|(name, value)| (name.into_owned(), bytes(value)))
            .collect(),
    )
}

/// Everything that a record can lack or be odd in.
const ODD: &[Sent<'_>] = &[
    Sent {
        key: Some(b"k"),
        value: Some(b"v"),
        headers: &[(b"a", Some(b"1")), (b"b", None), (b"a", Some(b""))],
    },
    Sent {
        key: None,
        value: None,
        headers: &[],
    },
    Sent {
        key: Some(b"\xff"),
        value: Some(b""),
        headers: &[(b"not\xfftext", Some(b"\xff\x00"))],
    },
];

fn odd() -> Vec<Owned> {
    let one = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    vec![
        (
            Some(b"k".to_vec()),
            Some(b"v".to_vec()),
            vec![one("a", Some(b"1")), one("b", None), one("a", Some(b""))],
        ),
        (None, None, vec![]),
        (
            Some(b"\xff".to_vec()),
            Some(vec![]),
            vec![one("not\u{fffd}text", Some(b"\xff\x00"))],
        ),
    ]
}

#[test]
fn records_come_out_as_they_were_sent_and_odd_header_names_as_far_as_they_are_text() {
    let reading = Reading::of(ODD, 1 << 20);
    reading.start(0, 1);
    let blocks = reading.blocks(3);
    assert_eq!(offsets(&blocks), [0, 1, 2]);
    let records = || blocks.iter().flat_map(RecordBlock::records);
    assert!(records().all(|record| record.timestamp_ms().is_some()));
    assert_eq!(records().map(owned).collect::<Vec<_>>(), odd());
}

#[test]
fn a_block_outlives_its_member() {
    let mut reading = Reading::of(ODD, 1 << 20);
    reading.start(0, 1);
    let blocks = reading.blocks(3);
    drop(reading.member.take());
    let records = blocks.iter().flat_map(RecordBlock::records);
    assert_eq!(records.map(owned).collect::<Vec<_>>(), odd());
}

#[test]
fn the_headers_of_a_block_may_be_asked_for_by_many_threads() {
    let many: Vec<Sent<'_>> = ODD.iter().copied().cycle().take(600).collect();
    let reading = Reading::of(&many, 1 << 20);
    reading.start(0, 1);
    let blocks = reading.blocks(600);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let records = blocks.iter().flat_map(RecordBlock::records);
                assert!(records.map(owned).eq(odd().into_iter().cycle().take(600)));
            });
        }
    });
}

#[test]
fn a_second_start_begins_anew_without_a_hole_and_without_what_the_first_had_fetched() {
    let values: Vec<Vec<u8>> = (0..2_000)
        .map(|n: i32| n.to_string().into_bytes())
        .collect();
    let reading = Reading::of(&numbered(&values), 1 << 20);
    reading.start(1_000, 1);
    assert_eq!(offsets(&[reading.block()])[0], 1_000);
    reading.start(500, 2);
    let mut second = Vec::new();
    while offsets(&second).len() < 1_500 {
        second.extend(Some(reading.block()).filter(|block| block.epoch() == 2));
    }
    assert_eq!(offsets(&second), (500..2_000).collect::<Vec<_>>());
}

#[test]
fn a_partition_is_read_no_further_than_its_reader_gives_memory_back() {
    let values = vec![vec![7; 1_000]; 4_000];
    let budget = 64 << 10;
    let reading = Reading::of(&numbered(&values), budget);
    reading.start(0, 1);
    let mut held = vec![reading.block()];
    while let Ok(event) = reading.events.recv_timeout(A_WHILE) {
        match event {
            StreamEvent::Records(block) => held.push(block),
            other => panic!("{other:?} instead of records"),
        }
    }
    let bytes: usize = held
        .iter()
        .flat_map(RecordBlock::records)
        .map(|record| record.value().unwrap().len())
        .sum();
    assert!(
        (budget / 2..10 * budget).contains(&bytes),
        "{bytes} bytes are held of a budget of {budget}"
    );
    let paused = reading.member.as_ref().unwrap().pauses();
    assert_eq!(paused[&0].count, 1);
    let first = offsets(&held).len();
    held.clear();
    let rest = reading.block();
    assert_eq!(offsets(&[rest])[0], i64::try_from(first).unwrap());
}
