//! Looks at a pipeline from outside while it works: how far its checkpoints are, and how far the log is.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::stack::{self, Endpoints};

const EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

/// One look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) at: Instant,
    /// Records below the checkpoints of all partitions together.
    pub(super) committed: i64,
    /// Records in the log.
    pub(super) produced: i64,
}

/// Looks at one pipeline.
pub(super) struct Watch {
    database: tokio_postgres::Client,
    log: BaseConsumer,
    topic: String,
    partitions: Vec<i32>,
}

impl Watch {
    /// # Errors
    /// Kafka or PostgreSQL does not answer.
    pub(super) async fn new(endpoints: &Endpoints) -> anyhow::Result<Self> {
        let log: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &endpoints.kafka)
            .create()?;
        let metadata = log.fetch_metadata(Some(&endpoints.topic), PATIENCE)?;
        let partitions = metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions())
            .map(|p| p.id())
            .collect();
        Ok(Self {
            database: stack::connect(&endpoints.postgres).await?,
            log,
            topic: endpoints.topic.clone(),
            partitions,
        })
    }

    /// Waits until the ingestor owns every partition.
    ///
    /// # Errors
    /// It does not within a minute.
    pub(super) async fn until_claimed(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let claimed: i64 = self
                .database
                .query_one("SELECT count(*) FROM stream_checkpoints", &[])
                .await?
                .get(0);
            if usize::try_from(claimed).is_ok_and(|claimed| claimed == self.partitions.len()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "the ingestor owns {claimed} of {} partitions after a minute",
                    self.partitions.len()
                );
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn committed(&self) -> anyhow::Result<i64> {
        let sum = "SELECT coalesce(sum(next_offset), 0)::bigint FROM stream_checkpoints";
        Ok(self.database.query_one(sum, &[]).await?.get(0))
    }

    /// Records in the log now.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub(super) fn produced(&self) -> anyhow::Result<i64> {
        tokio::task::block_in_place(|| {
            self.partitions.iter().try_fold(0, |sum, partition| {
                let (_, high) = self
                    .log
                    .fetch_watermarks(&self.topic, *partition, PATIENCE)?;
                Ok(sum + high)
            })
        })
    }

    async fn look(&self, produced: Option<i64>) -> anyhow::Result<Sample> {
        let committed = self.committed().await?;
        Ok(Sample {
            at: Instant::now(),
            committed,
            produced: produced.map_or_else(|| self.produced(), Ok)?,
        })
    }

    /// Looks until everything that is in the log now is committed.
    ///
    /// # Errors
    /// Nothing was committed for a minute.
    pub(super) async fn until_caught_up(&self) -> anyhow::Result<Vec<Sample>> {
        let end = self.produced()?;
        let mut samples: Vec<Sample> = Vec::new();
        let (mut moved_at, mut last) = (Instant::now(), -1);
        loop {
            let sample = self.look(Some(end)).await?;
            samples.push(sample);
            if sample.committed >= end {
                return Ok(samples);
            }
            if sample.committed != last {
                (moved_at, last) = (sample.at, sample.committed);
            }
            if moved_at.elapsed() > Duration::from_secs(60) {
                bail!(
                    "nothing was committed for a minute; {} of {end} records are",
                    sample.committed
                );
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Looks until it is told to stop.
    pub(super) fn watching(self) -> Watching {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut samples = Vec::new();
            while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                samples.push(self.look(None).await?);
                tokio::time::sleep(EVERY).await;
            }
            Ok((self, samples))
        });
        Watching { stop, task }
    }
}

/// A watch that goes on beside other work.
pub(super) struct Watching {
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<(Watch, Vec<Sample>)>>,
}

impl Watching {
    /// Ends the watch and gives what it saw.
    ///
    /// # Errors
    /// A look failed.
    pub(super) async fn finish(self) -> anyhow::Result<(Watch, Vec<Sample>)> {
        // A watch that failed has ended already, and says why below.
        let _ = self.stop.send(());
        self.task.await.context("the watch broke off")?
    }
}

/// Records a second between the first and the last look at which something had been committed and something was left.
pub(super) fn committed_per_second(samples: &[Sample]) -> f64 {
    let Some(first) = samples.iter().find(|sample| sample.committed > 0) else {
        return 0.0;
    };
    let most = samples.last().map_or(0, |last| last.committed);
    let Some(last) = samples.iter().find(|sample| sample.committed >= most) else {
        return 0.0;
    };
    (last.committed - first.committed) as f64 / (last.at - first.at).as_secs_f64().max(1e-3)
}
