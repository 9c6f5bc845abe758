//! The simulated log: what is published of each partition, and a consumer for each process that delivers it as `stream` does, at
//! its worst. Within a start records come in order and without holes; beyond that blocks come late, again, of an earlier start.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use archiver::log::Log;
use archiver::raw::OwnerEvent;
use stream::{RecordBlock, RecordBlockBuilder, StreamError, TopicIdentity};
use tokio::sync::mpsc::UnboundedSender;

use super::chance::Chance;
use super::life::Life;
use super::story::Story;
use super::truth::Truth;

pub(crate) const TOPIC: &str = "game-events";
/// In the alphabet that librdkafka uses, which no path may have.
pub(crate) const TOPIC_ID: &str = "a+b/c";

/// What the broker has.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    pub(crate) truths: Arc<Vec<Truth>>,
    logs: Arc<Mutex<Vec<Extent>>>,
    /// How many records of each partition are kept for the end.
    reserve: Arc<AtomicUsize>,
}

/// Records of each partition that nobody publishes before the end of a run.
const RESERVE: usize = 5;

/// Which records of a partition are there, by their number.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extent {
    /// The records below were removed.
    pub(crate) removed: usize,
    /// The records below are published.
    pub(crate) published: usize,
}

impl Broker {
    pub(crate) fn new(truths: Arc<Vec<Truth>>) -> Self {
        let logs = vec![Extent::default(); truths.len()];
        Self {
            truths,
            logs: Arc::new(Mutex::new(logs)),
            reserve: Arc::new(AtomicUsize::new(RESERVE)),
        }
    }

    fn logs(&self) -> MutexGuard<'_, Vec<Extent>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn extent(&self, partition: usize) -> Extent {
        self.logs()[partition]
    }

    /// How many records a partition may get by now.
    pub(crate) fn most(&self, partition: usize) -> usize {
        let all = self.truths[partition].entries.len();
        all - self.reserve.load(Ordering::Relaxed)
    }

    /// From now on everything may be published.
    pub(crate) fn open_reserve(&self) {
        self.reserve.store(0, Ordering::Relaxed);
    }

    pub(crate) fn publish(&self, partition: usize, records: usize) {
        let most = self.most(partition);
        let log = &mut self.logs()[partition];
        log.published = (log.published + records).min(most);
    }

    /// Removes records as retention does.
    pub(crate) fn remove(&self, partition: usize, records: usize) {
        let log = &mut self.logs()[partition];
        log.removed = (log.removed + records).min(log.published);
    }

    /// The log's first offset: of the oldest record, or where the next one goes if there is none.
    pub(crate) fn first(&self, partition: usize) -> i64 {
        let (extent, truth) = (self.extent(partition), &self.truths[partition]);
        if extent.removed < extent.published {
            truth.entries[extent.removed].offset
        } else {
            truth.end(extent.removed)
        }
    }
}

#[derive(Debug, Default)]
struct Member {
    /// For each assigned partition: its inbox and the start that it is read from.
    slots: BTreeMap<i32, Slot>,
    /// Blocks that were delivered, to deliver them again.
    delivered: Vec<(i32, u64, usize, usize)>,
}

#[derive(Debug)]
struct Slot {
    inbox: UnboundedSender<OwnerEvent>,
    started: Option<(i64, u64)>,
}

/// The consumer of one process. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub(crate) struct Consumer(Arc<Mutex<Member>>, Broker, Chance, Life, Story);

impl Consumer {
    pub(crate) fn new(broker: &Broker, chance: &Chance, life: &Life, story: &Story) -> Self {
        Self(
            Arc::default(),
            broker.clone(),
            chance.clone(),
            life.clone(),
            story.clone(),
        )
    }

