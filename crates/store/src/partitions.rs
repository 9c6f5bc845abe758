//! Monthly partitions of `games` and `player_games`: made ahead of time as a rule, on demand when a game ends elsewhere.
//!
//! A partition is made in a transaction of its own, before the batch that needs it, on a connection of its own: a plain table
//! like the parent, then `ATTACH`. Neither waits behind readers of the parent, an advisory lock lets one process at a time try,
//! and a short lock timeout keeps a long reader from stopping ingestion. `CREATE TABLE … PARTITION OF` inside a batch would
//! fail under a race in spite of `IF NOT EXISTS`, and can deadlock. The retention floor is looked at again under the advisory lock,
//! which whoever raises it takes as well: no month below it is made by someone who read it a moment too early.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, Utc};
use diesel::sql_types::{Bool, Text, Timestamptz};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::EventTime;

use crate::StoreError;

/// The tables that are partitioned by the time a game ended.
pub(crate) const PARTITIONED: [&str; 2] = ["games", "player_games"];
/// Serialises the making of partitions among all processes.
pub(crate) const ADVISORY_LOCK: i64 = 0x6761_6d65_7061_7274;

/// A calendar month in UTC: the range of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first_day: NaiveDate,
}

impl Month {
    /// The month an event time falls into.
    #[must_use]
    pub fn of(time: EventTime) -> Self {
        Self::of_datetime(time.to_datetime())
    }

    /// The month a calendar time falls into.
    #[must_use]
    pub fn of_datetime(time: DateTime<Utc>) -> Self {
        Self::of_day(time.date_naive())
    }

    /// The month of a day.
    #[must_use]
    pub fn of_day(day: NaiveDate) -> Self {
        Self {
            first_day: day.with_day(1).unwrap_or(day),
        }
    }

    /// The month after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            first_day: self.first_day + Months::new(1),
        }
    }

    /// The month before this one.
    #[must_use]
    pub fn previous(self) -> Self {
        Self {
            first_day: self.first_day - Months::new(1),
        }
    }

    /// The month so many after this one, or before it; none beyond the calendar.
    #[must_use]
    pub fn moved(self, months: i32) -> Option<Self> {
        let by = Months::new(months.unsigned_abs());
        let first_day = match months < 0 {
            true => self.first_day.checked_sub_months(by)?,
            false => self.first_day.checked_add_months(by)?,
        };
        Some(Self { first_day })
    }

    /// The first day, which is also where the partition's range begins.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        self.first_day
    }

    /// The first instant.
    #[must_use]
    pub fn start(self) -> DateTime<Utc> {
        self.first_day.and_time(NaiveTime::MIN).and_utc()
    }

    /// The days, first to last.
    pub fn days(self) -> impl Iterator<Item = NaiveDate> {
        let end = self.next().first_day;
        self.first_day.iter_days().take_while(move |day| *day < end)
    }

    /// The month of a partition's name, such as `games_y2026m11`.
    pub(crate) fn of_partition(name: &str, table: &str) -> Option<Self> {
        let suffix = name.strip_prefix(table)?.strip_prefix('_')?;
        let (year, month) = suffix.strip_prefix('y')?.split_once('m')?;
        let first_day = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?;
        // Numbers are read more freely than they are written.
        let month = Self { first_day };
        (month.suffix() == suffix).then_some(month)
    }

    /// The suffix of this month's partitions, such as `y2026m11`.
    #[must_use]
    pub fn suffix(self) -> String {
        format!(
            "y{:04}m{:02}",
            self.first_day.year(),
            self.first_day.month()
        )
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first_day.format("%Y-%m"))
    }
}

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    attached: bool,
}

#[derive(QueryableByName)]
struct Floor {
    #[diesel(sql_type = Timestamptz)]
    ended_at: DateTime<Utc>,
}

