//! The poll thread.
//!
//! It serves the group (rebalances, heartbeats, statistics), drains the queues of started partitions that have budget left into
//! blocks, and obeys commands. It never waits on a reader or a disk. A partition moves through three states:
//!
//! ```text
//! assigned ──► silent ──start(offset)──► seeking ──► started ──stop, out of range──► silent
//! ```
//!
//! Only records at or after the expected offset leave a started partition: what a seek left behind in the queue is dropped.
//!
//! Blocks hold the client too: a member has left its group for certain once its handle and its blocks are dropped.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::budget::Budget;
use crate::context::{Change, Context};
use crate::fetched::PartitionQueue;
use crate::slot::{Drained, Slot, State};
use crate::{ConsumerConfig, StreamEvent};

/// How long an idle poll waits.
const IDLE_WAIT: Duration = Duration::from_millis(4);
/// How long a seek may take before it is tried again.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the same error of the group is told.
const WARN_EVERY: Duration = Duration::from_secs(10);
/// How often advisory offsets go to Kafka.
const COMMIT_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum Command {
    Start {
        partition: i32,
        offset: i64,
        epoch: u64,
    },
    Stop {
        partition: i32,
    },
    Committed {
        partition: i32,
        next_offset: i64,
    },
    Leave,
}

pub(crate) struct PollLoop<D> {
    config: ConsumerConfig,
    slots: HashMap<i32, Slot>,
    total: Arc<Budget>,
    advisory: BTreeMap<i32, i64>,
    advised_at: Instant,
    warned: Option<(Option<RDKafkaErrorCode>, Instant)>,
    inbox: Receiver<Command>,
    deliver: D,
    consumer: Arc<BaseConsumer<Context>>,
}

impl<D: FnMut(StreamEvent)> PollLoop<D> {
    pub(crate) fn new(
        config: ConsumerConfig,
        consumer: Arc<BaseConsumer<Context>>,
        inbox: Receiver<Command>,
        deliver: D,
    ) -> Self {
        Self {
            config,
            slots: HashMap::new(),
            total: Arc::default(),
            advisory: BTreeMap::new(),
            advised_at: Instant::now(),
            warned: None,
            inbox,
            deliver,
            consumer,
        }
    }

    pub(crate) fn run(mut self) {
        let mut idle = false;
        while self.obey() {
            self.serve_group(if idle { IDLE_WAIT } else { Duration::ZERO });
            self.start_seeking();
            idle = !self.drain();
            self.advise(false);
        }
        self.advise(true);
        // Queues hold the consumer: they go first, then the last handle closes it.
        self.slots.clear();
        self.consumer.unsubscribe();
    }

