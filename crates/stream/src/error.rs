//! What can go wrong between Kafka and its reader.

use rdkafka::error::KafkaError;

/// A failure of the Kafka client, named for the operation.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A client can't be made from its configuration.
    #[error("can't make a Kafka client: {source}; check kafka.brokers and kafka.properties")]
    Client {
        /// What librdkafka said.
        source: KafkaError,
    },
    /// The topic can't be asked for.
    #[error(
        "can't describe topic {topic} on {brokers}: {detail}; is the broker up, and does the topic exist?"
    )]
    Describe {
        /// The topic.
        topic: String,
        /// The brokers asked.
        brokers: String,
        /// What the broker or the client said.
        detail: String,
    },
    /// A partition's oldest offset can't be asked for.
    #[error("can't read the oldest offset of {topic}/{partition}: {source}")]
    Watermark {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What librdkafka said.
        source: KafkaError,
    },
    /// The group can't be joined.
    #[error("can't subscribe to {topic}: {source}")]
    Subscribe {
        /// The topic.
        topic: String,
        /// What librdkafka said.
        source: KafkaError,
    },
    /// The poll thread can't be started.
    #[error("can't start the poll thread: {source}")]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
}
