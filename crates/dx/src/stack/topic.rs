//! What a stack asks of Kafka: whether it answers, its topic, and how far that has grown.
//!
//! librdkafka's calls block, so each runs on a blocking thread with a client of its own.

use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;

const PATIENCE: Duration = Duration::from_secs(5);

/// What [`ensure`] found or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ensured {
    Created,
    /// It was there, with this many partitions.
    Existed(usize),
}

/// Whether a broker answers and is ready to hold topics.
///
/// # Errors
/// What librdkafka says.
pub(super) async fn answers(brokers: &str) -> anyhow::Result<()> {
    on_consumer(brokers, |consumer| {
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(1))?;
        if metadata.brokers().is_empty() {
            bail!("no broker has registered yet");
        }
        Ok(())
    })
    .await
}

/// Creates the topic unless it is there.
///
/// # Errors
/// Kafka refuses or does not answer.
pub(super) async fn ensure(brokers: &str, topic: &str, partitions: i32) -> anyhow::Result<Ensured> {
    let admin: AdminClient<DefaultClientContext> = config(brokers)
        .create()
        .context("cannot make a Kafka client")?;
    // −1: the brokers' own default, 1 here and more in a real cluster.
    let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let options = AdminOptions::new()
        .operation_timeout(Some(PATIENCE))
        .request_timeout(Some(PATIENCE));
    let results = admin
        .create_topics([&wanted], &options)
        .await
        .with_context(|| format!("cannot create topic {topic}"))?;
    match results.into_iter().next() {
        Some(Ok(_)) => Ok(Ensured::Created),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
            Ok(Ensured::Existed(end_offsets(brokers, topic).await?.len()))
        }
        Some(Err((_, code))) => bail!("cannot create topic {topic}: {code}"),
        None => bail!("cannot create topic {topic}: Kafka gave no answer"),
    }
}

/// Creates a topic that must not be there yet.
///
/// # Errors
/// It is there, or as [`ensure`].
pub(crate) async fn ensure_new(brokers: &str, topic: &str, partitions: i32) -> anyhow::Result<()> {
    match ensure(brokers, topic, partitions).await? {
        Ensured::Created => Ok(()),
        Ensured::Existed(_) => bail!("topic {topic} exists already"),
    }
}

/// The offset each partition's next record will get, by partition.
///
/// # Errors
/// No such topic, or Kafka does not answer.
pub(crate) async fn end_offsets(brokers: &str, topic: &str) -> anyhow::Result<Vec<i64>> {
    let topic = topic.to_owned();
    on_consumer(brokers, move |consumer| {
        let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE)?;
        let found = metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic && found.error().is_none());
        let mut partitions: Vec<i32> = found
            .with_context(|| format!("there is no topic {topic}"))?
            .partitions()
            .iter()
            .map(|partition| partition.id())
            .collect();
        partitions.sort_unstable();
        partitions
            .into_iter()
            .map(|partition| Ok(consumer.fetch_watermarks(&topic, partition, PATIENCE)?.1))
            .collect()
    })
    .await
}

async fn on_consumer<T, F>(brokers: &str, ask: F) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: FnOnce(&BaseConsumer) -> anyhow::Result<T> + Send + 'static,
{
    let config = config(brokers);
    tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.create().context("cannot make a Kafka client")?;
        ask(&consumer)
    })
    .await?
}

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("reconnect.backoff.max.ms", "200")
        .set("client.id", "cargo-dx");
    config
}
