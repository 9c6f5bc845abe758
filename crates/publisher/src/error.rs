//! What can go wrong between a game and the log, with the broker's name and what to do about it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why an event was not published.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The event is outside the contract; nothing was sent. The producer's code is at fault.
    #[error("the event is outside the contract: {source}")]
    Contract {
        /// What a consumer would say of it.
        #[from]
        source: events::Rejection,
    },
    /// A setting is not possible. The value is left out: it may be a secret.
    #[error("Kafka property {property} {reason}")]
    Configuration {
        /// The property's name.
        property: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No broker answered while connecting.
    #[error(
        "no Kafka broker answers at {brokers} ({reason}): start it, or correct the address, the port or security.protocol"
    )]
    Unreachable {
        /// The bootstrap servers.
        brokers: String,
        /// The client's last word on it.
        reason: String,
    },
    /// The broker has no such topic.
    #[error("topic {topic:?} does not exist at {brokers}: create it, or correct its name")]
    UnknownTopic {
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        brokers: String,
    },
    /// The record did not reach the log.
    #[error(
        "not delivered to topic {topic:?} at {brokers}: {source}; {}",
        remedy(source)
    )]
    Undelivered {
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        brokers: String,
        /// What the client or the broker said.
        source: Box<KafkaError>,
    },
    /// Records were still undelivered when the time to flush was over.
    #[error(
        "{count} records are still undelivered to {brokers} after {waited_ms} ms: {}",
        remedy(source)
    )]
    Unflushed {
        /// How many.
        count: i32,
        /// The bootstrap servers.
        brokers: String,
        /// How long it was waited, in milliseconds.
        waited_ms: u128,
        /// What the client said.
        source: Box<KafkaError>,
    },
    /// The publisher was shut down before the record was delivered.
    #[error("the publisher was shut down before the record was delivered: flush it first")]
    Closed,
}

impl PublishError {
    /// A setting the client refuses, without its value.
    pub(crate) fn from_creation(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(_, reason, property, _value) => Self::Configuration {
                property,
                reason: format!("is refused: {reason}"),
            },
            other => Self::Configuration {
                property: "(several)".to_owned(),
                reason: format!("are refused together: {other}"),
            },
        }
    }
}

/// What a person can do about it.
fn remedy(error: &KafkaError) -> &'static str {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(
            Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::AllBrokersDown
            | Code::BrokerTransportFailure,
        ) => "is the broker up, and does its advertised address reach here?",
        Some(Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend) => {
            "bring the replicas back, or lower min.insync.replicas"
        }
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
            "create the topic, or correct its name"
        }
        Some(Code::MessageSizeTooLarge) => {
            "raise message.max.bytes of the producer and max.message.bytes of the topic, or publish less"
        }
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            "grant the principal Write and IdempotentWrite"
        }
        Some(Code::SaslAuthenticationFailed | Code::Authentication) => {
            "check sasl.username and sasl.password"
        }
        _ => "see the broker's log",
    }
}
