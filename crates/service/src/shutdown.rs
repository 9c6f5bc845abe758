//! One request to stop, known everywhere in the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The process's request to stop. Clones share it; it is never taken back.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A request that SIGTERM or SIGINT makes. A second signal ends the process at once, with exit code 130.
    ///
    /// # Errors
    /// When the signals can't be listened to.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let request = shutdown.clone();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if request.is_requested() {
                    tracing::warn!(signal = name, "second signal, ending at once");
                    std::process::exit(130);
                }
                request.request(name);
            }
        });
        Ok(shutdown)
    }

    /// Asks the process to stop, for the reason given.
    pub fn request(&self, reason: &str) {
        if !self.token.is_cancelled() {
            tracing::info!(reason, "shutting down");
            self.token.cancel();
        }
    }

    /// Whether the process shall stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the process shall stop.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// The token behind it, for `select!`, child tokens and other libraries.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_reaches_every_clone_and_child() {
        let shutdown = Shutdown::default();
        let (clone, child) = (shutdown.clone(), shutdown.token().child_token());
        assert!(!clone.is_requested());
        shutdown.request("test");
        clone.requested().await;
        assert!(child.is_cancelled());
    }
}
