//! The publisher: a checked event in, the place in the log out.
//!
//! Cheap to clone and safe to share; clones use one connection and one queue. Order is per task: see the crate's
//! documentation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use events::Event;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use crate::{PublishError, PublisherConfig};

/// How long to wait when the queue is full before trying again: long enough for a batch to leave.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(2);

/// Where a record stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The partition.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
}

/// A record as bytes, for tools that republish or inject faults. Nothing of it is checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawRecord<'a> {
    /// The key; `None` leaves the partition to chance.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers, in their order. A value may be null.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// Publishes game events. See the crate's documentation for its promises.
#[derive(Clone)]
pub struct GamePublisher {
    producer: FutureProducer<LogContext>,
    target: Arc<Target>,
}

/// What errors name.
struct Target {
    brokers: String,
    topic: String,
}

impl GamePublisher {
    /// Connects and makes sure that the topic is there.
    ///
    /// # Errors
    /// [`PublishError::Configuration`], [`PublishError::Unreachable`] or [`PublishError::UnknownTopic`].
    pub async fn connect(config: PublisherConfig) -> Result<Self, PublishError> {
        let context = LogContext::default();
        let last_error = context.last_error.clone();
        let producer: FutureProducer<LogContext> = config
            .client()?
            .create_with_context(context)
            .map_err(PublishError::from_creation)?;
        let target = Arc::new(Target {
            brokers: config.brokers,
            topic: config.topic,
        });
        let (asked, wanted) = (producer.clone(), target.clone());
        let timeout = config.connect_timeout;
        let metadata = tokio::task::spawn_blocking(move || {
            asked.client().fetch_metadata(Some(&wanted.topic), timeout)
        });
        let metadata = metadata
            .await
            .map_err(|_cancelled| PublishError::Closed)?
            .map_err(|error| {
                let seen = last_error
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                PublishError::Unreachable {
                    brokers: target.brokers.clone(),
                    reason: seen.unwrap_or_else(|| error.to_string()),
                }
            })?;
        let exists = metadata
            .topics()
            .iter()
            .any(|t| t.name() == target.topic && t.error().is_none() && !t.partitions().is_empty());
        if !exists {
            return Err(PublishError::UnknownTopic {
                topic: target.topic.clone(),
                brokers: target.brokers.clone(),
            });
        }
        Ok(Self { producer, target })
    }

    /// Publishes one event and waits until it stands in the log. `traceparent` is the W3C trace context of the caller's span,
    /// passed on as it is.
    ///
    /// # Errors
    /// [`PublishError::Contract`] before anything is sent, else [`PublishError::Undelivered`].
    pub async fn publish(
        &self,
        event: &Event<'_>,
        traceparent: Option<&str>,
    ) -> Result<Delivery, PublishError> {
        self.send(event, traceparent).await?.await
    }

    /// Hands one event over and returns as soon as it is queued; a full queue is waited out.
    ///
    /// # Errors
    /// [`PublishError::Contract`] before anything is sent, [`PublishError::Undelivered`] when the client refuses the record.
    pub async fn send(
        &self,
        event: &Event<'_>,
        traceparent: Option<&str>,
    ) -> Result<Pending, PublishError> {
        let encoded = events::encode(event)?;
        let trace = traceparent.map(|trace| (events::headers::TRACEPARENT, trace.as_bytes()));
        let headers: Vec<(&str, Option<&[u8]>)> = encoded
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .chain(trace)
            .map(|(name, value)| (name, Some(value)))
            .collect();
        self.send_raw(RawRecord {
            key: Some(encoded.key.as_bytes()),
            value: Some(&encoded.value),
            headers: &headers,
        })
        .await
    }

    /// Publishes bytes unchecked and waits until they stand in the log.
    ///
    /// # Errors
    /// [`PublishError::Undelivered`].
    pub async fn publish_raw(&self, record: RawRecord<'_>) -> Result<Delivery, PublishError> {
        self.send_raw(record).await?.await
    }

