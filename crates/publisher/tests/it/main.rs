//! The publisher against librdkafka's in-process broker: what arrives, in which order, and what is said when nothing can.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::time::Duration;

use domain::EventTime;
use events::wire::{EndDetails, GameAborted, MoveMade};
use events::{Event, EventId, Payload};
use publisher::{Compression, GamePublisher, PublishError, PublisherConfig, RawRecord};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const TOPIC: &str = "games";
const PARTITIONS: i32 = 8;

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    cluster
}

async fn connect(cluster: &MockCluster<'static, DefaultProducerContext>) -> GamePublisher {
    GamePublisher::connect(PublisherConfig::new(cluster.bootstrap_servers(), TOPIC))
        .await
        .unwrap()
}

fn a_move(game: &str, ply: i64) -> Event<'_> {
    Event {
        event_id: EventId::new(),
        game_id: game.into(),
        occurred_at: EventTime::from_ms(1_795_255_200_000 + ply).unwrap(),
        region: Some("eu".into()),
        payload: Payload::MoveMade(MoveMade {
            move_number: ply,
            player_id: "p-7".into(),
            text: "e2e4".into(),
            clock_ms: None,
        }),
    }
}

/// Everything on the topic, once `count` records have come.
fn read(brokers: &str, count: usize) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(TOPIC, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&all).unwrap();
    let mut records = Vec::new();
    while records.len() < count {
        let record = consumer
            .poll(Duration::from_secs(20))
            .expect("fewer records than were published");
        records.push(record.unwrap().detach());
    }
    records
}

