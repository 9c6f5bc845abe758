//! One look at which days have to be written, and writing them.

use std::collections::BTreeSet;

use archive::summaries::{DayKey, Revision, Summaries};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use store::connect::Session;
use store::partitions::{self, Month};
use store::retention::{self, MonthTables};
use store::summaries::{Contents, Snapshot, Source};

use super::config::SummariesConfig;
use super::day::{current_stamp, regions_of, write_day};
use super::{SummaryError, merge};

/// A commit may become visible so long after the time it writes: what was written before the last pass by less is looked at again.
const COMMITS_TAKE: TimeDelta = TimeDelta::minutes(15);

/// What passes remember of each other.
#[derive(Debug)]
pub struct Pass {
    config: SummariesConfig,
    summaries: Summaries,
    /// When the last pass began, by the database's clock, and up to which day it went.
    last: Option<(DateTime<Utc>, NaiveDate)>,
    /// When all days were last looked at.
    rechecked_at: Option<DateTime<Utc>>,
    /// Days that could not be done because of what the archive has of them: looked at in every pass.
    damaged: BTreeSet<NaiveDate>,
}

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Another archiver has the job at the moment; nothing else was done.
    pub elsewhere: bool,
    /// Days and regions that were looked at.
    pub looked_at: u64,
    /// Revisions that were published.
    pub written: u64,
    /// Games below the floor that were merged.
    pub merged: u64,
}

impl Done {
    pub(super) fn tell(self) {
        if self.written + self.merged > 0 {
            tracing::info!(
                days = self.looked_at,
                written = self.written,
                merged = self.merged,
                "the summaries are up to date"
            );
        }
    }
}

/// Takes the lock that lets one archiver at a time work on summaries and retention. It goes with the session.
pub(crate) async fn try_lock(connection: &mut Session) -> Result<bool, SummaryError> {
    Ok(retention::try_lock(connection).await?)
}

impl Pass {
    /// The first pass looks at every day.
    #[must_use]
    pub fn new(config: SummariesConfig, summaries: Summaries) -> Self {
        Self {
            config,
            summaries,
            last: None,
            rechecked_at: None,
            damaged: BTreeSet::new(),
        }
    }

    /// Looks and writes, on a session of its own.
    ///
    /// # Errors
    /// [`SummaryError`]; what was published stands, and the next pass looks again. A day whose summaries are damaged beyond what can
    /// be written again is told when all others are done.
    pub async fn run(&mut self, connection: &mut Session) -> Result<Done, SummaryError> {
        let mut done = Done::default();
        let mut damage = Damage::default();
        if !try_lock(connection).await? {
            done.elsewhere = true;
            return Ok(done);
        }
        let now = retention::database_time(connection).await?;
        let closed = first_open_day(now, self.config.close_after);
        let tables = retention::month_tables(connection).await?;
        // Months below the floor are retention's: half detached they look empty.
        let floor = partitions::retention_floor(connection)
            .await?
            .map(Month::of);
        let is_hot = |month: Month| floor.is_none_or(|floor| month >= floor);
        let recheck = self.rechecked_at.is_none_or(|last| {
            (now - last)
                .to_std()
                .is_ok_and(|age| age >= self.config.recheck_every)
        });
        if recheck {
            for month in tables.attached.iter().filter(|month| is_hot(**month)) {
                let (first, end) = (month.first_day(), month.next().first_day().min(closed));
                self.examine(connection, first, end, true, now, &mut done, &mut damage)
                    .await?;
            }
            self.rechecked_at = Some(now);
        } else if let Some((since, until)) = self.last {
            let mut changed = self.changed_days(connection, since, until, closed).await?;
            changed.append(&mut self.damaged.clone());
            for day in changed
                .into_iter()
                .filter(|day| is_hot(Month::of_day(*day)))
            {
                let end = day + Days::new(1);
                self.examine(connection, day, end, false, now, &mut done, &mut damage)
                    .await?;
            }
        }
        self.merge_below_floor(connection, &tables, closed, &mut done, &mut damage)
            .await?;
        self.last = Some((now, closed));
        self.damaged = damage.days;
        damage.first.map_or(Ok(done), Err)
    }

