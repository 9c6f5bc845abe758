//! A database that accepts a connection and never answers: the worker's other work goes on meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ingestor::games::FoldPolicy;
use ingestor::ledger::{Ledger, PostgresReader, PostgresWriter};
use ingestor::log::Log;
use ingestor::worker::{Progress, Worker, WorkerEvent};
use store::StoreError;
use stream::{StreamError, TopicIdentity};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Counts how often it is asked for sessions, and never gives one.
#[derive(Debug, Clone, Default)]
struct Silent(Arc<AtomicUsize>);

impl Ledger for Silent {
    type Writer = PostgresWriter;
    type Reader = PostgresReader;

    async fn open(&self) -> Result<(PostgresWriter, PostgresReader), StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }
}

#[derive(Debug)]
struct NoLog;

impl Log for NoLog {
    fn topic(&self) -> &str {
        "game-events"
    }

    async fn identity(&self) -> Result<TopicIdentity, StreamError> {
        unreachable!("there is nothing to claim with")
    }

    async fn first_offset(&self, _partition: i32) -> Result<i64, StreamError> {
        unreachable!("there is nothing to claim with")
    }

    fn start(&self, _partition: i32, _offset: i64, _epoch: u64) {}

    fn stop(&self, _partition: i32) {}

    fn committed(&self, _partition: i32, _next_offset: i64) {}
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_database_does_not_answer_hears_what_becomes_of_its_partitions_and_ends_when_told()
 {
    let (ledger, progress) = (Silent::default(), Arc::new(Progress::default()));
    let worker = Worker::new(
        "games",
        FoldPolicy::default(),
        ledger.clone(),
        NoLog,
        Arc::clone(&progress),
    );
    let (inbox, events) = mpsc::unbounded_channel();
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(worker.run(events, shutdown.clone()));
    inbox.send(WorkerEvent::Assigned(3)).unwrap();
    inbox.send(WorkerEvent::Assigned(4)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(progress.all().into_keys().collect::<Vec<_>>(), [3, 4]);
    inbox.send(WorkerEvent::Revoked(3)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(progress.all().into_keys().collect::<Vec<_>>(), [4]);
    assert_eq!(
        ledger.0.load(Ordering::Relaxed),
        1,
        "it is asked once at a time"
    );
    shutdown.cancel();
    timeout(Duration::from_secs(1), worker)
        .await
        .unwrap()
        .unwrap();
}
