//! The job as a process runs it: a consumer for each topic, an owner for each partition that it is given, and somebody who tells
//! health and metrics how they stand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use archive::{ArchiveStore, TopicName};
use service::{HealthState, Shutdown};
use stream::{Consumer, ConsumerConfig, StreamEvent, TopicProbe};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::owner::{Owner, OwnerEvent};
use super::progress::{Phase, Progress};
use super::{MemoryBudget, RawPolicy, WriterId};
use crate::log::KafkaLog;
use crate::metrics;

/// The name of the job in health.
pub(crate) const JOB: &str = "raw";
/// How often health and metrics are told.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// How long leaving a group may take.
const LEAVE_WAIT: Duration = Duration::from_secs(10);

/// What the job is made of.
#[derive(Debug, Clone)]
pub struct RawJob {
    /// The archive.
    pub store: ArchiveStore,
    /// A consumer for each topic.
    pub consumers: Vec<ConsumerConfig>,
    /// The figures.
    pub policy: Arc<RawPolicy>,
    /// The memory of the process, in bytes.
    pub memory_bytes: usize,
    /// A partition with more unread records than this is catching up.
    pub catching_up_records: i64,
}

/// Runs the job until shutdown, and returns when every last batch is in the archive.
///
/// # Errors
/// When a consumer can't be made, or ended by itself.
pub async fn run(job: RawJob, health: &HealthState, shutdown: &Shutdown) -> anyhow::Result<()> {
    let memory = MemoryBudget::new(job.memory_bytes);
    memory.follow()?;
    let (progress, writer) = (Progress::default(), WriterId::random());
    let mut tasks = JoinSet::new();
    let mut consumers = BTreeMap::new();
    for config in &job.consumers {
        let (sender, events) = mpsc::unbounded_channel();
        let consumer = Consumer::join(config, move |event| {
            // Topics that have ended at shutdown take no more.
            let _ = sender.send(event);
        });
        let consumer = Arc::new(consumer?);
        let probe = Arc::new(TopicProbe::new(config)?);
        let topic = Topic {
            name: TopicName::parse(&config.topic)?,
            log: KafkaLog::new(Arc::clone(&consumer), probe),
            store: job.store.clone(),
            policy: Arc::clone(&job.policy),
            memory: memory.clone(),
            progress: progress.clone(),
            writer: writer.clone(),
        };
        tasks.spawn(topic.run(events, shutdown.clone()));
        consumers.insert(config.topic.clone(), consumer);
    }
    let watch = watch(job, consumers.clone(), progress, memory, health.clone());
    let watch = tokio::spawn(watch);
    while let Some(ended) = tasks.join_next().await {
        ended.context("the archiving of a topic ended unexpectedly")?;
        if !shutdown.is_requested() {
            anyhow::bail!("a consumer ended although nobody asked it to; see the log above");
        }
    }
    watch.abort();
    // The watch holds handles too; then leaving waits for the broker's answer, and not on the runtime's threads.
    let _ = watch.await;
    let leave = tokio::task::spawn_blocking(move || drop(consumers));
    let _ = tokio::time::timeout(LEAVE_WAIT, leave).await;
    Ok(())
}

/// One topic and the owners of its partitions.
struct Topic {
    name: TopicName,
    log: KafkaLog,
    store: ArchiveStore,
    policy: Arc<RawPolicy>,
    memory: MemoryBudget,
    progress: Progress,
    writer: WriterId,
}

struct Owned {
    inbox: mpsc::UnboundedSender<OwnerEvent>,
    task: AbortHandle,
}

