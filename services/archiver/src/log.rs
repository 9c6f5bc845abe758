//! What an owner of a partition needs from Kafka, as a seam: the simulator brings a log of its own.

use std::future::Future;
use std::sync::Arc;

use stream::{Consumer, StreamError, TopicIdentity, TopicProbe};

/// The log as an owner sees it. Its records come in through the owner's inbox.
pub trait Log: std::fmt::Debug + Send + Sync + 'static {
    /// Which log the topic is now.
    ///
    /// # Errors
    /// When no broker answers.
    fn identity(&self) -> impl Future<Output = Result<TopicIdentity, StreamError>> + Send;

    /// The offsets of a partition's oldest record and of the one after its newest.
    ///
    /// # Errors
    /// When no broker answers.
    fn watermarks(
        &self,
        partition: i32,
    ) -> impl Future<Output = Result<(i64, i64), StreamError>> + Send;

    /// Reads a partition from `offset` on; its blocks carry `epoch`.
    fn start(&self, partition: i32, offset: i64, epoch: u64);

    /// Makes a partition silent.
    fn stop(&self, partition: i32);

    /// Tells how far a partition is archived, for lag tools.
    fn committed(&self, partition: i32, next_offset: i64);
}

/// The log in Kafka.
#[derive(Debug, Clone)]
pub struct KafkaLog {
    consumer: Arc<Consumer>,
    probe: Arc<TopicProbe>,
}

impl KafkaLog {
    /// The log behind a member of the group.
    #[must_use]
    pub fn new(consumer: Arc<Consumer>, probe: Arc<TopicProbe>) -> Self {
        Self { consumer, probe }
    }

    /// Runs a blocking question off the runtime's threads.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&TopicProbe) -> Result<T, StreamError> + Send + 'static,
    ) -> Result<T, StreamError> {
        let probe = Arc::clone(&self.probe);
        let answer = tokio::task::spawn_blocking(move || question(&probe)).await;
        answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

impl Log for KafkaLog {
    async fn identity(&self) -> Result<TopicIdentity, StreamError> {
        self.ask(TopicProbe::identity).await
    }

    async fn watermarks(&self, partition: i32) -> Result<(i64, i64), StreamError> {
        self.ask(move |probe| probe.watermarks(partition)).await
    }

    fn start(&self, partition: i32, offset: i64, epoch: u64) {
        self.consumer.start(partition, offset, epoch);
    }

    fn stop(&self, partition: i32) {
        self.consumer.stop(partition);
    }

    fn committed(&self, partition: i32, next_offset: i64) {
        self.consumer.committed(partition, next_offset);
    }
}
