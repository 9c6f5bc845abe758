//! Stopping a process and letting it go on, as SIGSTOP and SIGCONT do: nothing of it runs meanwhile, and it does not know.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

/// More polls than any run needs: a worker that spins would otherwise stop the clock for ever.
const POLLS: u64 = 2_000_000;

/// Whether a process runs.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) process: i64,
    stopped: AtomicBool,
    open: Notify,
    worker: Mutex<Option<Waker>>,
    polls: AtomicU64,
}

impl Gate {
    pub(crate) fn new(process: i64) -> Self {
        Self {
            process,
            stopped: AtomicBool::new(false),
            open: Notify::new(),
            worker: Mutex::default(),
            polls: AtomicU64::new(0),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn go_on(&self) {
        self.stopped.store(false, Ordering::Relaxed);
        self.open.notify_waiters();
        let waker = self
            .worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        waker.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Returns when the process runs.
    pub(crate) async fn pass(&self) {
        loop {
            let open = self.open.notified();
            if !self.is_stopped() {
                return;
            }
            open.await;
        }
    }
}

/// A future that is polled only while its process runs.
pub(crate) struct Gated<F> {
    pub(crate) gate: std::sync::Arc<Gate>,
    pub(crate) inner: Pin<Box<F>>,
}

impl<F: Future> Future for Gated<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let polls = self.gate.polls.fetch_add(1, Ordering::Relaxed);
        assert!(polls < POLLS, "the worker spins: time stands still");
        if self.gate.is_stopped() {
            let mut waker = self
                .gate
                .worker
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        self.inner.as_mut().poll(context)
    }
}
