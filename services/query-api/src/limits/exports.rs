//! Exports under way: how many there are, and how many of one caller. How many of them read at a time is the pool's business.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use service::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rate::Key;
use crate::config::LimitsConfig;

/// How many exports each caller has under way.
type Callers = Arc<Mutex<HashMap<Key, usize>>>;

/// The exports of the process.
#[derive(Debug)]
pub(crate) struct Exports {
    places: Arc<Semaphore>,
    per_caller: Option<usize>,
    callers: Callers,
    /// An export whose client takes nothing for so long is broken off.
    pub(crate) stall: Duration,
}

/// One export's place, given back when dropped.
#[derive(Debug)]
pub(crate) struct ExportSlot {
    _place: OwnedSemaphorePermit,
    caller: Option<(Key, Callers)>,
}

impl Exports {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.exports_at_once)),
            per_caller: limits.exports_at_once_per_caller,
            callers: Arc::default(),
            stall: limits.export_stall,
        }
    }

    /// A place for an export of this caller.
    pub(crate) fn place(&self, caller: &Key) -> Result<ExportSlot, Problem> {
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_full| super::overloaded("exports", "exports under way"))?;
        let Some(most) = self.per_caller else {
            return Ok(ExportSlot {
                _place: place,
                caller: None,
            });
        };
        let mut callers = lock(&self.callers);
        let count = callers.entry(caller.clone()).or_default();
        if *count >= most {
            return Err(too_many_at_once(most));
        }
        *count += 1;
        Ok(ExportSlot {
            _place: place,
            caller: Some((caller.clone(), self.callers.clone())),
        })
    }
}

impl Drop for ExportSlot {
    fn drop(&mut self) {
        let Some((key, callers)) = self.caller.take() else {
            return;
        };
        let mut callers = lock(&callers);
        if let Some(count) = callers.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                callers.remove(&key);
            }
        }
    }
}

fn lock(callers: &Mutex<HashMap<Key, usize>>) -> MutexGuard<'_, HashMap<Key, usize>> {
    // Nothing panics while holding it.
    callers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 429: this caller has as many exports under way as it may have.
fn too_many_at_once(most: usize) -> Problem {
    metrics::counter!("rate_limited_total", "bucket" => "exports_at_once").increment(1);
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-exports-at-once",
        "Too many exports at a time",
    )
    .with_detail(format!("{most} at a time are allowed; let one end first"))
    .with_retry_after(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back_and_each_caller_has_its_own() {
        let limits = LimitsConfig {
            exports_at_once: 3,
            exports_at_once_per_caller: Some(2),
            ..LimitsConfig::default()
        };
        let exports = Exports::new(&limits);
        let [one, two] = ["a", "b"].map(|name| Key::Subject(name.into()));
        let first = exports.place(&one).unwrap();
        let second = exports.place(&one).unwrap();
        assert_eq!(
            exports.place(&one).unwrap_err().code(),
            "too-many-exports-at-once"
        );
        let _third = exports.place(&two).unwrap();
        assert_eq!(exports.place(&two).unwrap_err().code(), "overloaded");
        drop(first);
        let again = exports.place(&one).unwrap();
        drop((again, second));
        assert_eq!(lock(&exports.callers).len(), 1);
    }
}