    /// Days that were closed or written to since the last pass.
    async fn changed_days(
        &self,
        connection: &mut Session,
        since: DateTime<Utc>,
        until: NaiveDate,
        closed: NaiveDate,
    ) -> Result<BTreeSet<NaiveDate>, SummaryError> {
        let newly_closed = until.iter_days().take_while(|day| *day < closed);
        let mut days: BTreeSet<NaiveDate> = newly_closed.collect();
        let mut snapshot = Snapshot::open(connection).await?;
        let written = snapshot
            .days_written_since(Source::Hot, since - COMMITS_TAKE, closed)
            .await?;
        days.extend(written);
        snapshot.close().await?;
        Ok(days)
    }

    /// Writes the days from `first` up to before `end` whose newest revision is not what the database has.
    #[expect(clippy::too_many_arguments, reason = "the state of one pass")]
    async fn examine(
        &self,
        connection: &mut Session,
        first: NaiveDate,
        end: NaiveDate,
        sweep: bool,
        now: DateTime<Utc>,
        done: &mut Done,
        damage: &mut Damage,
    ) -> Result<(), SummaryError> {
        let (summaries, config) = (&self.summaries, &self.config);
        let (looked_at, written) =
            summarise(summaries, config, connection, first, end, damage).await?;
        done.looked_at += looked_at.len() as u64;
        done.written += written;
        if sweep {
            for revision in &looked_at {
                let day = revision.manifest.day();
                let replaced_long_ago = age_of(revision, now) >= self.config.keep_replaced;
                let swept = self.summaries.sweep(&day, replaced_long_ago).await;
                damage.set_aside(day.day, swept.map_err(SummaryError::from))?;
            }
        }
        Ok(())
    }