    fn member(&self) -> MutexGuard<'_, Member> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn assign(&self, partition: i32, inbox: UnboundedSender<OwnerEvent>) {
        self.member().slots.insert(
            partition,
            Slot {
                inbox,
                started: None,
            },
        );
    }

    pub(crate) fn revoke(&self, partition: i32) {
        self.member().slots.remove(&partition);
    }

    /// Polls for ever, as the poll thread does.
    pub(crate) async fn poll(self) {
        loop {
            tokio::time::sleep(self.2.millis(300)).await;
            self.poll_once();
        }
    }

    fn poll_once(&self) {
        let mut member = self.member();
        let Member { slots, delivered } = &mut *member;
        for (partition, slot) in slots.iter_mut() {
            let Some((position, epoch)) = slot.started else {
                continue;
            };
            let index = partition.unsigned_abs() as usize;
            let (truth, extent) = (&self.1.truths[index], self.1.extent(index));
            let from = truth
                .entries
                .partition_point(|entry| entry.offset < position);
            if from < extent.removed {
                self.4.count("positions out of range");
                slot.started = None;
                let detail = "the offset was removed".to_owned();
                let _ = slot.inbox.send(OwnerEvent::OutOfRange { epoch, detail });
                continue;
            }
            if from >= extent.published || self.2.rarely(200) {
                continue;
            }
            let to = (from + 1 + self.2.index(12)).min(extent.published);
            slot.started = Some((truth.entries[to - 1].offset + 1, epoch));
            delivered.push((*partition, epoch, from, to));
            let _ = slot
                .inbox
                .send(OwnerEvent::Records(self.block(*partition, epoch, from, to)));
        }
        self.deliver_again(&member);
    }

    fn deliver_again(&self, member: &Member) {
        if member.delivered.is_empty() || !self.2.rarely(60) {
            return;
        }
        let (partition, epoch, from, to) = member.delivered[self.2.index(member.delivered.len())];
        if let Some(slot) = member.slots.get(&partition) {
            let current = slot.started.is_some_and(|(_, now)| now == epoch);
            self.4.count(if current {
                "blocks delivered twice"
            } else {
                "blocks of an earlier start"
            });
            let _ = slot
                .inbox
                .send(OwnerEvent::Records(self.block(partition, epoch, from, to)));
        }
    }

    fn block(&self, partition: i32, epoch: u64, from: usize, to: usize) -> RecordBlock {
        let mut builder = RecordBlockBuilder::default();
        for entry in &self.1.truths[partition.unsigned_abs() as usize].entries[from..to] {
            let headers = entry
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref()));
            builder.push(
                entry.offset,
                entry.timestamp_ms,
                entry.key.as_deref(),
                entry.value.as_deref(),
                headers,
            );
        }
        builder.build(partition, epoch)
    }
}

impl Log for Consumer {
    async fn identity(&self) -> Result<TopicIdentity, StreamError> {
        self.3.within(tokio::time::sleep(self.2.millis(50))).await;
        if self.2.rarely(30) {
            let (topic, brokers, detail) = (TOPIC.into(), "simulated".into(), "no answer".into());
            return Err(StreamError::Describe {
                topic,
                brokers,
                detail,
            });
        }
        Ok(TopicIdentity {
            topic_id: TOPIC_ID.into(),
            cluster_id: "cluster".into(),
            partition_count: i32::try_from(self.1.truths.len()).unwrap_or(i32::MAX),
        })
    }

    async fn watermarks(&self, partition: i32) -> Result<(i64, i64), StreamError> {
        self.3.within(tokio::time::sleep(self.2.millis(50))).await;
        let index = partition.unsigned_abs() as usize;
        let end = self.1.truths[index].end(self.1.extent(index).published);
        Ok((self.1.first(index), end))
    }

    fn start(&self, partition: i32, offset: i64, epoch: u64) {
        if let Some(slot) = self.member().slots.get_mut(&partition) {
            slot.started = Some((offset, epoch));
        }
    }

    fn stop(&self, partition: i32) {
        if let Some(slot) = self.member().slots.get_mut(&partition) {
            slot.started = None;
        }
    }

    fn committed(&self, partition: i32, next_offset: i64) {
        self.4
            .note("committed", format!("{partition} up to {next_offset}"));
    }
}
