//! What happened in a run, in order and in virtual time, and how often what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::chance::scramble;

/// The record of a run. Clones write the same one.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    began: Instant,
    told: Arc<Mutex<Told>>,
}

#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
            told: Arc::default(),
        }
    }

    pub(crate) fn note(&self, what: &'static str, about: impl std::fmt::Display) {
        let at = self.began.elapsed().as_secs_f64();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.lines.push(format!("{at:>9.3} s  {what:<22} {about}"));
        *told.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn count(&self, what: &'static str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .lines
            .clone()
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .counts
            .clone()
    }

    /// A number that two runs share only when the same happened at the same times.
    pub(crate) fn hash(&self) -> u64 {
        let bytes = self.lines().into_iter().flat_map(String::into_bytes);
        bytes.fold(0, |hash, byte| scramble(hash ^ u64::from(byte)))
    }
}
