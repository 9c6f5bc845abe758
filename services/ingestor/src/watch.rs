//! Tells health, metrics and the log how far the partitions are: lag, phase, pauses.
//!
//! Workers tell facts ([`Progress`]), the consumer tells high watermarks and pauses; what follows from them is worked out here,
//! on a clock of its own: a worker that waits for an answer from the database tells nothing, and just then it matters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use service::HealthState;
use stream::{Consumer, Paused};
use tokio::time::Instant;

use crate::config::HealthConfig;
use crate::metrics;
use crate::worker::{PartitionProgress, Phase, Progress};

/// How often it is told.
const EVERY: Duration = Duration::from_millis(500);
/// A pause that lasts so long is worth a line in the log.
const LONG_PAUSE: Duration = Duration::from_secs(10);
/// A worker that is silent for so long waits for an answer.
const SILENT: Duration = Duration::from_secs(3);

/// Tells for ever.
pub(crate) async fn run(
    pipeline: &'static str,
    config: HealthConfig,
    progress: Arc<Progress>,
    consumer: Arc<Consumer>,
    health: HealthState,
) {
    let mut ticks = tokio::time::interval(EVERY);
    let mut watched: BTreeMap<i32, Watched> = BTreeMap::new();
    let mut joined = false;
    loop {
        ticks.tick().await;
        let (all, pauses) = (progress.all(), consumer.pauses());
        joined |= !all.is_empty();
        for partition in watched
            .keys()
            .filter(|partition| !all.contains_key(partition))
        {
            metrics::gone(pipeline, *partition);
        }
        watched.retain(|partition, _| all.contains_key(partition));
        for (partition, told) in &all {
            let watched = watched.entry(*partition).or_default();
            watched.look(told, consumer.high_watermark(*partition), wall_ms());
            metrics::progress(pipeline, *partition, told, &watched.lag);
            let pauses = pauses.get(partition).copied().unwrap_or_default();
            watched.pauses(pipeline, *partition, pauses, told);
        }
        let standing = standing(&config, joined, progress.no_session(), &all, &watched);
        tell(pipeline, &health, standing);
    }
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// How far a partition is behind; unknown parts are not told.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Lag {
    pub(crate) records: Option<i64>,
    /// The age of the oldest record that is not committed.
    pub(crate) age: Option<Duration>,
}

/// What is remembered of a partition between two looks.
#[derive(Debug, Default)]
struct Watched {
    lag: Lag,
    /// Since when it is seen to be behind: the age of a record that nobody has read is at least that.
    behind_since: Option<Instant>,
    counted: Paused,
    counted_total: Duration,
    told_of_pause: bool,
}

/// What a paused partition's worker is busy with.
fn cause(told: &PartitionProgress) -> &'static str {
    if told.told_at.elapsed() >= SILENT {
        "look_up"
    } else if told.commits_full {
        "commit"
    } else {
        "fold"
    }
}

impl Watched {
    fn look(&mut self, told: &PartitionProgress, high: Option<i64>, wall_ms: i64) {
        let records = told
            .next_offset
            .zip(high)
            .map(|(next, high)| (high - next).max(0));
        let behind = records.is_some_and(|records| records > 0);
        self.behind_since = behind.then(|| self.behind_since.unwrap_or_else(Instant::now));
        let seen = self.behind_since.map(|since| since.elapsed());
        let waited = told
            .oldest_waiting_ms
            .map(|ms| Duration::from_millis(u64::try_from(wall_ms - ms).unwrap_or(0)));
        let age = match records {
            None => None,
            Some(0) => Some(Duration::ZERO),
            Some(_) => waited.max(seen),
        };
        self.lag = Lag { records, age };
    }

    fn pauses(
        &mut self,
        pipeline: &'static str,
        partition: i32,
        now: Paused,
        told: &PartitionProgress,
    ) {
        let total = now.total();
        metrics::paused(
            pipeline,
            partition,
            cause(told),
            now.count.saturating_sub(self.counted.count),
            total.saturating_sub(self.counted_total),
            now.current(),
        );
        (self.counted, self.counted_total) = (now, total);
        match now.current() {
            Some(lasted) if lasted >= LONG_PAUSE && !self.told_of_pause => {
                self.told_of_pause = true;
                tracing::warn!(
                    partition,
                    cause = cause(told),
                    ?lasted,
                    "reading is paused: the worker is behind"
                );
            }
            None if std::mem::take(&mut self.told_of_pause) => {
                tracing::info!(partition, "reading goes on");
            }
            _ => {}
        }
    }
}

/// How the pipeline stands.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Starting(&'static str),
    Broken(String),
    CatchingUp(String),
    Ready,
}

fn standing(
    config: &HealthConfig,
    joined: bool,
    no_session: Option<String>,
    all: &BTreeMap<i32, PartitionProgress>,
    watched: &BTreeMap<i32, Watched>,
) -> Standing {
    let stopped: Vec<String> = all
        .iter()
        .filter_map(|(partition, told)| {
            let stop = told.stop.as_ref()?;
            let (reason, remedy) = (stop.reason, stop.reason.remedy());
            Some(format!(
                "partition {partition} is stopped, {reason}: {}; {remedy}",
                stop.detail
            ))
        })
        .collect();
    if !stopped.is_empty() {
        return Standing::Broken(stopped.join(". "));
    }
    if !joined {
        return Standing::Starting(
            "no partition was assigned yet: is Kafka reachable, and does the topic exist?",
        );
    }
    if let Some(why) = no_session {
        return Standing::Broken(format!("no database session: {why}"));
    }
    let silent = all.values().map(|told| told.told_at.elapsed()).max();
    if let Some(silent) = silent.filter(|silent| *silent >= SILENT) {
        let seconds = silent.as_secs();
        return Standing::CatchingUp(format!(
            "a worker has waited {seconds} s for an answer of PostgreSQL or Kafka"
        ));
    }
    let lag = |partition: &i32| {
        watched
            .get(partition)
            .and_then(|watched| watched.lag.records)
    };
    let is_behind = |(partition, told): &(&i32, &PartitionProgress)| {
        told.phase != Phase::Live
            || lag(partition).is_some_and(|lag| lag > config.catching_up_records)
    };
    let behind = all.iter().filter(is_behind).count();
    if behind == 0 {
        return Standing::Ready;
    }
    let records: i64 = all.keys().filter_map(lag).sum();
    Standing::CatchingUp(format!(
        "{behind} of {} partitions, {records} records behind",
        all.len()
    ))
}

fn tell(pipeline: &'static str, health: &HealthState, standing: Standing) {
    match standing {
        Standing::Starting(why) => health.starting(pipeline, why),
        Standing::Broken(why) => health.broken(pipeline, why),
        Standing::CatchingUp(why) => health.catching_up(pipeline, why),
        Standing::Ready => health.ready(pipeline),
    }
}

#[cfg(test)]
mod tests;
