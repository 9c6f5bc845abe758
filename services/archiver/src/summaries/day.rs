//! One day and region: whether its newest revision is what the database has, and writing it if not.

use std::collections::BTreeMap;

use archive::Region;
use archive::summaries::{DayKey, FileLimits, MadeFrom, Published, Revision, Summaries};
use futures::TryStreamExt as _;
use store::summaries::{Contents, Snapshot, Source};

use super::SummaryError;
use super::rows;

/// The games' own regions of each folder's region: those that are no folder's name share `_other`.
pub(crate) fn regions_of(contents: &[Contents]) -> BTreeMap<DayKey, Vec<Contents>> {
    let mut days: BTreeMap<DayKey, Vec<Contents>> = BTreeMap::new();
    for part in contents {
        let region = part.region.as_deref().map(Region::parse);
        let region = region.and_then(Result::ok).unwrap_or_else(Region::other);
        let day = DayKey {
            day: part.day,
            region,
        };
        days.entry(day).or_default().push(part.clone());
    }
    days
}

/// What tells this state of a day and region from any other: how many games of which region, and the sum of their times of writing.
pub(crate) fn current_stamp(contents: &[Contents]) -> String {
    let parts: Vec<String> = contents
        .iter()
        .map(|part| {
            let region = part.region.as_deref().unwrap_or_default();
            format!("{region}={}:{}", part.games, part.stamp)
        })
        .collect();
    parts.join(" ")
}

/// Writes a day and region as the revision after `previous`. `None` when somebody else has published that number.
///
/// # Errors
/// [`SummaryError`]; nothing that was written counts then.
pub(crate) async fn write_day(
    summaries: &Summaries,
    limits: FileLimits,
    snapshot: &mut Snapshot<'_>,
    source: Source,
    day: &DayKey,
    contents: &[Contents],
    previous: Option<&Revision>,
) -> Result<Option<Revision>, SummaryError> {
    let regions: Vec<Option<String>> = contents.iter().map(|part| part.region.clone()).collect();
    let mut draft = summaries.draft(day.clone(), previous, limits);
    {
        let games = rows::games(snapshot.games(source, day.day, &regions).await?);
        let mut games = std::pin::pin!(games);
        while let Some(game) = games.try_next().await? {
            draft.add_game(game).await?;
        }
    }
    {
        let player_rows = snapshot.player_rows(source, day.day, &regions).await?;
        let mut player_rows = std::pin::pin!(rows::player_rows(player_rows));
        while let Some(row) = player_rows.try_next().await? {
            draft.add_player_row(row).await?;
        }
    }
    let stamp = current_stamp(contents);
    let manifest = draft.finish(MadeFrom { stamp }).await?;
    publish(summaries, manifest).await
}

/// Makes a revision count and tells it; `None` when its number is taken.
pub(super) async fn publish(
    summaries: &Summaries,
    manifest: archive::summaries::SummaryManifest,
) -> Result<Option<Revision>, SummaryError> {
    let day = manifest.day();
    match summaries.publish(manifest).await? {
        Published::Mine(revision) => {
            let manifest = &revision.manifest;
            let rows = |kind| manifest.rows(kind);
            let (games, players) = (
                rows(archive::summaries::Kind::Games),
                rows(archive::summaries::Kind::Players),
            );
            metrics::counter!("archive_summary_revisions_total").increment(1);
            metrics::counter!("archive_summary_games_total").increment(games);
            tracing::info!(
                day = %day.day, region = %day.region, revision = manifest.revision.get(), games, player_rows = players,
                "wrote a day's summaries"
            );
            // What an earlier, killed attempt at this number left.
            if let Err(error) = summaries.sweep(&day, false).await {
                tracing::warn!(%error, %day, "files that count for nothing could not be removed");
            }
            Ok(Some(*revision))
        }
        Published::Taken => {
            tracing::warn!(%day, "another archiver has published this revision");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(region: Option<&str>, games: i64, stamp: &str) -> Contents {
        Contents {
            day: chrono::NaiveDate::default(),
            region: region.map(str::to_owned),
            games,
            stamp: stamp.to_owned(),
        }
    }

    #[test]
    fn regions_that_are_no_folders_share_one() {
        let found = regions_of(&[
            contents(None, 1, "a"),
            contents(Some("_odd"), 2, "b"),
            contents(Some("eu"), 3, "c"),
        ]);
        let names: Vec<(String, usize)> = found
            .iter()
            .map(|(day, parts)| (day.region.to_string(), parts.len()))
            .collect();
        assert_eq!(names, [("_other".to_owned(), 2), ("eu".to_owned(), 1)]);
    }

    #[test]
    fn a_stamp_tells_a_changed_day_from_the_same_one() {
        let stamp = |games, stamp| current_stamp(&[contents(Some("eu"), games, stamp)]);
        assert_eq!(stamp(1, "17"), stamp(1, "17"));
        assert_ne!(stamp(1, "17"), stamp(2, "17"));
        assert_ne!(stamp(1, "17"), stamp(1, "18"));
        assert_ne!(current_stamp(&[]), stamp(1, "17"));
    }
}
