//! Games that ended below the retention floor, into the newest revision of their day.
//!
//! Their month's tables are gone, so the day's state is the newest revision itself, and the new one is that and the games that wait. A
//! process that died after publishing finds the same games again and sees that the revision has them.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::pin::pin;

use archive::summaries::{
    DayKey, Draft, FileLimits, GameRow, MadeFrom, PlayerRow, Revision, Rows, Summaries, SummaryRow,
};
use futures::{Stream, TryStreamExt as _};
use store::summaries::{Contents, Snapshot, Source};

use super::SummaryError;
use super::day::{current_stamp, publish};
use super::rows;

/// How many games are merged at a time: their ids are held in memory.
const AT_A_TIME: usize = 50_000;

/// Merges some of the games that wait for a day and region, and gives their ids: the revision that stands has them. None of them when
/// somebody else has published meanwhile.
pub(super) async fn merge_day(
    summaries: &Summaries,
    limits: FileLimits,
    snapshot: &mut Snapshot<'_>,
    day: &DayKey,
    contents: &[Contents],
) -> Result<BTreeSet<String>, SummaryError> {
    let regions: Vec<Option<String>> = contents.iter().map(|part| part.region.clone()).collect();
    let newest = summaries.newest(day).await?;
    let manifest = newest.as_ref().map(|newest: &Revision| &newest.manifest);
    let mut draft = summaries.draft(day.clone(), newest.as_ref(), limits);

    let mut taken = BTreeSet::new();
    let mut added = 0;
    {
        let waiting = rows::games(
            snapshot
                .games(Source::BelowFloor, day.day, &regions)
                .await?,
        );
        let waiting = futures::TryStreamExt::inspect_ok(
            futures::StreamExt::take(waiting, AT_A_TIME),
            |game: &GameRow| {
                taken.insert(game.game_id.clone());
            },
        );
        added += merge(summaries.rows(manifest), waiting, &mut draft).await?;
    }
    {
        let waiting = snapshot
            .player_rows(Source::BelowFloor, day.day, &regions)
            .await?;
        let of_taken = |row: &PlayerRow| std::future::ready(taken.contains(&row.game_id));
        let waiting = rows::player_rows(waiting).try_filter(of_taken);
        added += merge(summaries.rows(manifest), waiting, &mut draft).await?;
    }
    if added == 0 {
        return Ok(taken);
    }
    let stamp = format!("merged {}", current_stamp(contents));
    let manifest = draft.finish(MadeFrom { stamp }).await?;
    let published = publish(summaries, manifest).await?;
    Ok(published.map(|_| taken).unwrap_or_default())
}

/// A row that a draft takes.
trait Drafted: SummaryRow {
    async fn add_to(self, draft: &mut Draft) -> archive::Result<()>;
}

impl Drafted for GameRow {
    async fn add_to(self, draft: &mut Draft) -> archive::Result<()> {
        draft.add_game(self).await
    }
}

impl Drafted for PlayerRow {
    async fn add_to(self, draft: &mut Draft) -> archive::Result<()> {
        draft.add_player_row(self).await
    }
}

/// Writes what is archived and what waits, in order; a row that is both, as it waits. Says how many rows were not there, or not so.
async fn merge<R: Drafted>(
    mut archived: Rows<R>,
    waiting: impl Stream<Item = Result<R, SummaryError>>,
    draft: &mut Draft,
) -> Result<u64, SummaryError> {
    let mut waiting = pin!(waiting);
    let mut added = 0;
    let (mut old, mut new) = (archived.next().await?, waiting.try_next().await?);
    loop {
        let order = match (&old, &new) {
            (None, None) => return Ok(added),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.key().cmp(&new.key()),
        };
        let same = order.is_eq() && old == new;
        let kept = if order.is_le() {
            std::mem::replace(&mut old, archived.next().await?)
        } else {
            None
        };
        let row = if order.is_ge() {
            added += u64::from(!same);
            std::mem::replace(&mut new, waiting.try_next().await?)
        } else {
            kept
        };
        if let Some(row) = row {
            row.add_to(draft).await?;
        }
    }
}
