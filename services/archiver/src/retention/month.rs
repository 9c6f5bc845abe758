//! Proving a detached month: every row of it is in the summaries, and the summaries have no other.

use std::collections::BTreeSet;
use std::fmt;

use archive::summaries::{Compared, DayKey, FileLimits, Kind, Revision, Summaries};
use store::StoreError;
use store::connect::Session;
use store::partitions::Month;
use store::summaries::{Contents, Snapshot, Source};

use crate::summaries::{
    SummaryError, compare_games, compare_player_rows, current_stamp, regions_of, write_day,
};

/// Why a month is still there.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The database: a partition is in use, or the way to it failed.
    #[error(transparent)]
    Database(#[from] StoreError),
    /// The summaries can't be written or read.
    #[error(transparent)]
    Summaries(SummaryError),
    /// The detached tables and the summaries say different things.
    #[error(
        "{day} stays in PostgreSQL, detached: {unproven}. Look at the tables of {month} and at the day's revisions"
    )]
    Unproven {
        /// The day and region.
        day: String,
        /// Its month.
        month: Month,
        /// What differs.
        unproven: Unproven,
    },
}

impl RetentionError {
    /// Whether the month itself is the matter, and not the way to it.
    pub(super) fn is_of_the_month(&self) -> bool {
        match self {
            Self::Unproven { .. } => true,
            Self::Summaries(SummaryError::Archive(error)) => error.is_damage(),
            Self::Summaries(_) | Self::Database(_) => false,
        }
    }
}

/// How a day differs from its summaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unproven {
    /// The database has fewer games than were summed up before: something removed them, and a new revision would forget them.
    Fewer {
        /// Games in the database.
        games: u64,
        /// Games in the newest revision.
        summed_up: u64,
    },
    /// Rows differ although the revision was written from these tables.
    Different(Compared),
    /// Another archiver publishes at the same time.
    Taken,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fewer { games, summed_up } => write!(
                f,
                "it has {games} games and its summaries {summed_up}; something removed games from the database"
            ),
            Self::Different(found) => {
                let example = found.example.as_ref().map(ToString::to_string);
                write!(
                    f,
                    "{} rows differ from its summaries, such as: {}",
                    found.different,
                    example.unwrap_or_default()
                )
            }
            Self::Taken => f.write_str("another archiver has published a revision of it just now"),
        }
    }
}

/// Holds every day of a detached month against its newest revision, row by row. A day whose revision is older than its last change, or
/// has a damaged file, is written again first.
///
/// # Errors
/// [`RetentionError`]; the month must stay.
pub(super) async fn prove(
    summaries: &Summaries,
    limits: FileLimits,
    connection: &mut Session,
    month: Month,
) -> Result<(), RetentionError> {
    let source = Source::Detached(month);
    let mut snapshot = Snapshot::open(connection).await?;
    let all = snapshot
        .contents(source, month.first_day(), month.next().first_day())
        .await?;
    let counted = regions_of(&all);
    let mut days: BTreeSet<DayKey> = counted.keys().cloned().collect();
    for day in month.days() {
        let archived = summaries.regions(day).await.map_err(SummaryError::from)?;
        days.extend(archived.into_keys().map(|region| DayKey { day, region }));
    }
    let (mut games, mut player_rows) = (0, 0);
    for day in &days {
        let parts = counted.get(day).map_or(&[][..], Vec::as_slice);
        let proven = prove_day(summaries, limits, &mut snapshot, source, day, parts).await;
        let same = proven?.map_err(|unproven| RetentionError::Unproven {
            day: day.to_string(),
            month,
            unproven,
        })?;
        games += same.0;
        player_rows += same.1;
    }
    snapshot.close().await?;
    tracing::info!(%month, days = days.len(), games, player_rows, "every row of the month is in the summaries");
    Ok(())
}

/// How many games and player rows of a day are proven.
async fn prove_day(
    summaries: &Summaries,
    limits: FileLimits,
    snapshot: &mut Snapshot<'_>,
    source: Source,
    day: &DayKey,
    parts: &[Contents],
) -> Result<Result<(u64, u64), Unproven>, SummaryError> {
    let newest = summaries.newest(day).await?;
    let games: i64 = parts.iter().map(|part| part.games).sum();
    let games = games.unsigned_abs();
    let stamp = newest
        .as_ref()
        .map(|newest| newest.manifest.made_from.stamp.as_str());
    if stamp.unwrap_or_default() == current_stamp(parts) {
        match compare_day(summaries, newest.as_ref(), snapshot, source, day, parts).await {
            // The rows are still here: the day is written again, and held against them like any other.
            Err(SummaryError::Archive(error)) if error.is_damage() => {
                tracing::error!(%day, %error, "a day's summaries are damaged; it is written again from the detached tables");
            }
            compared => return compared,
        }
    }
    let summed_up = newest
        .as_ref()
        .map_or(0, |newest| newest.manifest.rows(Kind::Games));
    if games < summed_up {
        return Ok(Err(Unproven::Fewer { games, summed_up }));
    }
    let newest = write_day(
        summaries,
        limits,
        snapshot,
        source,
        day,
        parts,
        newest.as_ref(),
    )
    .await?;
    if newest.is_none() {
        return Ok(Err(Unproven::Taken));
    }
    compare_day(summaries, newest.as_ref(), snapshot, source, day, parts).await
}

/// How many games and player rows of a day are in its revision as they are in the database.
async fn compare_day(
    summaries: &Summaries,
    newest: Option<&Revision>,
    snapshot: &mut Snapshot<'_>,
    source: Source,
    day: &DayKey,
    parts: &[Contents],
) -> Result<Result<(u64, u64), Unproven>, SummaryError> {
    let regions: Vec<Option<String>> = parts.iter().map(|part| part.region.clone()).collect();
    let manifest = newest.map(|newest| &newest.manifest);
    let games = compare_games(summaries, manifest, snapshot, source, day.day, &regions).await?;
    if !games.is_equal() {
        return Ok(Err(Unproven::Different(games)));
    }
    let player_rows =
        compare_player_rows(summaries, manifest, snapshot, source, day.day, &regions).await?;
    if !player_rows.is_equal() {
        return Ok(Err(Unproven::Different(player_rows)));
    }
    Ok(Ok((games.same, player_rows.same)))
}