    /// Takes games that ended below the floor into their days' summaries. Those of a month whose tables are still there wait for
    /// retention to be done with it.
    async fn merge_below_floor(
        &self,
        connection: &mut Session,
        tables: &MonthTables,
        closed: NaiveDate,
        done: &mut Done,
        damage: &mut Damage,
    ) -> Result<(), SummaryError> {
        let mut snapshot = Snapshot::open(connection).await?;
        let all = snapshot
            .contents(Source::BelowFloor, NaiveDate::default(), closed)
            .await?;
        snapshot.close().await?;
        for (day, contents) in regions_of(&all) {
            let month = Month::of_day(day.day);
            if tables.attached.contains(&month) || tables.detached.contains(&month) {
                continue;
            }
            loop {
                let merged = self.merge_day(connection, &day, &contents).await;
                // The games wait until the day can be read.
                let merged = damage.set_aside(day.day, merged)?.unwrap_or_default();
                done.merged += merged;
                done.looked_at += 1;
                if merged == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn merge_day(
        &self,
        connection: &mut Session,
        day: &DayKey,
        contents: &[Contents],
    ) -> Result<u64, SummaryError> {
        let mut snapshot = Snapshot::open(connection).await?;
        let limits = self.config.limits();
        let merged =
            merge::merge_day(&self.summaries, limits, &mut snapshot, day, contents).await?;
        snapshot.close().await?;
        let ids: Vec<&str> = merged.iter().map(String::as_str).collect();
        if !ids.is_empty() {
            retention::forget_below_floor(connection, &ids).await?;
        }
        Ok(ids.len() as u64)
    }
}

/// Days that can't be done because of what the archive has of them. They keep no other day waiting.
#[derive(Debug, Default)]
struct Damage {
    days: BTreeSet<NaiveDate>,
    first: Option<SummaryError>,
}

impl Damage {
    /// What came of a day; none if an object of its summaries is damaged. Any other failure ends the pass.
    fn set_aside<T>(
        &mut self,
        day: NaiveDate,
        outcome: Result<T, SummaryError>,
    ) -> Result<Option<T>, SummaryError> {
        match outcome {
            Err(SummaryError::Archive(error)) if error.is_damage() => {
                tracing::error!(%day, %error, "a day's summaries are damaged");
                self.days.insert(day);
                self.first.get_or_insert(SummaryError::Archive(error));
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }
}

/// Makes the newest revisions of a month's closed days what the database has.
///
/// # Errors
/// [`SummaryError`].
pub(crate) async fn summarise_month(
    summaries: &Summaries,
    config: &SummariesConfig,
    connection: &mut Session,
    month: Month,
) -> Result<(), SummaryError> {
    let (first, end) = (month.first_day(), month.next().first_day());
    let mut damage = Damage::default();
    summarise(summaries, config, connection, first, end, &mut damage).await?;
    damage.first.map_or(Ok(()), Err)
}

/// Writes the days that need it. Gives the revision that stands for each day and region, and how many were written.
async fn summarise(
    summaries: &Summaries,
    config: &SummariesConfig,
    connection: &mut Session,
    first: NaiveDate,
    end: NaiveDate,
    damage: &mut Damage,
) -> Result<(Vec<Revision>, u64), SummaryError> {
    let mut days = BTreeSet::new();
    for day in first.iter_days().take_while(|day| *day < end) {
        let archived = summaries.regions(day).await?;
        days.extend(archived.into_keys().map(|region| DayKey { day, region }));
    }
    // Counted here to learn which days there are; counted again in the snapshot that a day is written from.
    let mut snapshot = Snapshot::open(connection).await?;
    let contents = snapshot.contents(Source::Hot, first, end).await?;
    snapshot.close().await?;
    let counted = regions_of(&contents);
    days.extend(counted.keys().cloned());

    let (mut standing, mut written) = (Vec::new(), 0);
    for day in days {
        let stamp = counted
            .get(&day)
            .map_or_else(String::new, |parts| current_stamp(parts));
        let done = summarise_day(summaries, config, connection, &day, &stamp).await;
        if let Some((revision, new)) = damage.set_aside(day.day, done)? {
            written += u64::from(new && revision.is_some());
            standing.extend(revision);
        }
    }
    Ok((standing, written))
}

/// Writes a day if it needs it. Gives the revision that stands, and whether it is a new one.
async fn summarise_day(
    summaries: &Summaries,
    config: &SummariesConfig,
    connection: &mut Session,
    day: &DayKey,
    stamp: &str,
) -> Result<(Option<Revision>, bool), SummaryError> {
    let newest = summaries.newest(day).await?;
    let up_to_date = match &newest {
        Some(newest) if newest.manifest.made_from.stamp == stamp => {
            let lacking = summaries.lacking(newest).await?;
            if let Some(file) = &lacking {
                tracing::error!(%day, %file, "a file of the summaries is lost, cut or in quarantine; the day is written again");
            }
            lacking.is_none()
        }
        Some(_) => false,
        None => stamp.is_empty(),
    };
    if up_to_date {
        return Ok((newest, false));
    }
    let mut snapshot = Snapshot::open(connection).await?;
    let contents = snapshot
        .contents(Source::Hot, day.day, day.day + Days::new(1))
        .await?;
    let parts = regions_of(&contents).remove(day).unwrap_or_default();
    let revision = write_day(
        summaries,
        config.limits(),
        &mut snapshot,
        Source::Hot,
        day,
        &parts,
        newest.as_ref(),
    )
    .await?;
    snapshot.close().await?;
    Ok((revision, true))
}

/// How long ago a revision was begun, by its writer's clock.
fn age_of(revision: &Revision, now: DateTime<Utc>) -> std::time::Duration {
    let begun = revision.manifest.writer.get_timestamp().and_then(|stamp| {
        let (seconds, nanos) = stamp.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    });
    begun
        .and_then(|begun| (now - begun).to_std().ok())
        .unwrap_or_default()
}

/// The first day that may still get games in the usual course of things.
fn first_open_day(now: DateTime<Utc>, close_after: std::time::Duration) -> NaiveDate {
    let wait = TimeDelta::from_std(close_after).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(wait)
        .map_or(NaiveDate::default(), |time| time.date_naive())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_day_is_closed_some_time_after_its_midnight() {
        let open = |now: &str| {
            first_open_day(now.parse().unwrap(), Duration::from_secs(6 * 3_600)).to_string()
        };
        assert_eq!(open("2026-11-21T05:59:59Z"), "2026-11-20");
        assert_eq!(open("2026-11-21T06:00:00Z"), "2026-11-21");
    }
}