#[tokio::test]
async fn a_published_event_stands_where_its_delivery_says_with_key_headers_and_trace() {
    let cluster = cluster();
    let publisher = connect(&cluster).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let event = a_move("g-42", 1);
    let delivery = publisher.publish(&event, Some(trace)).await.unwrap();

    let record = &read(&cluster.bootstrap_servers(), 1)[0];
    assert_eq!(
        (record.partition(), record.offset()),
        (delivery.partition, delivery.offset)
    );
    assert_eq!(record.key(), Some(&b"g-42"[..]));
    assert_eq!(
        record.payload(),
        Some(&events::encode(&event).unwrap().value[..])
    );
    let headers: Vec<(String, String)> = record
        .headers()
        .unwrap()
        .iter()
        .map(|h| {
            (
                h.key.to_owned(),
                String::from_utf8(h.value.unwrap().to_vec()).unwrap(),
            )
        })
        .collect();
    let id = event.event_id.0.to_string();
    let wanted = [
        ("event_type", "MoveMade"),
        ("event_id", &id),
        ("schema_version", "1"),
        ("region", "eu"),
        ("traceparent", trace),
    ];
    assert_eq!(headers, wanted.map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[tokio::test]
async fn a_key_goes_to_the_partition_that_the_java_client_would_choose() {
    let cluster = cluster();
    let publisher = connect(&cluster).await;
    // Kafka's own murmur2 test vectors: hash("foobar") = -790332482, hash("a-little-bit-long-string") = -985981536.
    for (key, hash) in [
        ("foobar", -790_332_482_i32),
        ("a-little-bit-long-string", -985_981_536),
    ] {
        let delivery = publisher.publish(&a_move(key, 1), None).await.unwrap();
        assert_eq!(
            delivery.partition,
            (hash & 0x7fff_ffff) % PARTITIONS,
            "{key}"
        );
    }
}

#[tokio::test]
async fn pipelined_events_of_a_game_keep_their_order_through_a_queue_that_is_always_full() {
    let cluster = cluster();
    let mut config = PublisherConfig::new(cluster.bootstrap_servers(), TOPIC);
    config
        .properties
        .insert("queue.buffering.max.messages".into(), "50".into());
    let publisher = GamePublisher::connect(config).await.unwrap();
    let games = ["a", "b", "c"];
    let mut pending = Vec::new();
    for ply in 1..=400 {
        for game in games {
            pending.push(publisher.send(&a_move(game, ply), None).await.unwrap());
        }
    }
    for handle in pending {
        handle.await.unwrap();
    }
    let mut plies: HashMap<Vec<u8>, Vec<i64>> = HashMap::new();
    for record in read(&cluster.bootstrap_servers(), 1_200) {
        let value: serde_json::Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
        let ply = value["payload"]["moveNumber"].as_i64().unwrap();
        plies
            .entry(record.key().unwrap().to_vec())
            .or_default()
            .push(ply);
    }
    for game in games {
        assert_eq!(plies[game.as_bytes()], (1..=400).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_event_outside_the_contract_is_refused_before_it_is_sent() {
    let cluster = cluster();
    let publisher = connect(&cluster).await;
    let error = publisher
        .publish(&a_move("g-42", 0), None)
        .await
        .unwrap_err();
    assert!(matches!(&error, PublishError::Contract { .. }), "{error}");
    let payload = Payload::GameAborted(GameAborted {
        termination: "Not A Slug".into(),
        details: EndDetails::default(),
    });
    let event = Event {
        payload,
        ..a_move("g-42", 1)
    };
    assert!(
        publisher
            .publish(&event, None)
            .await
            .unwrap_err()
            .to_string()
            .contains("termination")
    );
    // The first thing on its partition is therefore the event that follows.
    assert_eq!(
        publisher
            .publish(&a_move("g-42", 1), None)
            .await
            .unwrap()
            .offset,
        0
    );
}

#[tokio::test]
async fn raw_bytes_are_published_as_they_are_even_without_key_or_value() {
    let cluster = cluster();
    let publisher = connect(&cluster).await;
    publisher.publish_raw(RawRecord::default()).await.unwrap();
    let record = &read(&cluster.bootstrap_servers(), 1)[0];
    assert_eq!((record.key(), record.payload()), (None, None));
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named_with_what_to_do() {
    let mut config = PublisherConfig::new("127.0.0.1:1", TOPIC);
    config.connect_timeout = Duration::from_secs(2);
    let error = GamePublisher::connect(config).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, PublishError::Unreachable { .. }), "{text}");
    assert!(
        text.contains("127.0.0.1:1") && text.contains("start it"),
        "{text}"
    );
}

#[tokio::test]
async fn a_record_that_no_broker_takes_is_an_error_that_names_the_broker() {
    let cluster = cluster();
    let mut config = PublisherConfig::new(cluster.bootstrap_servers(), TOPIC);
    config.delivery_timeout = Duration::from_millis(1_500);
    let publisher = GamePublisher::connect(config).await.unwrap();
    cluster.broker_down(1).unwrap();
    let text = publisher
        .publish(&a_move("g-42", 1), None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains(&cluster.bootstrap_servers()) && text.contains("is the broker up"),
        "{text}"
    );
}

#[tokio::test]
async fn a_record_that_is_too_large_says_which_limits_to_raise() {
    let cluster = cluster();
    let publisher = connect(&cluster).await;
    let value = vec![b'x'; 2_000_000];
    let record = RawRecord {
        value: Some(&value),
        ..RawRecord::default()
    };
    let text = publisher.publish_raw(record).await.unwrap_err().to_string();
    assert!(text.contains("message.max.bytes"), "{text}");
}

#[tokio::test]
async fn a_property_that_the_client_refuses_is_named_without_its_value() {
    let mut config = PublisherConfig::new("127.0.0.1:1", TOPIC);
    config
        .properties
        .insert("no.such.property".into(), "hunter2".into());
    let text = GamePublisher::connect(config)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("no.such.property") && !text.contains("hunter2"),
        "{text}"
    );
}

#[tokio::test]
async fn shutdown_delivers_what_nobody_waited_for() {
    let cluster = cluster();
    let publisher = connect(&cluster).await;
    for ply in 1..=100 {
        drop(publisher.send(&a_move("g-42", ply), None).await.unwrap());
    }
    publisher.shutdown(Duration::from_secs(10)).await.unwrap();
    assert_eq!(read(&cluster.bootstrap_servers(), 100).len(), 100);
}

#[tokio::test]
async fn every_compression_is_packed_by_one_client_and_unpacked_by_another() {
    let cluster = cluster();
    for compression in Compression::ALL {
        let publisher = GamePublisher::connect(PublisherConfig {
            compression,
            ..PublisherConfig::new(cluster.bootstrap_servers(), TOPIC)
        })
        .await
        .unwrap();
        let name = compression.as_str();
        // Together: a batch of one would grow by packing, and be sent as it is.
        for ply in 1..=50 {
            drop(publisher.send(&a_move(name, ply), None).await.unwrap());
        }
        publisher.shutdown(Duration::from_secs(20)).await.unwrap();
    }
    let records = read(&cluster.bootstrap_servers(), 50 * Compression::ALL.len());
    for compression in Compression::ALL {
        let key = compression.as_str().as_bytes();
        let of_it = records.iter().filter(|record| record.key() == Some(key));
        assert_eq!(of_it.count(), 50, "{compression:?}");
    }
}
