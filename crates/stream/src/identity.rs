//! Which log this is: the ids of topic and cluster, the partition count, and where each partition begins.
//!
//! An offset means something only in the log it was read from. A topic that was deleted and made again has the same name and
//! other records, so its id is compared before any offset is trusted. librdkafka knows the id, rust-rdkafka does not pass it
//! on, so it is asked directly. With `fetched` this is the unsafe code of the project outside its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::types::RDKafka;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rdkafka_sys as sys;

use crate::{ConsumerConfig, StreamError};

/// How long a broker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MS: i32 = 10_000;
/// Between two questions about a partition that has no leader yet.
const LEADER_WAIT: Duration = Duration::from_millis(100);

/// Which log a topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicIdentity {
    /// The topic's id, in Kafka's base64 form.
    pub topic_id: String,
    /// The cluster's id.
    pub cluster_id: String,
    /// How many partitions the topic has.
    pub partition_count: i32,
}

/// Asks brokers about a topic. Its methods block: call them off the async runtime.
///
/// A client that has failed is replaced before the next question: one was seen that did not find back to a broker that had been
/// killed and had come again.
pub struct TopicProbe {
    brokers: String,
    topic: String,
    settings: ClientConfig,
    client: Mutex<Arc<BaseConsumer>>,
}

impl std::fmt::Debug for TopicProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicProbe")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl TopicProbe {
    /// Makes a client that belongs to no group.
    ///
    /// # Errors
    /// [`StreamError::Client`] when the configuration is refused.
    pub fn new(config: &ConsumerConfig) -> Result<Self, StreamError> {
        let settings = config.client();
        let client = make(&settings)?;
        Ok(Self {
            brokers: config.brokers.clone(),
            topic: config.topic.clone(),
            settings,
            client: Mutex::new(client),
        })
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(&BaseConsumer) -> Result<T, StreamError>,
    ) -> Result<T, StreamError> {
        let client = Arc::clone(&self.current());
        let answer = question(&client);
        if answer.is_err() {
            self.replace(&client)?;
        }
        answer
    }

    fn replace(&self, failed: &Arc<BaseConsumer>) -> Result<(), StreamError> {
        let mut current = self.current();
        // Another question may have failed with it, and replaced it.
        if Arc::ptr_eq(&current, failed) {
            *current = make(&self.settings)?;
        }
        Ok(())
    }

    fn current(&self) -> MutexGuard<'_, Arc<BaseConsumer>> {
        // The lock guards a pointer, which no panic leaves half written.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which log the topic is now.
    ///
    /// # Errors
    /// [`StreamError::Describe`] when no broker answers in ten seconds or the topic does not exist.
    pub fn identity(&self) -> Result<TopicIdentity, StreamError> {
        self.ask(|client| self.identity_by(client))
    }

    fn identity_by(&self, client: &BaseConsumer) -> Result<TopicIdentity, StreamError> {
        let failed = |detail: String| StreamError::Describe {
            topic: self.topic.clone(),
            brokers: self.brokers.clone(),
            detail,
        };
        let metadata = client
            .fetch_metadata(Some(&self.topic), TIMEOUT)
            .map_err(|error| failed(error.to_string()))?;
        let topic = metadata
            .topics()
            .iter()
            .find(|topic| topic.name() == self.topic);
        let topic = topic.ok_or_else(|| failed("the topic is unknown".into()))?;
        if let Some(error) = topic.error() {
            return Err(failed(format!("{error:?}")));
        }
        let cluster_id = client.client().fetch_cluster_id(TIMEOUT);
        Ok(TopicIdentity {
            topic_id: topic_id(client.client().native_ptr(), &self.topic).map_err(failed)?,
            cluster_id: cluster_id.ok_or_else(|| failed("the cluster gives no id".into()))?,
            partition_count: i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX),
        })
    }

    /// The offsets of a partition's oldest record and of the one after its newest.
    ///
    /// # Errors
    /// [`StreamError::Watermark`] when no broker answers in ten seconds. A partition that was made or moved just now is waited for.
    pub fn watermarks(&self, partition: i32) -> Result<(i64, i64), StreamError> {
        self.ask(|client| self.watermarks_by(client, partition))
    }

    fn watermarks_by(
        &self,
        client: &BaseConsumer,
        partition: i32,
    ) -> Result<(i64, i64), StreamError> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            match client.fetch_watermarks(&self.topic, partition, TIMEOUT) {
                Err(error) if has_no_leader_yet(&error) && Instant::now() < deadline => {
                    std::thread::sleep(LEADER_WAIT);
                }
                Ok(watermarks) => return Ok(watermarks),
                Err(source) => {
                    return Err(StreamError::Watermark {
                        topic: self.topic.clone(),
                        partition,
                        source,
                    });
                }
            }
        }
    }
}

