//! So many requests in so long for each caller, by governor: a caller that has been quiet for a window may ask for all of them at once.
//!
//! Callers whose window is over are forgotten now and then. Beyond [`MAX_KEYS`] callers, new and old ones share places by their hash
//! until there are fewer: a flood of addresses costs them precision, not this process its memory.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::config::RateConfig;

/// So many callers are remembered, each by some hundred bytes.
const MAX_KEYS: usize = 100_000;
/// Every so many requests those are forgotten whose window is over.
const SWEEP_EVERY: u64 = 4_096;
/// So many places callers share when there are too many of them.
const CROWD: u64 = 1_024;

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A token's subject.
    Subject(Box<str>),
    /// An address.
    Address(IpAddr),
    /// Whoever falls on this place.
    Crowd(u64),
}

/// How a caller stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Which limit it is.
    pub(crate) bucket: &'static str,
    /// So many requests are allowed …
    pub(crate) requests: u32,
    /// … in so many seconds.
    pub(crate) window_s: u64,
    /// So many are left now.
    pub(crate) remaining: u32,
    /// After so many seconds all are.
    pub(crate) reset_s: u64,
    /// Zero for a request that is let through, else how long to wait.
    pub(crate) wait: Duration,
    pub(crate) allowed: bool,
}

type Limiter =
    RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// One limit.
#[derive(Debug)]
pub(super) struct Rate {
    bucket: &'static str,
    config: RateConfig,
    limiter: Limiter,
    counted: AtomicU64,
    full: AtomicBool,
    hasher: RandomState,
}

impl Rate {
    pub(super) fn new(bucket: &'static str, config: RateConfig) -> Self {
        let each = (config.window / config.requests.get()).max(Duration::from_nanos(1));
        // A period of zero alone is none.
        let quota = Quota::with_period(each)
            .unwrap_or_else(|| Quota::per_second(config.requests))
            .allow_burst(config.requests);
        Self {
            bucket,
            config,
            limiter: RateLimiter::keyed(quota).with_middleware(),
            counted: AtomicU64::new(0),
            full: AtomicBool::new(false),
            hasher: RandomState::new(),
        }
    }

    /// Counts a request of this caller.
    pub(super) fn count(&self, key: &Key) -> Standing {
        if self
            .counted
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(SWEEP_EVERY)
        {
            self.sweep();
        }
        let place;
        let key = match self.full.load(Ordering::Relaxed) {
            true => {
                place = Key::Crowd(self.hasher.hash_one(key) % CROWD);
                &place
            }
            false => key,
        };
        match self.limiter.check_key(key) {
            Ok(state) => self.standing(state.remaining_burst_capacity(), None),
            Err(until) => {
                let wait = until.wait_time_from(self.limiter.clock().now());
                self.standing(0, Some(wait))
            }
        }
    }

    fn standing(&self, remaining: u32, wait: Option<Duration>) -> Standing {
        let requests = self.config.requests.get();
        let spent = requests.saturating_sub(remaining);
        let reset = self.config.window / requests * spent;
        Standing {
            bucket: self.bucket,
            requests,
            window_s: whole_seconds(self.config.window),
            remaining,
            reset_s: whole_seconds(reset),
            wait: Duration::from_secs(whole_seconds(wait.unwrap_or_default())),
            allowed: wait.is_none(),
        }
    }

    /// Forgets callers whose window is over, and notes whether there are too many others.
    #[expect(clippy::cast_precision_loss, reason = "callers are far below 2^52")]
    fn sweep(&self) {
        self.limiter.retain_recent();
        let callers = self.limiter.len();
        if callers < MAX_KEYS / 2 {
            self.limiter.shrink_to_fit();
        }
        self.full.store(callers >= MAX_KEYS, Ordering::Relaxed);
        metrics::gauge!("rate_limit_callers", "bucket" => self.bucket).set(callers as f64);
    }
}

/// Seconds, the begun one too.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::num::NonZeroU32;

    use super::*;

    fn rate(requests: u32, window: Duration) -> Rate {
        let requests = NonZeroU32::new(requests).unwrap();
        Rate::new("reads", RateConfig { requests, window })
    }

    fn address(n: u32) -> Key {
        Key::Address(Ipv4Addr::from(n).into())
    }

    #[test]
    fn a_caller_may_ask_so_often_and_each_has_its_own_count() {
        let rate = rate(3, Duration::from_secs(60));
        for remaining in [2, 1, 0] {
            let standing = rate.count(&address(1));
            assert_eq!((standing.allowed, standing.remaining), (true, remaining));
        }
        let refused = rate.count(&address(1));
        assert!(!refused.allowed);
        assert_eq!(
            (refused.remaining, refused.requests, refused.window_s),
            (0, 3, 60)
        );
        assert!((15..=20).contains(&refused.wait.as_secs()), "{refused:?}");
        assert!(rate.count(&address(2)).allowed);
        assert!(rate.count(&Key::Subject("1".into())).allowed);
    }

    #[test]
    fn however_many_callers_there_are_memory_is_bounded() {
        let rate = rate(1_000, Duration::from_secs(3_600));
        for n in 0..400_000 {
            rate.count(&address(n));
        }
        let most = MAX_KEYS + usize::try_from(SWEEP_EVERY + CROWD).unwrap();
        assert!(rate.limiter.len() <= most, "{}", rate.limiter.len());
    }

    #[test]
    fn callers_are_forgotten_when_their_window_is_over() {
        let rate = rate(1, Duration::from_millis(20));
        for n in 0..1_000 {
            rate.count(&address(n));
        }
        std::thread::sleep(Duration::from_millis(100));
        rate.sweep();
        assert_eq!(rate.limiter.len(), 0);
    }
}
