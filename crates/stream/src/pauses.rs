//! When and for how long the poll thread leaves started partitions unread because their readers are behind.
//!
//! The poll thread notes changes only, so the lock is taken when a partition is paused or goes on and when somebody asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The pauses of one partition since it was assigned.
#[derive(Debug, Clone, Copy, Default)]
pub struct Paused {
    /// How many pauses began.
    pub count: u64,
    /// When the current one began.
    pub since: Option<Instant>,
    ended: Duration,
}

impl Paused {
    /// How long all pauses lasted, the current one included.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.ended + self.current().unwrap_or_default()
    }

    /// How long the current pause has lasted.
    #[must_use]
    pub fn current(&self) -> Option<Duration> {
        self.since.map(|since| since.elapsed())
    }
}

/// The pauses of all partitions. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pauses(Arc<Mutex<HashMap<i32, Paused>>>);

impl Pauses {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Paused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partition is paused from now on, or goes on.
    pub(crate) fn change(&self, partition: i32, paused: bool) {
        let mut all = self.lock();
        let known = all.entry(partition).or_default();
        match (paused, known.since.take()) {
            (true, None) => {
                known.count += 1;
                known.since = Some(Instant::now());
            }
            (true, since) => known.since = since,
            (false, since) => known.ended += since.map_or(Duration::ZERO, |since| since.elapsed()),
        }
    }

    /// The partition is not this member's any more.
    pub(crate) fn forget(&self, partition: i32) {
        self.lock().remove(&partition);
    }

    pub(crate) fn all(&self) -> HashMap<i32, Paused> {
        self.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_counted_once_and_lasts_until_the_partition_goes_on() {
        let pauses = Pauses::default();
        pauses.change(3, true);
        pauses.change(3, true);
        std::thread::sleep(Duration::from_millis(5));
        let paused = pauses.all()[&3];
        assert_eq!(paused.count, 1);
        assert!(
            paused
                .current()
                .is_some_and(|lasted| lasted.as_millis() >= 5)
        );
        pauses.change(3, false);
        let over = pauses.all()[&3];
        assert!(over.current().is_none() && over.total().as_millis() >= 5);
        pauses.change(3, true);
        assert_eq!(pauses.all()[&3].count, 2);
        pauses.forget(3);
        assert!(pauses.all().is_empty());
    }
}
