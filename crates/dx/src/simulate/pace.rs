//! Keeps a rate: so many records a second since the beginning, caught up on when it fell behind.

use std::time::{Duration, Instant};

/// Shorter waits are not worth sleeping for.
const SHORTEST: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Pace {
    started: Instant,
    /// Between two records; zero for none.
    interval: Duration,
    sent: u32,
}

impl Pace {
    /// `rate` in records a second; `None` for as fast as it goes.
    pub(super) fn new(rate: Option<u64>) -> Self {
        let interval = rate.and_then(|rate| {
            Duration::from_secs(1).checked_div(u32::try_from(rate).unwrap_or(u32::MAX))
        });
        Self {
            started: Instant::now(),
            interval: interval.unwrap_or_default(),
            sent: 0,
        }
    }

    /// How long to wait before the next record, `None` when it is due.
    pub(super) fn next(&mut self) -> Option<Duration> {
        if self.interval.is_zero() {
            return None;
        }
        if self.sent == 1_000_000_000 {
            // Before the counter ends, begin anew.
            *self = Self {
                started: Instant::now(),
                interval: self.interval,
                sent: 0,
            };
        }
        let due = self.interval * self.sent;
        self.sent += 1;
        let ahead = due.saturating_sub(self.started.elapsed());
        (ahead >= SHORTEST).then_some(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_and_none_is_as_fast_as_it_goes() {
        let mut pace = Pace::new(Some(1_000));
        for _ in 0..500 {
            pace.next();
        }
        let ahead = pace.next().unwrap();
        assert!(
            ahead > Duration::from_millis(400) && ahead <= Duration::from_millis(500),
            "{ahead:?}"
        );
        assert_eq!(Pace::new(None).next(), None);
    }
}
