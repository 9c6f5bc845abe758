//! The job `retention`: PostgreSQL partitions made ahead of time, and months older than the hot retention taken out of PostgreSQL.
//!
//! A month goes only when its summaries are proven: its days are summed up, the floor is raised so that nobody makes its partitions
//! again, the partitions are detached without standing in anyone's way, every row of the detached tables is held against the
//! summaries, and only then are they dropped. Each step may be repeated, so a process that dies leaves what the next pass goes on
//! with. What can't be proven stays, detached, and is told at every pass.

mod config;
mod month;
mod raw;

use std::collections::BTreeSet;

use archive::summaries::Summaries;
use archive::{ArchiveStore, TopicName};
use chrono::{DateTime, Utc};
use store::partitions::{self, Month};
use store::{DatabaseConfig, connect, retention};

use crate::jobs::{Rounds, require_schema};
use crate::summaries::{SummariesConfig, SummaryError, patient, summarise_month, try_lock};

pub use config::RetentionConfig;
pub use month::{RetentionError, Unproven};
pub use raw::expire;

/// Lets go of raw records of old days until shutdown, where the configuration says so. Needs no database.
pub(crate) async fn run_raw(
    config: RetentionConfig,
    topics: Vec<TopicName>,
    store: ArchiveStore,
    mut rounds: Rounds,
) {
    while rounds.next().await {
        rounds
            .pass(async {
                // One topic's damage does not keep the others'.
                let mut failed = Ok(());
                for topic in &topics {
                    let expired = expire(&store, topic, config.raw_days, Utc::now()).await;
                    failed = failed.and(expired.map(drop));
                }
                Ok(failed?)
            })
            .await;
    }
}

/// Runs the job until shutdown. What fails is told and tried again.
pub(crate) async fn run(
    config: RetentionConfig,
    summing_up: SummariesConfig,
    database: DatabaseConfig,
    store: ArchiveStore,
    mut rounds: Rounds,
) {
    let summaries = Summaries::new(store);
    while rounds.next().await {
        rounds
            .pass(async {
                require_schema(&database).await?;
                Ok(pass(&config, &summing_up, &database, &summaries).await?)
            })
            .await;
    }
}

/// One look: partitions ahead, then the months that are due, oldest first. Gives the months that were dropped.
///
/// # Errors
/// [`RetentionError`]; what was done stands, and the next pass goes on from there.
pub async fn pass(
    config: &RetentionConfig,
    summing_up: &SummariesConfig,
    database: &DatabaseConfig,
    summaries: &Summaries,
) -> Result<Vec<Month>, RetentionError> {
    let session = DatabaseConfig {
        lock_timeout: config.lock_timeout,
        ..patient(database)
    };
    let mut connection = connect::establish(&session).await?;
    let now = retention::database_time(&mut connection).await?;
    partitions::ensure(&mut connection, &months_ahead(config, now)).await?;
    let Some(keep_from) = keep_from(config, summing_up, now) else {
        return Ok(Vec::new());
    };
    if !try_lock(&mut connection).await? {
        return Ok(Vec::new());
    }
    let due = |months: &BTreeSet<Month>| -> Vec<Month> {
        months
            .iter()
            .copied()
            .filter(|month| *month < keep_from)
            .collect()
    };
    let tables = retention::month_tables(&mut connection).await?;
    let floor = partitions::retention_floor(&mut connection)
        .await?
        .map(Month::of);
    let mut kept = Ok(());
    for month in due(&tables.attached) {
        // Before the rows leave the hot tables, so that readers find them in one place or the other. Below the floor an earlier pass
        // has done so, and a half detached month would look empty.
        if floor.is_none_or(|floor| month >= floor) {
            match summarise_month(summaries, summing_up, &mut connection, month).await {
                // Neither it nor a younger one may leave: the floor is raised from below.
                Err(SummaryError::Archive(error)) if error.is_damage() => {
                    kept = Err(SummaryError::Archive(error).into());
                    break;
                }
                summed_up => summed_up?,
            }
        }
        retention::raise_floor(&mut connection, month.next()).await?;
        retention::detach(&mut connection, month).await?;
    }
    let mut dropped = Vec::new();
    let tables = retention::month_tables(&mut connection).await?;
    for month in due(&tables.detached) {
        let proven = month::prove(summaries, summing_up.limits(), &mut connection, month).await;
        if let Err(error) = proven {
            // What one month lacks keeps no other one.
            if !error.is_of_the_month() {
                return Err(error);
            }
            kept = kept.and(Err(error));
            continue;
        }
        retention::drop_detached(&mut connection, month).await?;
        metrics::counter!("archive_months_dropped_total").increment(1);
        dropped.push(month);
    }
    kept.map(|()| dropped)
}

fn months_ahead(config: &RetentionConfig, now: DateTime<Utc>) -> BTreeSet<Month> {
    let months = std::iter::successors(Some(Month::of_datetime(now)), |month| Some(month.next()));
    months.take(config.months_ahead as usize + 1).collect()
}

/// The oldest month that stays; `None` when all do.
fn keep_from(
    config: &RetentionConfig,
    summing_up: &SummariesConfig,
    now: DateTime<Utc>,
) -> Option<Month> {
    if config.hot_months == 0 {
        return None;
    }
    // A month ends when its last day is closed, not at its midnight.
    let wait = chrono::TimeDelta::from_std(summing_up.close_after).ok()?;
    let newest = Month::of_datetime(now.checked_sub_signed(wait)?);
    let mut months = std::iter::successors(Some(newest), |month| Some(month.previous()));
    months.nth(config.hot_months as usize - 1)
}

impl From<SummaryError> for RetentionError {
    fn from(error: SummaryError) -> Self {
        Self::Summaries(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oldest_kept(hot_months: u32, now: &str) -> Option<String> {
        let config = RetentionConfig {
            hot_months,
            ..RetentionConfig::default()
        };
        let month = keep_from(&config, &SummariesConfig::default(), now.parse().unwrap());
        month.map(|month| month.to_string())
    }

    #[test]
    fn the_current_month_counts_as_the_first_hot_one() {
        assert_eq!(oldest_kept(1, "2026-11-21T12:00:00Z").unwrap(), "2026-11");
        assert_eq!(oldest_kept(13, "2026-11-21T12:00:00Z").unwrap(), "2025-11");
        assert_eq!(oldest_kept(0, "2026-11-21T12:00:00Z"), None);
    }

    #[test]
    fn a_month_whose_last_day_is_not_closed_stays() {
        assert_eq!(oldest_kept(1, "2026-11-01T05:00:00Z").unwrap(), "2026-10");
        assert_eq!(oldest_kept(1, "2026-11-01T06:00:00Z").unwrap(), "2026-11");
    }
}
