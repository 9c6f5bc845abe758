//! Reads the topic: one partition at a time, by offsets, as a plain consumer that joins no group and commits nothing.
//!
//! Blocking, one thread; callers on an async runtime move it to a blocking one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::fold::{Headers, Record};

/// How long the broker may answer nothing before reading is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// One topic of one Kafka.
pub(crate) struct Log {
    consumer: BaseConsumer,
    kafka: String,
    topic: String,
}

/// A partition's oldest offset and the one its next record will get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watermarks {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Log {
    /// Connects lazily: the first question finds out whether anybody answers.
    pub(crate) fn open(kafka: &str, topic: &str) -> anyhow::Result<Self> {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", kafka)
            // Needed by the client for assigning partitions by hand; nothing joins it and nothing is committed to it.
            .set("group.id", "dx-verify")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("queued.max.messages.kbytes", "65536")
            .create()
            .context("cannot make a Kafka consumer")?;
        Ok(Self {
            consumer,
            kafka: kafka.to_owned(),
            topic: topic.to_owned(),
        })
    }

    /// The topic's partitions, in order.
    ///
    /// # Errors
    /// When Kafka does not answer or has no such topic.
    pub(super) fn partitions(&self) -> anyhow::Result<Vec<i32>> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), PATIENCE);
        let metadata =
            metadata.with_context(|| format!("Kafka at {} does not answer", self.kafka))?;
        let topic = metadata.topics().iter().find(|t| t.name() == self.topic);
        let mut partitions: Vec<i32> = topic
            .iter()
            .flat_map(|t| t.partitions())
            .map(|p| p.id())
            .collect();
        ensure!(
            !partitions.is_empty(),
            "Kafka at {} has no topic {}; `cargo dx up` creates it",
            self.kafka,
            self.topic
        );
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// A partition's watermarks, now.
    pub(super) fn watermarks(&self, partition: i32) -> anyhow::Result<Watermarks> {
        let marks = self
            .consumer
            .fetch_watermarks(&self.topic, partition, PATIENCE);
        let (low, high) = marks
            .with_context(|| format!("no watermarks of {} partition {partition}", self.topic))?;
        Ok(Watermarks { low, high })
    }

    /// Gives every record with `from` ≤ offset < `to` to `each`, in order; ends early where the log does.
    ///
    /// # Errors
    /// When the log cannot be read, or goes silent for half a minute.
    pub(crate) fn read(
        &self,
        partition: i32,
        from: i64,
        to: i64,
        mut each: impl FnMut(&Record<'_>, &dyn Fn() -> Option<Headers>),
    ) -> anyhow::Result<()> {
        if from >= to {
            return Ok(());
        }
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(&self.topic, partition, Offset::Offset(from))?;
        self.consumer.assign(&start)?;
        let mut heard = Instant::now();
        loop {
            match self.consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) if message.offset() >= to => break,
                Some(Ok(message)) => {
                    heard = Instant::now();
                    each(&record(&message), &|| headers(&message));
                }
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => break,
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) if heard.elapsed() > PATIENCE => {
                    return Err(error)
                        .with_context(|| format!("{} partition {partition}", self.topic));
                }
                None if heard.elapsed() > PATIENCE => {
                    bail!(
                        "{} partition {partition} has been silent for {PATIENCE:?} before offset {to}",
                        self.topic
                    )
                }
                // The client goes on trying by itself: lost connections come and go.
                Some(Err(_)) | None => {}
            }
        }
        self.consumer.unassign()?;
        Ok(())
    }
}

fn record<'a>(message: &'a BorrowedMessage<'_>) -> Record<'a> {
    Record {
        offset: message.offset(),
        key: message.key(),
        value: message.payload(),
        timestamp_ms: message.timestamp().to_millis(),
    }
}

fn headers(message: &BorrowedMessage<'_>) -> Option<Headers> {
    let Some(headers) = message.headers() else {
        return Some(Headers::new());
    };
    // The client library panics over a header name that is not UTF-8. The record itself is still worth judging.
    let read = AssertUnwindSafe(|| {
        let all = headers.iter();
        all.map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec)))
            .collect()
    });
    catch_unwind(read).ok()
}