/// The time below which retention has removed finished games for good, if it ever did.
///
/// # Errors
/// [`StoreError`] when the query fails.
pub async fn retention_floor(
    connection: &mut AsyncPgConnection,
) -> Result<Option<EventTime>, StoreError> {
    let floor: Option<Floor> = sql_query("SELECT ended_at FROM retention_floor")
        .get_result(connection)
        .await
        .optional()
        .map_err(StoreError::query("read the retention floor"))?;
    Ok(floor.and_then(|floor| EventTime::from_datetime(floor.ended_at).ok()))
}

/// Makes the partitions of these months where they are missing. Months that lie wholly below the retention floor stay away.
///
/// # Errors
/// [`StoreError`] when a lock is not had in time or the session fails; trying again later is safe.
pub async fn ensure(
    connection: &mut AsyncPgConnection,
    months: &BTreeSet<Month>,
) -> Result<(), StoreError> {
    let floor = retention_floor(connection).await?.map(Month::of);
    for month in months
        .iter()
        .filter(|month| floor.is_none_or(|floor| **month >= floor))
    {
        for table in PARTITIONED {
            if !is_attached(connection, table, *month).await? {
                make(connection, table, *month).await?;
            }
        }
    }
    Ok(())
}

async fn is_attached(
    connection: &mut AsyncPgConnection,
    table: &str,
    month: Month,
) -> Result<bool, StoreError> {
    let row: Exists = sql_query(
        "SELECT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass($1) AND inhparent = to_regclass($2)) AS attached",
    )
    .bind::<Text, _>(format!("{table}_{}", month.suffix()))
    .bind::<Text, _>(table)
    .get_result(connection)
    .await
    .map_err(StoreError::query("look for a partition"))?;
    Ok(row.attached)
}

async fn make(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    month: Month,
) -> Result<(), StoreError> {
    // Names and bounds are formatted from numbers only.
    let (name, from, to) = (
        format!("{table}_{}", month.suffix()),
        month.first_day,
        month.next().first_day,
    );
    let statements = format!(
        "BEGIN; SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock({ADVISORY_LOCK}); \
         DO $$ BEGIN \
           IF EXISTS (SELECT 1 FROM retention_floor WHERE ended_at >= '{to} 00:00:00+00') THEN RETURN; END IF; \
           IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass('{name}')) THEN \
             CREATE TABLE IF NOT EXISTS {name} (LIKE {table} INCLUDING ALL); \
             ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{from} 00:00:00+00') TO ('{to} 00:00:00+00'); \
           END IF; \
         END $$; COMMIT"
    );
    if let Err(source) = connection.batch_execute(&statements).await {
        // The session may be inside the failed transaction; a lost session has nothing to roll back.
        let _ = connection.batch_execute("ROLLBACK").await;
        return Err(StoreError::query("make a partition")(source));
    }
    tracing::info!(table, month = %month, "made a partition");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(time: &str) -> Month {
        Month::of_datetime(time.parse().unwrap())
    }

    #[test]
    fn a_month_holds_its_first_and_last_instant() {
        assert_eq!(
            month("2026-11-01T00:00:00Z"),
            month("2026-11-30T23:59:59.999Z")
        );
        assert_ne!(
            month("2026-11-30T23:59:59.999Z"),
            month("2026-12-01T00:00:00Z")
        );
    }

    #[test]
    fn the_month_after_december_is_january() {
        assert_eq!(month("2026-12-15T10:00:00Z").next().suffix(), "y2027m01");
    }

    #[test]
    fn a_months_days_are_its_own_and_its_partition_is_known_by_its_name() {
        let february = month("2028-02-10T00:00:00Z");
        assert_eq!(february.days().count(), 29);
        assert_eq!(february.next().previous(), february);
        assert_eq!(
            Month::of_partition("games_y2028m02", "games"),
            Some(february)
        );
        for other in [
            "games_y2028m2",
            "games_y2028m13",
            "player_games_y2028m02",
            "games_below_floor",
            "games",
        ] {
            assert_eq!(Month::of_partition(other, "games"), None, "{other}");
        }
    }

    #[test]
    fn a_leap_day_is_in_february() {
        assert_eq!(month("2028-02-29T12:00:00Z").to_string(), "2028-02");
    }
}