    /// Hands bytes over unchecked and returns as soon as they are queued; a full queue is waited out.
    ///
    /// # Errors
    /// [`PublishError::Undelivered`] when the client refuses the record.
    pub async fn send_raw(&self, record: RawRecord<'_>) -> Result<Pending, PublishError> {
        let mut next = FutureRecord::<[u8], [u8]>::to(&self.target.topic);
        next.key = record.key;
        next.payload = record.value;
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            next.headers = Some(
                record
                    .headers
                    .iter()
                    .fold(headers, |headers, (key, value)| {
                        headers.insert(Header { key, value: *value })
                    }),
            );
        }
        loop {
            match self.producer.send_result(next) {
                Ok(delivery) => {
                    return Ok(Pending {
                        delivery,
                        target: self.target.clone(),
                    });
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    next = back;
                    tokio::time::sleep(FULL_QUEUE_PAUSE).await;
                }
                Err((error, _record)) => return Err(self.target.undelivered(error)),
            }
        }
    }

    /// Waits until everything that was handed over has been delivered or has failed.
    ///
    /// # Errors
    /// [`PublishError::Unflushed`] when that takes longer than `timeout`.
    pub async fn flush(&self, timeout: Duration) -> Result<(), PublishError> {
        let producer = self.producer.clone();
        let started = Instant::now();
        let flushed = tokio::task::spawn_blocking(move || producer.flush(timeout)).await;
        flushed
            .map_err(|_cancelled| PublishError::Closed)?
            .map_err(|source| PublishError::Unflushed {
                count: self.producer.in_flight_count(),
                brokers: self.target.brokers.clone(),
                waited_ms: started.elapsed().as_millis(),
                source: Box::new(source),
            })
    }

    /// Flushes and closes the connection. What other clones hand over afterwards is still sent.
    ///
    /// # Errors
    /// As [`Self::flush`]; the connection is closed all the same.
    pub async fn shutdown(self, timeout: Duration) -> Result<(), PublishError> {
        let flushed = self.flush(timeout).await;
        // Closing joins the client's threads, which would block the runtime.
        let closed = tokio::task::spawn_blocking(move || drop(self)).await;
        closed.map_err(|_cancelled| PublishError::Closed)?;
        flushed
    }
}

impl Target {
    fn undelivered(&self, source: KafkaError) -> PublishError {
        PublishError::Undelivered {
            topic: self.topic.clone(),
            brokers: self.brokers.clone(),
            source: Box::new(source),
        }
    }
}

impl fmt::Debug for GamePublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GamePublisher")
            .field("brokers", &self.target.brokers)
            .field("topic", &self.target.topic)
            .finish_non_exhaustive()
    }
}

/// A record on its way: a future of where it stands in the log.
///
/// It needs no polling to make progress; dropping it gives up the answer, not the record.
#[must_use = "a delivery that nobody awaits may have failed"]
pub struct Pending {
    delivery: DeliveryFuture,
    target: Arc<Target>,
}

impl Future for Pending {
    type Output = Result<Delivery, PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.delivery)
            .poll(context)
            .map(|answer| match answer {
                Ok(Ok(stored)) => Ok(Delivery {
                    partition: stored.partition,
                    offset: stored.offset,
                }),
                Ok(Err((error, _record))) => Err(self.target.undelivered(error)),
                Err(_cancelled) => Err(PublishError::Closed),
            })
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// The client's own words, into `tracing`; the last error is kept for [`PublishError::Unreachable`].
#[derive(Default)]
struct LogContext {
    last_error: Arc<Mutex<Option<String>>>,
}

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                tracing::error!(kafka.facility = facility, "kafka client: {message}");
            }
            RDKafkaLogLevel::Warning => {
                tracing::warn!(kafka.facility = facility, "kafka client: {message}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(kafka.facility = facility, "kafka client: {message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(kafka.error = %error, "kafka client: {reason}");
        // "All brokers are down" follows the reason why, and says less.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            let mut last = self
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *last = Some(reason.to_owned());
        }
    }
}
