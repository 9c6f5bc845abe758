//! The part of the log that Kafka still has, for readers that go over the end of the archive.
//!
//! A member of a group of its own, which nobody else has and which commits nothing: it gets every partition and reads from
//! wherever it is told. A partition is read by one [`KafkaTail`] at a time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use archive::{ArchiveError, LogTail, RecordBuffer};
use stream::{
    Consumer, ConsumerConfig, RecordBlock, StreamError, StreamEvent, TopicIdentity, TopicProbe,
};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How long to wait for an assignment, and for records that the log says are there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reader of a topic, outside of every group that works.
#[derive(Debug, Clone)]
pub struct KafkaTails {
    consumer: Arc<Consumer>,
    probe: Arc<TopicProbe>,
    routes: Arc<Mutex<Routes>>,
}

#[derive(Debug, Default)]
struct Routes {
    assigned: HashSet<i32>,
    inboxes: HashMap<i32, mpsc::UnboundedSender<Heard>>,
}

#[derive(Debug)]
enum Heard {
    Records(RecordBlock),
    OutOfRange(u64, String),
}

impl KafkaTails {
    /// Joins a group of its own.
    ///
    /// # Errors
    /// When the client can't be made.
    pub fn join(config: &ConsumerConfig) -> Result<Self, StreamError> {
        let config = ConsumerConfig {
            group_id: format!("{}.reader-{}", config.group_id, Uuid::now_v7().simple()),
            ..config.clone()
        };
        let routes = Arc::new(Mutex::new(Routes::default()));
        let heard = Arc::clone(&routes);
        let consumer = Consumer::join(&config, move |event| deliver(&heard, event))?;
        Ok(Self {
            consumer: Arc::new(consumer),
            probe: Arc::new(TopicProbe::new(&config)?),
            routes,
        })
    }

    /// Which log the topic is now.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn identity(&self) -> Result<TopicIdentity, StreamError> {
        let probe = Arc::clone(&self.probe);
        blocking(move || probe.identity()).await
    }

    /// The tail of a partition.
    #[must_use]
    pub fn partition(&self, partition: i32) -> KafkaTail {
        KafkaTail {
            tails: self.clone(),
            partition,
            epoch: 0,
            inbox: None,
            position: None,
        }
    }
}

async fn blocking<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> T {
    let answer = tokio::task::spawn_blocking(question).await;
    answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn deliver(routes: &Mutex<Routes>, event: StreamEvent) {
    let mut routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
    let send = |routes: &Routes, partition: i32, heard: Heard| {
        if let Some(inbox) = routes.inboxes.get(&partition) {
            // A tail that was dropped takes no more.
            let _ = inbox.send(heard);
        }
    };
    match event {
        StreamEvent::Assigned(partitions) => routes.assigned.extend(partitions),
        StreamEvent::Revoked(partitions) => {
            routes
                .assigned
                .retain(|partition| !partitions.contains(partition));
        }
        StreamEvent::Records(block) => send(&routes, block.partition(), Heard::Records(block)),
        StreamEvent::OutOfRange {
            partition,
            epoch,
            detail,
        } => {
            send(&routes, partition, Heard::OutOfRange(epoch, detail));
        }
    }
}

/// The tail of one partition.
#[derive(Debug)]
pub struct KafkaTail {
    tails: KafkaTails,
    partition: i32,
    epoch: u64,
    inbox: Option<mpsc::UnboundedReceiver<Heard>>,
    /// The next offset of the current start.
    position: Option<i64>,
}

impl KafkaTail {
    fn failed(&self, reason: impl std::fmt::Display) -> ArchiveError {
        ArchiveError::Log {
            partition: self.partition,
            reason: reason.to_string(),
        }
    }

    /// Reads from `from` on: waits for the assignment and starts there.
    async fn start(&mut self, from: i64) -> archive::Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.is_assigned() {
            if tokio::time::Instant::now() >= deadline {
                return Err(self.failed("Kafka gives no assignment"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (outlet, inbox) = mpsc::unbounded_channel();
        let mut routes = self
            .tails
            .routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        routes.inboxes.insert(self.partition, outlet);
        drop(routes);
        self.inbox = Some(inbox);
        self.epoch += 1;
        self.position = Some(from);
        self.tails.consumer.start(self.partition, from, self.epoch);
        Ok(())
    }

    fn is_assigned(&self) -> bool {
        let routes = self
            .tails
            .routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        routes.assigned.contains(&self.partition)
    }

    /// The next records of the current start.
    async fn next(&mut self) -> archive::Result<RecordBuffer> {
        loop {
            let inbox = self.inbox.as_mut();
            let heard = match inbox {
                Some(inbox) => tokio::time::timeout(PATIENCE, inbox.recv()).await,
                None => Ok(None),
            };
            match heard {
                Ok(Some(Heard::Records(block))) if block.epoch() == self.epoch => {
                    let records = copied(&block);
                    self.position = records.next_offset();
                    return Ok(records);
                }
                Ok(Some(Heard::OutOfRange(epoch, detail))) if epoch == self.epoch => {
                    self.position = None;
                    return Err(self.failed(detail));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err(self.failed("the consumer ended")),
                Err(_) => {
                    self.position = None;
                    return Err(self.failed(format!(
                        "Kafka says there are more records and gave none for {PATIENCE:?}"
                    )));
                }
            }
        }
    }
}

fn copied(block: &RecordBlock) -> RecordBuffer {
    let mut records = RecordBuffer::default();
    for record in block.records() {
        records.push(&archive::Record {
            offset: record.offset(),
            timestamp_ms: record.timestamp_ms(),
            key: record.key(),
            value: record.value(),
            headers: record.headers(),
        });
    }
    records
}

impl LogTail for KafkaTail {
    async fn bounds(&mut self) -> archive::Result<(i64, i64)> {
        let (probe, partition) = (Arc::clone(&self.tails.probe), self.partition);
        let bounds = blocking(move || probe.watermarks(partition)).await;
        bounds.map_err(|error| self.failed(error))
    }

    async fn read(&mut self, from: i64) -> archive::Result<Option<RecordBuffer>> {
        let (_, end) = self.bounds().await?;
        if from >= end {
            return Ok(None);
        }
        if self.position != Some(from) {
            self.start(from).await?;
        }
        self.next().await.map(Some)
    }
}

impl Drop for KafkaTail {
    fn drop(&mut self) {
        self.tails.consumer.stop(self.partition);
        let mut routes = self
            .tails
            .routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        routes.inboxes.remove(&self.partition);
    }
}
