//! The simulated log: what is published, and a consumer for each process that delivers it as `stream` does, at its worst.
//!
//! Within a start (an epoch) records come in order and without holes. Beyond that anything goes: blocks of any size, again,
//! late, of an earlier start; commands that are obeyed later; a group that tells its members late or not at all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ingestor::log::Log;
use ingestor::worker::WorkerEvent;
use stream::{RecordBlock, RecordBlockBuilder, StreamError, TopicIdentity};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::gate::Gate;
use super::server::Server;

pub(crate) const TOPIC: &str = "game-events";
pub(crate) const TOPIC_ID: &str = "topic-id";

/// What is published of each partition, in records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published(Arc<Mutex<Vec<usize>>>);

impl Published {
    pub(crate) fn nothing(partitions: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![0; partitions])))
    }

    fn all(&self) -> MutexGuard<'_, Vec<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn publish(&self, partition: usize, records: usize) {
        self.all()[partition] += records;
    }

    pub(crate) fn of(&self, partition: usize) -> usize {
        self.all()[partition]
    }
}

#[derive(Debug, Clone, Copy)]
enum Command {
    Start {
        partition: i32,
        offset: i64,
        epoch: u64,
    },
    Stop(i32),
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    epoch: u64,
    /// The next offset to deliver, once started.
    expected: Option<i64>,
}

/// A stretch of records that was delivered, to deliver it again.
#[derive(Debug, Clone, Copy)]
struct Delivered {
    partition: i32,
    epoch: u64,
    from: usize,
    to: usize,
}

/// What the group has decided about a member.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Assigned(i32),
    Revoked(i32),
}

#[derive(Debug, Default)]
struct Member {
    slots: BTreeMap<i32, Slot>,
    commands: VecDeque<Command>,
    changes: VecDeque<(Instant, Change)>,
    delivered: Vec<Delivered>,
}

/// The consumer of one process. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub(crate) struct SimLog {
    member: Arc<Mutex<Member>>,
    published: Published,
    server: Server,
    gate: Arc<Gate>,
    largest_block: usize,
}

impl SimLog {
    pub(crate) fn new(
        published: Published,
        server: Server,
        gate: Arc<Gate>,
        largest_block: usize,
    ) -> Self {
        Self {
            member: Arc::default(),
            published,
            server,
            gate,
            largest_block,
        }
    }

    fn member(&self) -> MutexGuard<'_, Member> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The member will learn of this no sooner than after `delay`, and after everything before it.
    pub(crate) fn tell(&self, change: Change, delay: Duration) {
        self.member()
            .changes
            .push_back((Instant::now() + delay, change));
    }

    /// Everything that the member has not learnt yet reaches it now.
    pub(crate) fn tell_all_now(&self) {
        let now = Instant::now();
        self.member()
            .changes
            .iter_mut()
            .for_each(|(at, _)| *at = now);
    }

    /// Polls for ever, as the poll thread does.
    pub(crate) async fn poll(self, inbox: UnboundedSender<WorkerEvent>) {
        loop {
            let pause = self.server.dice.roll(|random| random.ms(1, 150));
            tokio::time::sleep(pause).await;
            self.gate.pass().await;
            for event in self.poll_once() {
                // The worker may have ended.
                let _ = inbox.send(event);
            }
        }
    }

