//! The only source of chance in a simulated run: a seed's own sequence (`SplitMix64`), shared by everything in the run.
//!
//! One thread runs a simulation, so the order of draws is the order of events and the same seed gives the same run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A sequence of numbers that its seed determines.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `bound - 1`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % bound).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn range(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low).unsigned_abs() + 1;
        low + (self.number() % span).cast_signed()
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.number() % 100 < percent
    }

    /// True in `per_mille` of a thousand cases.
    pub(crate) fn rarely(&mut self, per_mille: u64) -> bool {
        self.number() % 1000 < per_mille
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(crate) fn ms(&mut self, low: i64, high: i64) -> Duration {
        Duration::from_millis(self.range(low, high).unsigned_abs())
    }
}

/// Scrambles a number: `SplitMix64`'s finaliser.
pub(crate) fn mix(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A [`Random`] that the parts of a run share.
#[derive(Debug, Clone)]
pub(crate) struct Dice(Arc<Mutex<Random>>);

impl Dice {
    pub(crate) fn new(random: Random) -> Self {
        Self(Arc::new(Mutex::new(random)))
    }

    /// Draws.
    pub(crate) fn roll<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
