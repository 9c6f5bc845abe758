//! Events written by hand, and a way to the topic and its administration that the developer's commands do not have.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::util::Timeout;
use test_support::TestTopic;

const PATIENCE: Duration = Duration::from_secs(30);

/// A record to publish: key and value.
pub(crate) type Record = (String, Vec<u8>);

fn event(game: &str, kind: &str, version: u32, payload: &str) -> Record {
    let value = format!(
        r#"{{"eventId":"{game}-{kind}","eventType":"{kind}","schemaVersion":{version},"gameId":"{game}","occurredAt":"2026-03-01T10:00:00Z","payload":{payload}}}"#
    );
    (game.to_owned(), value.into_bytes())
}

pub(crate) fn create(game: &str) -> Record {
    let players = r#"[{"playerId":"w","role":"white"},{"playerId":"b","role":"black"}]"#;
    event(
        game,
        "GameCreated",
        1,
        &format!(r#"{{"mode":"rated","players":{players}}}"#),
    )
}

pub(crate) fn made(game: &str, ply: u32) -> Record {
    padded(game, ply, "")
}

/// A move with a field that nobody knows, as long as its padding.
pub(crate) fn padded(game: &str, ply: u32, padding: &str) -> Record {
    let player = if ply % 2 == 1 { "w" } else { "b" };
    let payload = format!(
        r#"{{"moveNumber":{ply},"playerId":"{player}","move":"e2e4","comment":"{padding}"}}"#
    );
    event(game, "MoveMade", 1, &payload)
}

pub(crate) fn end(game: &str) -> Record {
    event(
        game,
        "GameEnded",
        1,
        r#"{"result":"win","winner":"w","termination":"checkmate"}"#,
    )
}

/// An event of a version that this build does not know.
pub(crate) fn from_the_future(game: &str) -> Record {
    event(game, "MoveMade", 2, r#"{"squares":[12,28]}"#)
}

/// A game of ten records.
pub(crate) fn whole(game: &str) -> Vec<Record> {
    let moves = (1..=8).map(|ply| made(game, ply));
    [create(game)]
        .into_iter()
        .chain(moves)
        .chain([end(game)])
        .collect()
}

fn config(topic: &TestTopic) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", topic.brokers());
    config
}

/// Publishes records in order, each where its key says, and returns when all of them are stored.
pub(crate) fn publish(topic: &TestTopic, records: impl IntoIterator<Item = Record>) {
    publish_to(topic, None, records);
}

/// Publishes records in order, all of them to one partition if it is given, and returns when they are stored.
pub(crate) fn publish_to(
    topic: &TestTopic,
    partition: Option<i32>,
    records: impl IntoIterator<Item = Record>,
) {
    let producer: ThreadedProducer<DefaultProducerContext> = config(topic)
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", "2000000")
        .set("linger.ms", "5")
        .create()
        .unwrap();
    for (key, value) in records {
        let mut record = BaseRecord::to(topic.name()).key(&key).payload(&value);
        record.partition = partition;
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(
                error.rdkafka_error_code(),
                Some(RDKafkaErrorCode::QueueFull),
                "{error}"
            );
            record = back;
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    producer.flush(Timeout::After(PATIENCE)).unwrap();
}

fn admin(topic: &TestTopic) -> AdminClient<DefaultClientContext> {
    config(topic).create().unwrap()
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(PATIENCE))
        .request_timeout(Some(PATIENCE))
}

/// Removes the records of a partition below an offset, as retention does.
pub(crate) async fn remove_below(topic: &TestTopic, partition: i32, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic.name(), partition, rdkafka::Offset::Offset(offset))
        .unwrap();
    let removed = admin(topic)
        .delete_records(&list, &options())
        .await
        .unwrap();
    removed
        .elements()
        .iter()
        .for_each(|element| element.error().unwrap());
}

/// Deletes the topic and makes it again under the same name.
pub(crate) async fn recreate(topic: &TestTopic, partitions: i32) {
    let admin = admin(topic);
    let deleted = admin
        .delete_topics(&[topic.name()], &options())
        .await
        .unwrap();
    deleted
        .into_iter()
        .for_each(|deleted| drop(deleted.unwrap()));
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A topic takes a moment to go.
        let wanted = NewTopic::new(topic.name(), partitions, TopicReplication::Fixed(1));
        let made = admin.create_topics([&wanted], &options()).await.unwrap();
        if matches!(made.as_slice(), [Ok(_)]) {
            return;
        }
        assert!(Instant::now() < deadline, "{made:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Gives the topic more partitions.
pub(crate) async fn grow(topic: &TestTopic, partitions: usize) {
    let wanted = NewPartitions::new(topic.name(), partitions);
    let grown = admin(topic)
        .create_partitions([&wanted], &options())
        .await
        .unwrap();
    grown.into_iter().for_each(|grown| drop(grown.unwrap()));
}

/// The ids of a group's members.
pub(crate) async fn members(topic: &TestTopic, group: &str) -> Vec<String> {
    let (client, group) = (config(topic), group.to_owned());
    let ask = move || {
        let client: BaseConsumer = client.create().unwrap();
        let groups = client.fetch_group_list(Some(&group), PATIENCE).unwrap();
        let members = groups.groups().iter().flat_map(|group| group.members());
        members.map(|member| member.id().to_owned()).collect()
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}
