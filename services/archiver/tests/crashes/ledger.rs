//! What was published, and whether the archive holds exactly that: manifests are read as bare JSON, files with zstd and serde.

use std::collections::BTreeMap;
use std::path::Path;

use publisher::{GamePublisher, PublisherConfig, RawRecord};
use serde_json::Value;
use sha2::Digest as _;
use test_support::TestTopic;

use crate::archiver::files;

/// By partition and offset: what the record says.
pub(crate) type Records = BTreeMap<(i64, i64), String>;

/// A publisher that remembers.
pub(crate) struct Ledger {
    publisher: GamePublisher,
    pub(crate) records: Records,
}

impl Ledger {
    pub(crate) async fn open(topic: &TestTopic) -> Self {
        let config = PublisherConfig::new(topic.brokers(), topic.name());
        let publisher = GamePublisher::connect(config).await.unwrap();
        Self {
            publisher,
            records: Records::new(),
        }
    }

    /// Publishes so many records of some games, in two regions.
    pub(crate) async fn publish(&mut self, count: usize) {
        let mut pending = Vec::new();
        for _ in 0..count {
            let number = self.records.len() + pending.len();
            let game = format!("g-{}", number % 37);
            let value = format!(
                r#"{{"eventId":"e-{number}","gameId":"{game}","eventType":"MoveMade","schemaVersion":1}}"#
            );
            let region: &[u8] = if number.is_multiple_of(3) {
                b"eu"
            } else {
                b"us"
            };
            let headers = [
                ("region", Some(region)),
                ("empty", Some(&b""[..])),
                ("null", None),
            ];
            let record = RawRecord {
                key: Some(game.as_bytes()),
                value: Some(value.as_bytes()),
                headers: &headers,
            };
            let sent = self.publisher.send_raw(record).await.unwrap();
            pending.push((sent, value));
        }
        for (sent, value) in pending {
            let at = sent.await.unwrap();
            self.records
                .insert((i64::from(at.partition), at.offset), value);
        }
    }

    /// Whether the archive reaches to the end of what was published.
    pub(crate) fn is_archived(&self, archive: &Path) -> bool {
        let mut ends: BTreeMap<i64, i64> = BTreeMap::new();
        for (partition, offset) in self.records.keys() {
            ends.insert(*partition, offset + 1);
        }
        for link in links(archive) {
            if ends.get(&number(&link, "partition")) == Some(&number(&link, "end")) {
                ends.remove(&number(&link, "partition"));
            }
        }
        ends.is_empty()
    }
}

pub(crate) fn number(link: &Value, field: &str) -> i64 {
    link[field].as_i64().unwrap()
}

/// The keys of the manifests. What a killed process was writing ends in `#` and a number, and is no object yet.
fn manifests(archive: &Path) -> Vec<String> {
    let mut keys = files(archive);
    keys.retain(|key| key.starts_with("_manifests/") && key.ends_with(".json"));
    keys
}

/// The manifests by partition and number.
pub(crate) fn links(archive: &Path) -> Vec<Value> {
    let keys = manifests(archive).into_iter();
    keys.map(|key| serde_json::from_slice(&std::fs::read(archive.join(key)).unwrap()).unwrap())
        .collect()
}

/// The files that manifests name.
pub(crate) fn named(archive: &Path) -> Vec<String> {
    let mut named: Vec<String> = links(archive)
        .iter()
        .flat_map(|link| link["files"].as_array().unwrap().clone())
        .map(|file| file["key"].as_str().unwrap().to_owned())
        .collect();
    named.sort();
    named
}

/// Files of records that no manifest names.
pub(crate) fn unnamed(archive: &Path) -> Vec<String> {
    let named = named(archive);
    // A staged file ends in `#` and a number until it is renamed.
    let raw = files(archive)
        .into_iter()
        .filter(|key| key.starts_with("raw/") && !key.contains('#'));
    raw.filter(|key| !named.contains(key)).collect()
}

/// Everything that the archive of JSON Lines holds, after a look at its chain.
pub(crate) fn archived(archive: &Path) -> Records {
    let mut records = Records::new();
    let mut ends: BTreeMap<i64, (i64, String)> = BTreeMap::new();
    for key in manifests(archive) {
        let bytes = std::fs::read(archive.join(&key)).unwrap();
        let link: Value = serde_json::from_slice(&bytes).unwrap();
        let partition = number(&link, "partition");
        if let Some((end, hash)) = ends.get(&partition) {
            assert_eq!(
                (number(&link, "start"), link["previous_sha256"].as_str()),
                (*end, Some(hash.as_str())),
                "{key}"
            );
        }
        ends.insert(partition, (number(&link, "end"), sha256(&bytes)));
        for file in link["files"].as_array().unwrap() {
            let key = file["key"].as_str().unwrap();
            let bytes = std::fs::read(archive.join(key)).unwrap();
            assert_eq!(file["sha256"].as_str().unwrap(), sha256(&bytes), "{key}");
            let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
            assert_eq!(
                file["rows"].as_u64(),
                Some(text.lines().count() as u64),
                "{key}"
            );
            for line in text.lines() {
                let record: Value = serde_json::from_str(line).unwrap();
                let place = (partition, number(&record, "offset"));
                let value = record["value"].as_str().unwrap().to_owned();
                assert_eq!(
                    records.insert(place, value),
                    None,
                    "{place:?} is there twice"
                );
            }
        }
    }
    records
}

fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
