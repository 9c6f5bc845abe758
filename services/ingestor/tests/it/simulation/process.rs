//! A simulated process: the product's worker, its consumer, and the ways it ends.

use std::sync::Arc;

use ingestor::games::FoldPolicy;
use ingestor::worker::{Progress, Worker};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::broker::{Published, SimLog};
use super::gate::{Gate, Gated};
use super::ledger::SimLedger;
use super::server::Server;

/// A process with one worker.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) id: i64,
    pub(crate) gate: Arc<Gate>,
    pub(crate) log: SimLog,
    worker: JoinHandle<()>,
    poll: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Process {
    pub(crate) fn start(
        id: i64,
        server: &Server,
        published: &Published,
        policy: &FoldPolicy,
        largest_block: usize,
    ) -> Self {
        let gate = Arc::new(Gate::new(id));
        let log = SimLog::new(
            published.clone(),
            server.clone(),
            Arc::clone(&gate),
            largest_block,
        );
        let ledger = SimLedger {
            server: server.clone(),
            gate: Arc::clone(&gate),
        };
        let worker = Worker::new(
            "games",
            policy.clone(),
            ledger,
            log.clone(),
            Arc::new(Progress::default()),
        );
        let worker = worker.with_jitter_seed(server.dice.roll(|random| random.number()));
        let (inbox, events) = mpsc::unbounded_channel();
        let shutdown = CancellationToken::new();
        let worker = Gated {
            gate: Arc::clone(&gate),
            inner: Box::pin(worker.run(events, shutdown.clone())),
        };
        server.trace.note("process started", [("process", id)]);
        Self {
            id,
            gate,
            worker: tokio::spawn(worker),
            poll: tokio::spawn(log.clone().poll(inbox)),
            log,
            shutdown,
        }
    }

    /// Ends it as SIGKILL does, wherever it stands.
    pub(crate) fn kill(&self) {
        self.worker.abort();
        self.poll.abort();
    }

    /// Asks it to end.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.worker.is_finished()
    }

    /// Waits for its end; what a panic said.
    pub(crate) async fn ended(self) -> Result<(), String> {
        self.poll.abort();
        match self.worker.await {
            Err(error) if error.is_panic() => {
                let panic = error.into_panic();
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                Err(format!("a worker panicked: {}", text.unwrap_or("?")))
            }
            _ => Ok(()),
        }
    }
}
