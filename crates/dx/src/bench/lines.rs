//! The lines to measure against: what one thread can read from this broker at all, and what it can decode and fold in memory.
//!
//! Both read every partition of the topic from its beginning to where it ends now, through librdkafka's own queue, with the
//! product's settings for fetching. The second one runs the product's decoder and state machine and nothing else: no checkpoints,
//! look-ups, snapshots or guards.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use domain::{Action, LiveGame};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::usage;
use crate::stack::Endpoints;

const PATIENCE: Duration = Duration::from_secs(20);

/// What reading the whole topic took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) records: u64,
    /// The bytes of their values.
    pub(super) value_bytes: u64,
    pub(super) took: Duration,
    pub(super) cpu: Duration,
}

impl Line {
    pub(super) fn per_second(&self) -> f64 {
        self.records as f64 / self.took.as_secs_f64()
    }

    pub(super) fn cpu_s_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.records as f64
    }

    /// The one that read faster.
    pub(super) fn better(self, other: Self) -> Self {
        if other.per_second() > self.per_second() {
            other
        } else {
            self
        }
    }
}

/// Reads every record and looks at nothing but its length.
///
/// # Errors
/// The broker does not answer.
pub(super) fn raw_consume(endpoints: &Endpoints) -> anyhow::Result<Line> {
    let line = consume(endpoints, |_, _| Ok(()))?;
    ensure!(line.value_bytes > 0, "the topic holds no bytes");
    Ok(line)
}

/// Reads every record, decodes it and folds its game in memory.
///
/// # Errors
/// The broker does not answer, or the topic holds something else than clean games.
pub(super) fn decode_and_fold(endpoints: &Endpoints) -> anyhow::Result<Line> {
    let mut games: HashMap<Box<str>, LiveGame> = HashMap::new();
    let mut finished = 0_u64;
    let line = consume(endpoints, |key, value| {
        let event = events::decode(Some(key), Some(value))?;
        match &event.action {
            Action::Create(new) => {
                games.insert(
                    event.game_id.as_ref().into(),
                    LiveGame::begin(new, event.at),
                );
            }
            action => {
                let game = games
                    .get_mut(event.game_id.as_ref())
                    .context("a game without its create")?;
                if game.apply(&event.game_id, event.at, action)?.1.is_some() {
                    games.remove(event.game_id.as_ref());
                    finished += 1;
                }
            }
        }
        Ok(())
    })?;
    ensure!(finished > 0, "no game of the topic ended");
    Ok(line)
}

fn consume(
    endpoints: &Endpoints,
    mut take: impl FnMut(&[u8], &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Line> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &endpoints.kafka)
        .set("group.id", "dx-bench-line")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("check.crcs", "true")
        .set("fetch.queue.backoff.ms", "5")
        .create()?;
    let mut left = 0_i64;
    let mut all = TopicPartitionList::new();
    let metadata = consumer.fetch_metadata(Some(&endpoints.topic), PATIENCE)?;
    for partition in metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
    {
        let (low, high) = consumer.fetch_watermarks(&endpoints.topic, partition.id(), PATIENCE)?;
        left += high - low;
        all.add_partition_offset(&endpoints.topic, partition.id(), Offset::Offset(low))?;
    }
    let records = u64::try_from(left).unwrap_or_default();
    let mut value_bytes = 0;
    let (cpu, began) = (usage::cpu_of_this()?, Instant::now());
    consumer.assign(&all)?;
    while left > 0 {
        match consumer.poll(PATIENCE) {
            Some(Ok(message)) => {
                let value = message.payload().unwrap_or_default();
                value_bytes += value.len() as u64;
                take(message.key().unwrap_or_default(), value)?;
                left -= 1;
            }
            Some(Err(error)) => return Err(error).context("the topic can't be read"),
            None => bail!(
                "no record within {} s, {left} are missing",
                PATIENCE.as_secs()
            ),
        }
    }
    Ok(Line {
        records,
        value_bytes,
        took: began.elapsed(),
        cpu: usage::cpu_of_this()?.saturating_sub(cpu),
    })
}