fn make(settings: &ClientConfig) -> Result<Arc<BaseConsumer>, StreamError> {
    let client = settings.create();
    client
        .map(Arc::new)
        .map_err(|source| StreamError::Client { source })
}

fn has_no_leader_yet(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
    )
}

/// The own timestamps of single records, for one who looks on: no group is joined and nothing is committed.
///
/// # Errors
/// [`StreamError::Client`] when the configuration is refused. What can't be read in five seconds is left out.
pub fn timestamps_at(
    config: &ConsumerConfig,
    offsets: &BTreeMap<i32, i64>,
) -> Result<BTreeMap<i32, i64>, StreamError> {
    let client: BaseConsumer = config
        .client()
        // Assigning by hand needs a name for a group; nobody else has this one.
        .set("group.id", format!("{}.onlooker", config.group_id))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("fetch.message.max.bytes", "65536")
        .create()
        .map_err(|source| StreamError::Client { source })?;
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(&config.topic, *partition, Offset::Offset(*offset))
            .map_err(|source| StreamError::Client { source })?;
    }
    client
        .assign(&list)
        .map_err(|source| StreamError::Client { source })?;
    let (mut found, deadline) = (BTreeMap::new(), Instant::now() + TIMEOUT / 2);
    let mut answered = BTreeSet::new();
    while answered.len() < offsets.len() && Instant::now() < deadline {
        // The client goes on trying by itself; what it can't read in time is left out.
        let Some(Ok(message)) = client.poll(Duration::from_millis(100)) else {
            continue;
        };
        if answered.insert(message.partition())
            && let Some(ms) = message.timestamp().to_millis()
        {
            found.insert(message.partition(), ms);
        }
    }
    Ok(found)
}

/// Asks for a topic's id through librdkafka's admin API.
#[expect(
    unsafe_code,
    reason = "rust-rdkafka 0.39 does not pass topic ids on; every pointer is freed on every path below"
)]
fn topic_id(client: *mut RDKafka, topic: &str) -> Result<String, String> {
    let name = CString::new(topic).map_err(|_nul| "the topic's name holds a NUL".to_owned())?;
    let mut names = [name.as_ptr()];
    // SAFETY: `client` outlives this call, being borrowed from a live consumer. The collection copies the name. The options,
    // the collection, the queue and the event are made here, used only here and destroyed once each, the event after its
    // topics were read. Null results are checked before use.
    unsafe {
        let collection =
            sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let options = sys::rd_kafka_AdminOptions_new(
            client,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        let queue = sys::rd_kafka_queue_new(client);
        sys::rd_kafka_DescribeTopics(client, collection, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, TIMEOUT_MS);
        let id = if event.is_null() {
            Err("no answer in time".to_owned())
        } else {
            described_id(event)
        };
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(collection);
        id
    }
}

/// Reads the id out of the answer.
///
/// # Safety
/// `event` is a live event that librdkafka returned.
#[expect(unsafe_code, reason = "see `topic_id`")]
unsafe fn described_id(event: *mut sys::rd_kafka_event_t) -> Result<String, String> {
    // SAFETY: by the contract of this function. The topics and their ids live as long as the event, and are copied out.
    unsafe {
        let error = sys::rd_kafka_event_error(event);
        if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = sys::rd_kafka_event_error_string(event);
            return Err(CStr::from_ptr(text).to_string_lossy().into_owned());
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        let mut count = 0;
        let topics = if result.is_null() {
            std::ptr::null_mut()
        } else {
            sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count)
        };
        if topics.is_null() || count == 0 {
            return Err("the answer names no topic".to_owned());
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(*topics);
        let text = if id.is_null() {
            std::ptr::null()
        } else {
            sys::rd_kafka_Uuid_base64str(id)
        };
        if text.is_null() {
            return Err("the broker gives no topic id; Kafka 2.8 or newer is needed".to_owned());
        }
        Ok(CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_failed_is_replaced_and_one_that_answered_is_kept() {
        let probe = TopicProbe::new(&ConsumerConfig::default()).unwrap();
        let asked_with = |fails: bool| {
            let mut asked = std::ptr::null();
            let answer = probe.ask(|client| {
                asked = std::ptr::from_ref(client);
                let source = KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure);
                match fails {
                    true => Err(StreamError::Client { source }),
                    false => Ok(()),
                }
            });
            assert_eq!(answer.is_err(), fails);
            (asked, Arc::clone(&probe.current()))
        };
        // The clients are held, so that no new one takes the place of an old one in memory.
        let (first, kept) = asked_with(false);
        let (second, after_failure) = asked_with(true);
        let (third, _) = asked_with(false);
        assert_eq!((first, second), (Arc::as_ptr(&kept), first));
        assert_eq!(third, Arc::as_ptr(&after_failure));
        assert_ne!(third, first);
    }
}