impl Topic {
    /// Hands the consumer's events to owners until shutdown, then waits for their last batches.
    async fn run(self, mut events: mpsc::UnboundedReceiver<StreamEvent>, shutdown: Shutdown) {
        let mut tasks = JoinSet::new();
        let mut owners = BTreeMap::new();
        loop {
            let event = tokio::select! {
                () = shutdown.requested() => break,
                event = events.recv() => match event {
                    Some(event) => event,
                    None => break,
                },
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    // A defect in one owner must not leave its partition unarchived in silence: the process ends and says so.
                    if let Err(error) = ended
                        && error.is_panic()
                    {
                        std::panic::resume_unwind(error.into_panic());
                    }
                    continue;
                }
            };
            self.dispatch(event, &mut owners, &mut tasks, &shutdown);
        }
        // Owners end by themselves at shutdown; their inboxes stay open so that they may finish.
        while tasks.join_next().await.is_some() {}
    }

    fn dispatch(
        &self,
        event: StreamEvent,
        owners: &mut BTreeMap<i32, Owned>,
        tasks: &mut JoinSet<()>,
        shutdown: &Shutdown,
    ) {
        let send = |owners: &BTreeMap<i32, Owned>, partition: i32, event: OwnerEvent| {
            if let Some(owned) = owners.get(&partition) {
                // An owner that has ended takes no more.
                let _ = owned.inbox.send(event);
            }
        };
        match event {
            StreamEvent::Assigned(partitions) => {
                for partition in partitions {
                    tracing::info!(topic = %self.name, partition, "assigned");
                    let (inbox, events) = mpsc::unbounded_channel();
                    let owner = self.owner(partition);
                    let task = tasks.spawn(owner.run(events, shutdown.token()));
                    if let Some(before) = owners.insert(partition, Owned { inbox, task }) {
                        before.task.abort();
                    }
                }
            }
            StreamEvent::Revoked(partitions) => {
                for partition in partitions {
                    tracing::info!(topic = %self.name, partition, "revoked");
                    if let Some(before) = owners.remove(&partition) {
                        before.task.abort();
                    }
                    self.progress.remove(self.name.as_str(), partition);
                }
            }
            StreamEvent::Records(block) => {
                send(owners, block.partition(), OwnerEvent::Records(block));
            }
            StreamEvent::OutOfRange {
                partition,
                epoch,
                detail,
            } => {
                send(owners, partition, OwnerEvent::OutOfRange { epoch, detail });
            }
        }
    }

    fn owner(&self, partition: i32) -> Owner<KafkaLog> {
        self.progress.update(self.name.as_str(), partition, |_| {});
        Owner {
            log: self.log.clone(),
            store: self.store.clone(),
            topic: self.name.clone(),
            partition,
            policy: Arc::clone(&self.policy),
            memory: self.memory.clone(),
            progress: self.progress.clone(),
            writer: self.writer.clone(),
            seed: rand::random(),
        }
    }
}

/// Tells health and metrics how the partitions stand, for ever.
async fn watch(
    job: RawJob,
    consumers: BTreeMap<String, Arc<Consumer>>,
    progress: Progress,
    memory: MemoryBudget,
    health: HealthState,
) {
    let mut ticks = tokio::time::interval(TELL_EVERY);
    let mut joined = false;
    loop {
        ticks.tick().await;
        let all = progress.all();
        joined |= !all.is_empty();
        metrics::memory(memory.used(), memory.beside());
        let (mut stopped, mut trouble, mut behind) = (Vec::new(), None, 0);
        for ((topic, partition), told) in &all {
            let high = consumers
                .get(topic)
                .and_then(|consumer| consumer.high_watermark(*partition));
            let lag = told
                .archived_to
                .zip(high)
                .map(|(end, high)| (high - end).max(0));
            metrics::progress(topic, *partition, told, lag);
            stopped.extend(
                told.stopped
                    .map(|reason| format!("{topic}/{partition}: {reason}")),
            );
            trouble = trouble.or(told.trouble.clone());
            let far = lag.is_some_and(|lag| lag > job.catching_up_records);
            behind += usize::from(told.phase == Phase::Claiming || far);
        }
        if !stopped.is_empty() {
            health.broken(
                JOB,
                format!("stopped: {}; the log says what to do", stopped.join(", ")),
            );
        } else if let Some(trouble) = trouble {
            health.broken(JOB, trouble);
        } else if !joined {
            health.starting(
                JOB,
                "no partition was assigned yet: is Kafka reachable, and do the topics exist?",
            );
        } else if behind > 0 {
            health.catching_up(JOB, format!("{behind} of {} partitions", all.len()));
        } else {
            health.ready(JOB);
        }
    }
}
