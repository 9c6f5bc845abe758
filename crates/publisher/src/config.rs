//! What a publisher is configured with, and what may not be configured: the settings its promises rest on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::PublishError;

/// Properties that keep order and durability; [`PublisherConfig::properties`] can't change them.
const FIXED: [(&str, &str); 3] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("partitioner", "murmur2_random"),
];

/// Settings of a [`GamePublisher`](crate::GamePublisher).
#[derive(Clone)]
pub struct PublisherConfig {
    /// Bootstrap servers, `host:port[,host:port…]`.
    pub brokers: String,
    /// The topic that games are published to.
    pub topic: String,
    /// The name brokers see in their logs and quotas.
    pub client_id: String,
    /// How batches are compressed.
    pub compression: Compression,
    /// How long a record waits for others to share its batch. Zero sends at once.
    pub linger: Duration,
    /// How long [`connect`](crate::GamePublisher::connect) waits for a broker.
    pub connect_timeout: Duration,
    /// How long a record may take until it is acknowledged, retries included; then it is an error.
    pub delivery_timeout: Duration,
    /// Further properties of librdkafka, such as those of SASL and TLS. They win over the fields above, except for
    /// `enable.idempotence`, `acks` and `partitioner`, which are fixed.
    pub properties: BTreeMap<String, String>,
}

/// How batches are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// Gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4: larger than Zstandard, and cheaper to pack and to read.
    Lz4,
    /// Zstandard.
    #[default]
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Its name in Kafka.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl PublisherConfig {
    /// The settings that suit a live-game service: zstd, 5 ms of linger, 10 s to connect, two minutes to deliver.
    #[must_use]
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic: topic.into(),
            client_id: "game-publisher".to_owned(),
            compression: Compression::default(),
            linger: Duration::from_millis(5),
            connect_timeout: Duration::from_secs(10),
            delivery_timeout: Duration::from_secs(120),
            properties: BTreeMap::new(),
        }
    }

    /// The client's configuration.
    ///
    /// # Errors
    /// [`PublishError::Configuration`] when a property would change what the promises rest on.
    pub(crate) fn client(&self) -> Result<ClientConfig, PublishError> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("compression.codec", self.compression.as_str())
            .set("linger.ms", self.linger.as_millis().to_string())
            .set(
                "delivery.timeout.ms",
                self.delivery_timeout.as_millis().to_string(),
            );
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        for (name, value) in FIXED {
            if self
                .properties
                .get(name)
                .is_some_and(|given| given != value)
            {
                return Err(PublishError::Configuration {
                    property: name.to_owned(),
                    reason: format!("is fixed to {value:?}: order and durability rest on it"),
                });
            }
            client.set(name, value);
        }
        Ok(client)
    }
}

impl fmt::Debug for PublisherConfig {
    /// Leaves out the values of `properties`: passwords are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublisherConfig")
            .field("brokers", &self.brokers)
            .field("topic", &self.topic)
            .field("client_id", &self.client_id)
            .field("compression", &self.compression)
            .field("linger", &self.linger)
            .field("connect_timeout", &self.connect_timeout)
            .field("delivery_timeout", &self.delivery_timeout)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> PublisherConfig {
        let mut config = PublisherConfig::new("broker:9092", "games");
        config.properties.insert(name.into(), value.into());
        config
    }

    #[test]
    fn what_the_promises_rest_on_can_not_be_configured_away() {
        for (name, value) in [
            ("acks", "1"),
            ("enable.idempotence", "false"),
            ("partitioner", "random"),
        ] {
            let error = with(name, value).client().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("fixed"), "{error}");
        }
        assert_eq!(
            with("acks", "all").client().unwrap().get("acks"),
            Some("all")
        );
    }

    #[test]
    fn properties_reach_the_client_and_win_over_the_fields() {
        let client = with("linger.ms", "50").client().unwrap();
        assert_eq!(client.get("linger.ms"), Some("50"));
        assert_eq!(client.get("partitioner"), Some("murmur2_random"));
        assert_eq!(client.get("compression.codec"), Some("zstd"));
    }

    #[test]
    fn a_password_is_not_in_the_debug_form() {
        let shown = format!("{:?}", with("sasl.password", "hunter2"));
        assert!(
            shown.contains("sasl.password") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
