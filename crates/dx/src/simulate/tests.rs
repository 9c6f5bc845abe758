//! The command as a whole, into librdkafka's in-process broker: what lies on the topic is what the ledger says.

use std::collections::{BTreeMap, HashMap};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::*;

const PARTITIONS: i32 = 4;

fn options(folder: &std::path::Path) -> Options {
    Options {
        play: Settings {
            seed: 7,
            games: Some(60),
            live: 20,
            players: 30,
            start_ms: 1_795_255_200_000,
            book_lines: 60,
            faults: Faults {
                duplicates: 0.05,
                poison: 0.01,
                conflicts: 0.01,
                late: 0.02,
                gaps: 0.1,
                reorder: 0.05,
            },
        },
        rate: None,
        time: None,
        ledger: folder.join("ledger.ndjson"),
        watched: 0,
    }
}

fn topic(brokers: &str, count: u64) -> HashMap<(i32, i64), OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset("games", partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&all).unwrap();
    let mut records = HashMap::new();
    for _ in 0..count {
        let record = consumer
            .poll(Duration::from_secs(20))
            .expect("fewer records than the ledger counts");
        let record = record.unwrap().detach();
        records.insert((record.partition(), record.offset()), record);
    }
    assert!(
        consumer.poll(Duration::from_millis(300)).is_none(),
        "more records than the ledger counts"
    );
    records
}

#[tokio::test]
async fn the_ledger_names_every_fault_where_it_lies_on_the_topic_and_adds_up() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("games", PARTITIONS, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let endpoints = Endpoints {
        kafka: cluster.bootstrap_servers(),
        topic: "games".into(),
        postgres: String::new(),
        api: String::new(),
        archive: Default::default(),
        data_dir: folder.path().to_owned(),
    };
    let options = options(folder.path());
    let (totals, _) = publish::publish(&options, &endpoints).await.unwrap();
    let records = topic(&endpoints.kafka, totals.records);

    let ledger = std::fs::read_to_string(&options.ledger).unwrap();
    let lines: Vec<serde_json::Value> = ledger
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| {
        lines
            .iter()
            .filter(|line| line["kind"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of("run").len(), of("game").len(), of("totals").len()),
        (1, 60, 1)
    );
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for fault in of("fault") {
        let place = (
            fault["partition"].as_i64().unwrap(),
            fault["offset"].as_i64().unwrap(),
        );
        let record = &records[&(i32::try_from(place.0).unwrap(), place.1)];
        let wanted = fault["reason"]
            .as_str()
            .unwrap_or_else(|| fault["verdict"].as_str().unwrap());
        *expected.entry(wanted).or_default() += 1;
        let refused = events::decode(record.key(), record.payload())
            .map_err(|rejection| rejection.reason.as_str());
        match refused {
            Err(reason) => assert_eq!(reason, wanted, "{fault}"),
            // What only a game's history refuses still names its game.
            Ok(event) => assert!(
                event.game_id.starts_with(fault["gameId"].as_str().unwrap()),
                "{fault}"
            ),
        }
    }
    assert_eq!(expected, totals.expected);
    assert!(
        expected["duplicate"] > 50 && expected["conflict"] > 10 && expected["late"] > 20,
        "{expected:?}"
    );
    assert_eq!(
        totals.records,
        totals.applied + expected.values().sum::<u64>()
    );
    assert_eq!(totals.games, totals.terminations.values().sum::<u64>());
    assert!(totals.incomplete > 0 && totals.reordered > 0);
}

#[tokio::test]
async fn a_run_of_some_seconds_stops_in_time_and_tells_what_was_live() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("games", PARTITIONS, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let endpoints = Endpoints {
        kafka: cluster.bootstrap_servers(),
        topic: "games".into(),
        postgres: String::new(),
        api: String::new(),
        archive: Default::default(),
        data_dir: folder.path().to_owned(),
    };
    let mut options = options(folder.path());
    options.play.games = None;
    options.rate = Some(2_000);
    options.time = Some(Duration::from_secs(1));
    let (totals, _) = publish::publish(&options, &endpoints).await.unwrap();
    assert!((1_500..=2_200).contains(&totals.records), "{totals:?}");
    assert!(totals.terminations.contains_key("cut_off"), "{totals:?}");
}

#[test]
fn a_share_lies_between_0_and_1() {
    assert_eq!(share("0.02"), Ok(0.02));
    assert!(
        share("2").is_err()
            && share("-0.1").is_err()
            && share("NaN").is_err()
            && share("x").is_err()
    );
}
