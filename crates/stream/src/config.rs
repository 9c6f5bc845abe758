//! How to reach Kafka and how much to hold in memory.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};

/// Which rebalance protocol the consumer group speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupProtocol {
    /// The classic protocol with cooperative-sticky assignment.
    #[default]
    Classic,
    /// The protocol of KIP-848 (brokers from 4.0): session and heartbeat are the broker's.
    Consumer,
}

/// A consumer of one topic.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsumerConfig {
    /// Bootstrap servers: `host:port`, separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group_id: String,
    /// The rebalance protocol.
    pub group_protocol: GroupProtocol,
    /// How long a member may be silent before its partitions go to others, in milliseconds. Classic protocol only.
    pub session_timeout_ms: u32,
    /// The most bytes of records a partition's reader may be behind the poll thread. What librdkafka takes for each counts too.
    pub partition_buffer_bytes: usize,
    /// The most bytes of records all readers together may be behind the poll thread.
    pub total_buffer_bytes: usize,
    /// The most kilobytes librdkafka fetches ahead for one partition.
    pub prefetch_kb_per_partition: u32,
    /// How long the poll thread gathers records of a partition into a block, in milliseconds.
    pub block_linger_ms: u64,
    /// More librdkafka properties, such as those of SASL and TLS. Those that carry the guarantee can't be set here.
    pub properties: BTreeMap<String, String>,
}

/// Names the properties and keeps their values to itself: passwords are among them.
impl fmt::Debug for ConsumerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerConfig")
            .field("brokers", &self.brokers)
            .field("topic", &self.topic)
            .field("group_id", &self.group_id)
            .field("group_protocol", &self.group_protocol)
            .field("session_timeout_ms", &self.session_timeout_ms)
            .field("partition_buffer_bytes", &self.partition_buffer_bytes)
            .field("total_buffer_bytes", &self.total_buffer_bytes)
            .field("prefetch_kb_per_partition", &self.prefetch_kb_per_partition)
            .field("block_linger_ms", &self.block_linger_ms)
            .field("properties", &self.properties.keys())
            .finish()
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".into(),
            topic: "game-events".into(),
            group_id: "game-history.games".into(),
            group_protocol: GroupProtocol::Classic,
            session_timeout_ms: 10_000,
            partition_buffer_bytes: 4 << 20,
            total_buffer_bytes: 48 << 20,
            prefetch_kb_per_partition: 1_024,
            block_linger_ms: 10,
            properties: BTreeMap::new(),
        }
    }
}

/// Properties whose value the delivery guarantee depends on.
const OURS: [&str; 7] = [
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "group.id",
    "check.crcs",
    "enable.partition.eof",
    "partition.assignment.strategy",
];

impl ConsumerConfig {
    /// What is wrong with the values, as pairs of a key and a sentence. Empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        for (name, value) in [
            ("brokers", &self.brokers),
            ("topic", &self.topic),
            ("group_id", &self.group_id),
        ] {
            if value.trim().is_empty() {
                faults.push((name.to_owned(), "must not be empty".to_owned()));
            }
        }
        for name in self
            .properties
            .keys()
            .filter(|name| OURS.contains(&name.as_str()))
        {
            let problem = "can't be set: the delivery guarantee depends on it";
            faults.push((format!("properties.{name}"), problem.to_owned()));
        }
        if self.partition_buffer_bytes == 0 {
            faults.push((
                "partition_buffer_bytes".to_owned(),
                "must not be 0".to_owned(),
            ));
        }
        if self.total_buffer_bytes < self.partition_buffer_bytes {
            let problem = "must be at least partition_buffer_bytes";
            faults.push(("total_buffer_bytes".to_owned(), problem.to_owned()));
        }
        faults
    }

    /// Properties every client of this configuration shares.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "game-history");
        client
    }

    /// Properties of a member of the group.
    pub(crate) fn member(&self) -> ClientConfig {
        let mut client = self.client();
        client
            .set("group.id", &self.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .set("enable.partition.eof", "false")
            .set("max.poll.interval.ms", "300000")
            .set("statistics.interval.ms", "2000")
            .set("fetch.wait.max.ms", "50")
            .set("queued.min.messages", "50000")
            // A response may bring so much of each partition, and is unpacked whole: compressed records grow several times over.
            .set("fetch.message.max.bytes", "262144")
            // How long a partition whose queue is full waits before it fetches again. The default of a second starves a reader
            // that is as fast as this one.
            .set("fetch.queue.backoff.ms", "5")
            .set(
                "queued.max.messages.kbytes",
                self.prefetch_kb_per_partition.to_string(),
            );
        match self.group_protocol {
            GroupProtocol::Classic => client
                .set("group.protocol", "classic")
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", self.session_timeout_ms.to_string())
                .set(
                    "heartbeat.interval.ms",
                    (self.session_timeout_ms / 4).to_string(),
                ),
            GroupProtocol::Consumer => client.set("group.protocol", "consumer"),
        };
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_faults() {
        assert_eq!(ConsumerConfig::default().faults(), []);
    }

    #[test]
    fn properties_that_carry_the_guarantee_are_refused() {
        let properties = [("enable.auto.commit".to_owned(), "true".to_owned())].into();
        let config = ConsumerConfig {
            properties,
            brokers: " ".into(),
            ..ConsumerConfig::default()
        };
        assert_eq!(config.faults().len(), 2, "{:?}", config.faults());
    }

    #[test]
    fn both_protocols_make_a_client() {
        for group_protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
            let config = ConsumerConfig {
                group_protocol,
                ..ConsumerConfig::default()
            };
            let client: Result<rdkafka::consumer::BaseConsumer, _> = config.member().create();
            assert!(client.is_ok(), "{group_protocol:?}: {:?}", client.err());
        }
    }
}
