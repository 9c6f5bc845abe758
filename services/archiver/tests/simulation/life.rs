//! The life of a simulated process: it can be stopped and go on without knowing, as SIGSTOP and SIGCONT do, and be killed.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// More polls than any run needs: a task that spins would otherwise stop the clock for ever.
const MOST_POLLS: u64 = 3_000_000;

/// Whether a process runs. Clones are the same process's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stopped: AtomicBool,
    polls: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

impl Life {
    pub(crate) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn go_on(&self) {
        self.0.stopped.store(false, Ordering::Relaxed);
        let waiting = std::mem::take(
            &mut *self
                .0
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Relaxed)
    }

    /// A future that is polled only while the process runs.
    pub(crate) fn within<F: Future>(&self, inner: F) -> Within<F> {
        Within {
            life: self.clone(),
            inner: Box::pin(inner),
        }
    }
}

/// See [`Life::within`].
pub(crate) struct Within<F> {
    life: Life,
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let polls = self.life.0.polls.fetch_add(1, Ordering::Relaxed);
        assert!(polls < MOST_POLLS, "a task spins: time stands still");
        if self.life.is_stopped() {
            let mut waiting = self
                .life
                .0
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            waiting.push(context.waker().clone());
            return Poll::Pending;
        }
        self.inner.as_mut().poll(context)
    }
}