    fn poll_once(&self) -> Vec<WorkerEvent> {
        let mut member = self.member();
        let mut events = Vec::new();
        let now = Instant::now();
        while let Some(command) = member.commands.pop_front() {
            obey(&mut member, command);
        }
        while member.changes.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, change)) = member.changes.pop_front() else {
                break;
            };
            match change {
                Change::Assigned(partition) => {
                    let slot = Slot {
                        epoch: 0,
                        expected: None,
                    };
                    member.slots.insert(partition, slot);
                    events.push(WorkerEvent::Assigned(partition));
                }
                Change::Revoked(partition) => {
                    member.slots.remove(&partition);
                    events.push(WorkerEvent::Revoked(partition));
                }
            }
        }
        self.deliver(&mut member, &mut events);
        self.deliver_again(&member, &mut events);
        events
    }

    fn deliver(&self, member: &mut Member, events: &mut Vec<WorkerEvent>) {
        let Member {
            slots, delivered, ..
        } = member;
        for (partition, slot) in slots {
            let Some(expected) = &mut slot.expected else {
                continue;
            };
            let truth = self.server.judge.truth(*partition);
            let published = self.published.of(partition.unsigned_abs() as usize);
            let from = truth.below(*expected);
            if from >= published || self.server.dice.roll(|random| random.chance(20)) {
                continue;
            }
            let records = 1 + self
                .server
                .dice
                .roll(|random| random.below(self.largest_block));
            let part = Delivered {
                partition: *partition,
                epoch: slot.epoch,
                from,
                to: (from + records).min(published),
            };
            *expected = truth.entries[part.to - 1].offset + 1;
            events.push(WorkerEvent::Records(self.block(part)));
            delivered.push(part);
        }
    }

    fn deliver_again(&self, member: &Member, events: &mut Vec<WorkerEvent>) {
        let dice = &self.server.dice;
        let again = self.server.faults().delivered_again;
        if member.delivered.is_empty() || !dice.roll(|random| random.chance(again)) {
            return;
        }
        let recent = member.delivered.len().min(12);
        let place = member.delivered.len() - 1 - dice.roll(|random| random.below(recent));
        let part = member.delivered[place];
        let epoch = member.slots.get(&part.partition).map(|slot| slot.epoch);
        if epoch == Some(part.epoch) {
            self.server.counts.add("blocks delivered twice");
        } else {
            self.server.counts.add("blocks of an earlier start");
            if dice.roll(|random| random.chance(20)) {
                events.push(WorkerEvent::OutOfRange {
                    partition: part.partition,
                    epoch: part.epoch,
                    detail: "the earlier start can't be read".into(),
                });
            }
        }
        events.push(WorkerEvent::Records(self.block(part)));
    }

    fn block(&self, part: Delivered) -> RecordBlock {
        let mut builder = RecordBlockBuilder::default();
        let truth = self.server.judge.truth(part.partition);
        for entry in &truth.entries[part.from..part.to] {
            builder.push(
                entry.offset,
                None,
                entry.key.as_deref(),
                entry.value.as_deref(),
                std::iter::empty(),
            );
        }
        builder.build(part.partition, part.epoch)
    }
}

fn obey(member: &mut Member, command: Command) {
    match command {
        Command::Start {
            partition,
            offset,
            epoch,
        } => {
            if let Some(slot) = member.slots.get_mut(&partition) {
                *slot = Slot {
                    epoch,
                    expected: Some(offset),
                };
            }
        }
        Command::Stop(partition) => {
            if let Some(slot) = member.slots.get_mut(&partition) {
                slot.expected = None;
            }
        }
    }
}

impl Log for SimLog {
    fn topic(&self) -> &str {
        TOPIC
    }

    async fn identity(&self) -> Result<TopicIdentity, StreamError> {
        let faults = self.server.faults();
        let (pause, silent) = self.server.dice.roll(|random| {
            let pause = random.ms(0, faults.slow_ms.min(300));
            (pause, random.rarely(faults.session_lost))
        });
        tokio::time::sleep(pause).await;
        self.gate.pass().await;
        if silent {
            return Err(StreamError::Describe {
                topic: TOPIC.into(),
                brokers: "simulated".into(),
                detail: "no answer".into(),
            });
        }
        Ok(TopicIdentity {
            topic_id: TOPIC_ID.into(),
            cluster_id: "cluster".into(),
            partition_count: i32::try_from(self.server.judge.truths.len()).unwrap_or(i32::MAX),
        })
    }

    async fn first_offset(&self, partition: i32) -> Result<i64, StreamError> {
        self.gate.pass().await;
        Ok(self.server.judge.truth(partition).bounds().0)
    }

    fn start(&self, partition: i32, offset: i64, epoch: u64) {
        self.member().commands.push_back(Command::Start {
            partition,
            offset,
            epoch,
        });
    }

    fn stop(&self, partition: i32) {
        self.member().commands.push_back(Command::Stop(partition));
    }

    fn committed(&self, _partition: i32, _next_offset: i64) {}
}