    /// Takes the commands that came in; false when it is time to leave.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Start {
                    partition,
                    offset,
                    epoch,
                }) => {
                    if let Some(slot) = self.slots.get_mut(&partition) {
                        slot.change(State::Seeking { offset });
                        slot.epoch = epoch;
                    }
                }
                Ok(Command::Stop { partition }) => self.silence(partition),
                Ok(Command::Committed {
                    partition,
                    next_offset,
                }) => {
                    self.advisory.insert(partition, next_offset);
                }
                Ok(Command::Leave) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    /// Serves rebalances, statistics and errors. Records never come this way: every partition has a queue of its own.
    fn serve_group(&mut self, wait: Duration) {
        if let Some(Err(error)) = self.consumer.poll(wait) {
            self.warn(&error);
        }
        for change in self.consumer.context().take_changes() {
            match change {
                Change::Assigned(partitions) => {
                    for partition in &partitions {
                        self.add(*partition);
                    }
                    (self.deliver)(StreamEvent::Assigned(partitions));
                }
                Change::Revoked(partitions) => {
                    for partition in &partitions {
                        self.slots.remove(partition);
                        self.advisory.remove(partition);
                        self.consumer.context().pauses.forget(*partition);
                    }
                    (self.deliver)(StreamEvent::Revoked(partitions));
                }
            }
        }
    }

    /// Tells of an error of the group, such as a topic that does not exist; the same one again only after a while.
    fn warn(&mut self, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        let told = self
            .warned
            .as_ref()
            .is_some_and(|(last, at)| *last == code && at.elapsed() < WARN_EVERY);
        if !told {
            tracing::warn!(topic = self.config.topic, %error, "the consumer group reports an error; it goes on trying");
            self.warned = Some((code, Instant::now()));
        }
    }

    fn add(&mut self, partition: i32) {
        let queue = PartitionQueue::split(&self.consumer, &self.config.topic, partition);
        let slot = Slot::new(queue, self.config.partition_buffer_bytes);
        self.slots.insert(partition, slot);
    }

    fn list(&self, partition: i32) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.config.topic, partition);
        list
    }

    fn silence(&mut self, partition: i32) {
        if let Err(error) = self.consumer.pause(&self.list(partition)) {
            tracing::warn!(partition, %error, "can't pause");
        }
        if let Some(slot) = self.slots.get_mut(&partition) {
            slot.change(State::Silent);
        }
    }

    /// Seeks the partitions that were told where to start. A seek that fails is tried again on the next round.
    fn start_seeking(&mut self) {
        let seeking: Vec<(i32, i64)> = self
            .slots
            .iter()
            .filter_map(|(partition, slot)| match slot.state {
                State::Seeking { offset } => Some((*partition, offset)),
                _ => None,
            })
            .collect();
        for (partition, offset) in seeking {
            let topic = &self.config.topic;
            let sought = self
                .consumer
                .seek(topic, partition, Offset::Offset(offset), SEEK_TIMEOUT);
            match sought.and_then(|()| self.consumer.resume(&self.list(partition))) {
                Ok(()) => {
                    if let Some(slot) = self.slots.get_mut(&partition) {
                        slot.state = State::Started { expected: offset };
                    }
                }
                Err(error) => tracing::debug!(partition, offset, %error, "seek not possible yet"),
            }
        }
    }

    /// Moves records from queues into blocks and delivers what is full or old enough. False when there was nothing.
    fn drain(&mut self) -> bool {
        let linger = Duration::from_millis(self.config.block_linger_ms);
        let mut any = false;
        let mut lost = Vec::new();
        for (partition, slot) in &mut self.slots {
            let room = slot.budget.used() < self.config.partition_buffer_bytes
                && self.total.used() < self.config.total_buffer_bytes;
            let paused = !room && matches!(slot.state, State::Started { .. });
            if std::mem::replace(&mut slot.paused, paused) != paused {
                self.consumer.context().pauses.change(*partition, paused);
            }
            let drained = if room {
                slot.drain()
            } else {
                Drained::default()
            };
            any |= drained.records > 0;
            if let Some(detail) = drained.out_of_range {
                lost.push((*partition, slot.epoch, detail));
            }
            if let Some(block) = slot.close(*partition, linger, &self.total) {
                (self.deliver)(StreamEvent::Records(block));
            }
        }
        for (partition, epoch, detail) in lost {
            self.silence(partition);
            (self.deliver)(StreamEvent::OutOfRange {
                partition,
                epoch,
                detail,
            });
        }
        any
    }

    /// Sends what was committed to Kafka, now and then, without waiting for the answer.
    fn advise(&mut self, now: bool) {
        if self.advisory.is_empty() || !(now || self.advised_at.elapsed() >= COMMIT_EVERY) {
            return;
        }
        self.advised_at = Instant::now();
        let mut list = TopicPartitionList::new();
        for (partition, next_offset) in std::mem::take(&mut self.advisory) {
            if self.slots.contains_key(&partition) {
                // Only an impossible offset is refused here, and it would only be advice.
                let _ = list.add_partition_offset(
                    &self.config.topic,
                    partition,
                    Offset::Offset(next_offset),
                );
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "advisory offsets were not sent");
        }
    }
}
