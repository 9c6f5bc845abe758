//! A simulated archiver: the product's owners over a log and a store of the simulation's.

use std::collections::BTreeMap;
use std::sync::Arc;

use archive::{ArchiveStore, TopicName};
use archiver::raw::{MemoryBudget, Owner, Progress, RawPolicy, WriterId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::broker::{Broker, Consumer, TOPIC};
use super::bucket::{Bucket, Connection};
use super::life::Life;

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) id: u64,
    pub(crate) life: Life,
    consumer: Consumer,
    store: ArchiveStore,
    policy: Arc<RawPolicy>,
    memory: MemoryBudget,
    writer: WriterId,
    bucket: Bucket,
    poll: JoinHandle<()>,
    owners: BTreeMap<usize, JoinHandle<()>>,
    shutdown: CancellationToken,
}

impl Process {
    pub(crate) fn start(
        id: u64,
        broker: &Broker,
        bucket: &Bucket,
        policy: &Arc<RawPolicy>,
        memory: usize,
    ) -> Self {
        let life = Life::default();
        let consumer = Consumer::new(broker, &bucket.chance, &life, &bucket.story);
        let poll = tokio::spawn(life.within(consumer.clone().poll()));
        let connection = Connection::new(bucket, &life);
        bucket.story.note("process started", id);
        Self {
            id,
            life,
            consumer,
            store: ArchiveStore::over(Arc::new(connection), "simulated"),
            policy: Arc::clone(policy),
            memory: MemoryBudget::new(memory),
            writer: WriterId::new(Uuid::from_u64_pair(id, bucket.chance.number())),
            bucket: bucket.clone(),
            poll,
            owners: BTreeMap::new(),
            shutdown: CancellationToken::new(),
        }
    }

    pub(crate) fn assign(&mut self, partition: usize) {
        let number = i32::try_from(partition).expect("few partitions");
        let (inbox, events) = mpsc::unbounded_channel();
        let owner = Owner {
            log: self.consumer.clone(),
            store: self.store.clone(),
            topic: TopicName::parse(TOPIC).expect("a topic"),
            partition: number,
            policy: Arc::clone(&self.policy),
            memory: self.memory.clone(),
            progress: Progress::default(),
            writer: self.writer.clone(),
            seed: self.bucket.chance.number(),
        };
        self.consumer.assign(number, inbox);
        let task = tokio::spawn(self.life.within(owner.run(events, self.shutdown.clone())));
        if let Some(before) = self.owners.insert(partition, task) {
            before.abort();
        }
    }

    pub(crate) fn revoke(&mut self, partition: usize) {
        self.consumer
            .revoke(i32::try_from(partition).expect("few partitions"));
        if let Some(owner) = self.owners.remove(&partition) {
            owner.abort();
        }
    }

    /// Ends it as SIGKILL does, wherever it stands. What it has sent is on its way.
    pub(crate) fn kill(&self) {
        self.poll.abort();
        self.owners.values().for_each(JoinHandle::abort);
    }

    /// The files that it has put.
    pub(crate) fn files(&self) -> Vec<String> {
        let mark = format!("-{}-", self.writer.id().simple());
        self.bucket.files_with(&mark)
    }

    /// Asks it to end.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// What a panic of one of its tasks said; none while all is well.
    pub(crate) async fn panicked(&mut self) -> Option<String> {
        for owner in self.owners.values_mut() {
            if !owner.is_finished() {
                continue;
            }
            if let Err(error) = owner.await
                && error.is_panic()
            {
                let panic = error.into_panic();
                let text = panic.downcast_ref::<String>().map(String::as_str);
                return Some(
                    text.or_else(|| panic.downcast_ref::<&str>().copied())
                        .unwrap_or("?")
                        .to_owned(),
                );
            }
        }
        self.owners.retain(|_, owner| !owner.is_finished());
        None
    }
}
