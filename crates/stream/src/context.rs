//! The callbacks of the consumer. They run on the poll thread, inside a poll, and only note what happened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use crate::pauses::Pauses;

/// A change of the assignment, in the order it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
}

/// Offsets just past the newest record the broker told of, by partition.
pub(crate) type HighWatermarks = Arc<Mutex<HashMap<i32, i64>>>;

#[derive(Debug, Default)]
pub(crate) struct Context {
    changes: Mutex<Vec<Change>>,
    pub(crate) high_watermarks: HighWatermarks,
    pub(crate) pauses: Pauses,
}

/// Notes a partition's high watermark. Two sources tell it, and the older news may come later.
pub(crate) fn heard(marks: &HighWatermarks, partition: i32, high: i64) {
    let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
    let mark = marks.entry(partition).or_insert(high);
    *mark = high.max(*mark);
}

impl Context {
    /// The changes since the last call.
    pub(crate) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, change: Change) {
        self.changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(change);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    list.elements()
        .iter()
        .map(|element| element.partition())
        .collect()
}

impl ConsumerContext for Context {
    /// New partitions are assigned paused, at a place nobody reads from: they stay silent until they are started at an offset.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let cooperative = matches!(
            consumer.rebalance_protocol(),
            RebalanceProtocol::Cooperative
        );
        let result = if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assign(consumer, list, cooperative)
        } else {
            self.note(Change::Revoked(partitions(list)));
            if cooperative {
                consumer.incremental_unassign(list)
            } else {
                consumer.unassign()
            }
        };
        if let Err(error) = result {
            tracing::error!(%error, "the assignment could not be changed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        // Offsets in Kafka are for lag tools only: a failure costs nothing but a stale figure there.
        if let Err(error) = result {
            tracing::debug!(%error, "advisory offsets were not committed");
        }
    }
}

impl Context {
    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &mut TopicPartitionList,
        cooperative: bool,
    ) -> KafkaResult<()> {
        list.set_all_offsets(Offset::Beginning)?;
        if cooperative {
            consumer.incremental_assign(list)?
        } else {
            consumer.assign(list)?
        }
        consumer.pause(list)?;
        let mut marks = self
            .high_watermarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // What was heard before may be of another log.
        marks.retain(|partition, _| !partitions(list).contains(partition));
        drop(marks);
        self.note(Change::Assigned(partitions(list)));
        Ok(())
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, message, "librdkafka");
            }
            _ => tracing::debug!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let down = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::Resolve
            )
        );
        // The client reconnects by itself; one line tells that it has to.
        if down {
            tracing::warn!(reason, "broker out of reach")
        } else {
            tracing::error!(%error, reason, "kafka client")
        }
    }

    fn stats(&self, statistics: Statistics) {
        for (partition, stats) in statistics
            .topics
            .values()
            .flat_map(|topic| &topic.partitions)
        {
            if stats.hi_offset >= 0 {
                heard(&self.high_watermarks, *partition, stats.hi_offset);
            }
        }
    }
}
