//! What happened in a run, in order and in virtual time: for its hash, and for the person who reads a failure.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::random::mix;

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    at_ms: u64,
    what: &'static str,
    numbers: Vec<(&'static str, i64)>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>6}.{:03} s  {:<28}",
            self.at_ms / 1000,
            self.at_ms % 1000,
            self.what
        )?;
        self.numbers
            .iter()
            .try_for_each(|(name, number)| write!(f, "  {name} {number}"))
    }
}

/// The record of a run.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    began: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Trace {
    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
            lines: Arc::default(),
        }
    }

    pub(crate) fn note<const N: usize>(
        &self,
        what: &'static str,
        numbers: [(&'static str, i64); N],
    ) {
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = Line {
            at_ms,
            what,
            numbers: numbers.to_vec(),
        };
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A number that two runs share only when the same happened at the same times.
pub(crate) fn hash(lines: &[Line]) -> u64 {
    let mut hash = 0;
    let mut take = |number: u64| hash = mix(hash ^ number);
    for line in lines {
        take(line.at_ms);
        line.what.bytes().for_each(|byte| take(u64::from(byte)));
        line.numbers
            .iter()
            .for_each(|(_, number)| take(number.cast_unsigned()));
    }
    hash
}
