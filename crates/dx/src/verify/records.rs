//! Compares what is kept about a partition's records: dead letters, snapshots of live games, the checkpoint's counters.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use tokio_postgres::Transaction;

use super::about::{About, Micros};
use super::database::{self, Checkpoint, DeadLetterRow, LiveRow, Scope};
use super::event::{VERDICTS, Verdict};
use super::fold::{Fold, Headers, SetAside};
use super::log::Watermarks;
use super::report::{Difference, Fault};

/// One partition: its log's fold and its checkpoint.
#[derive(Clone, Copy)]
pub(super) struct Partition<'a> {
    pub(super) fold: &'a Fold,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) scope: &'a Scope,
    /// When the fold was made.
    pub(super) watermarks: Watermarks,
}

impl Partition<'_> {
    fn about(&self, table: &'static str, offset: Option<i64>) -> About<'static> {
        About {
            table,
            game_id: None,
            player_id: None,
            partition: self.checkpoint.partition,
            offset,
        }
    }

    /// Compares the dead letters: each expected one is there, whole, and no other.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn dead_letters(
        self,
        snapshot: &Transaction<'_>,
    ) -> anyhow::Result<Vec<Difference>> {
        let (mut out, mut seen) = (Vec::new(), HashSet::new());
        let Scope { pipeline, topic } = self.scope;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [
            &self.checkpoint.partition,
            pipeline,
            topic,
            &self.watermarks.low,
        ];
        let mut rows =
            database::rows::<DeadLetterRow>(snapshot, database::DEAD_LETTERS, &parameters).await?;
        while let Some(row) = rows.try_next().await? {
            let about = self.about("dead_letters", Some(row.offset));
            match self.fold.set_aside.get(&row.offset) {
                Some(expected) if seen.insert(row.offset) => {
                    self.dead_letter(&mut out, about, expected, &row)
                }
                _ => out.push(Difference {
                    game_id: row.game_id.clone(),
                    found: Some(format!("{} ({})", row.reason, row.detail)),
                    ..about.fault(Fault::Extra)
                }),
            }
        }
        let missing = self
            .fold
            .set_aside
            .iter()
            .filter(|(offset, _)| !seen.contains(*offset));
        out.extend(missing.map(|(offset, expected)| {
            Difference {
                game_id: expected.game_id.clone(),
                expected: Some(format!("{} ({})", expected.reason.name(), expected.why)),
                ..self
                    .about("dead_letters", Some(*offset))
                    .fault(Fault::Missing)
            }
        }));
        Ok(out)
    }

    fn dead_letter(
        &self,
        out: &mut Vec<Difference>,
        about: About<'_>,
        expected: &SetAside,
        row: &DeadLetterRow,
    ) {
        let before = out.len();
        if expected.reason.name() != row.reason {
            let (wanted, found) = (expected.reason.name(), &row.reason);
            let (wanted, found) = (
                format!("{wanted} ({})", expected.why),
                format!("{found} ({})", row.detail),
            );
            out.push(about.differs("reason", wanted, found));
        }
        about.same(out, "topic_id", &*self.checkpoint.topic_id, &*row.topic_id);
        about.same(
            out,
            "game_id",
            expected.game_id.as_deref(),
            row.game_id.as_deref(),
        );
        about.same(out, "key", expected.key.as_deref(), row.key.as_deref());
        about.same(out, "raw", expected.raw.as_deref(), row.raw.as_deref());
        let recorded = expected.timestamp_ms.map(Micros::of_ms);
        about.same(out, "recorded_at", recorded, row.recorded_us.map(Micros));
        if let Some(expected) = &expected.headers {
            let found = headers(&row.headers);
            if found.as_ref() != Some(expected) {
                out.push(about.differs("headers", show(expected), row.headers.clone()));
            }
        }
        for difference in &mut out[before..] {
            difference.game_id = expected.game_id.clone();
        }
    }

    /// Compares the snapshots: none of a game that is over, none ahead of the checkpoint, and none so old that a claim
    /// would not read what it misses.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn live_games(
        self,
        snapshot: &Transaction<'_>,
    ) -> anyhow::Result<(u64, Vec<Difference>)> {
        let (mut out, mut seen) = (Vec::new(), HashSet::new());
        let partition = self.checkpoint.partition;
        let mut rows = database::rows::<LiveRow>(snapshot, database::LIVE, &[&partition]).await?;
        while let Some(row) = rows.try_next().await? {
            self.live_row(&mut out, &row);
            seen.insert(row.game_id);
        }
        for (id, live) in &self.fold.live {
            if !seen.contains(&**id) {
                self.covered(&mut out, id, &live.applied_at, None);
            }
        }
        Ok((seen.len() as u64, out))
    }

    fn live_row(&self, out: &mut Vec<Difference>, row: &LiveRow) {
        let about = About {
            game_id: Some(&row.game_id),
            ..self.about("live_games", Some(row.as_of_offset))
        };
        if row.as_of_offset >= self.checkpoint.next_offset {
            let limit = format!("below next_offset {}", self.checkpoint.next_offset);
            out.push(about.differs("as_of_offset", limit, row.as_of_offset.to_string()));
        }
        match (
            self.fold.live.get(&*row.game_id),
            self.fold.finished.get(&*row.game_id),
        ) {
            (Some(live), _) => {
                if live
                    .applied_at
                    .first()
                    .is_some_and(|created| *created > row.as_of_offset)
                {
                    let found = format!("{}, before the game's create", row.as_of_offset);
                    out.push(about.differs(
                        "as_of_offset",
                        format!("{:?} or later", live.applied_at.first()),
                        found,
                    ));
                }
                self.covered(out, &row.game_id, &live.applied_at, Some(row.as_of_offset));
            }
            (None, Some(over)) => out.push(Difference {
                found: Some(format!(
                    "a snapshot of a game that ended at offset {}",
                    over.end_offset
                )),
                ..about.fault(Fault::Extra)
            }),
            (None, None) if self.may_have_begun_before(&row.game_id) => {}
            (None, None) => out.push(Difference {
                found: Some("a snapshot of a game that never began".to_owned()),
                ..about.fault(Fault::Extra)
            }),
        }
    }

    /// Whether a game that the log does not have may have begun before the log does, and not ended there.
    fn may_have_begun_before(&self, id: &str) -> bool {
        self.watermarks.low > 0 && !self.fold.over_before.contains_key(id)
    }

    /// Whether everything of a live game is in its snapshot or at `replay_from` and after.
    fn covered(&self, out: &mut Vec<Difference>, id: &str, applied_at: &[i64], as_of: Option<i64>) {
        let uncovered = applied_at
            .iter()
            .find(|offset| as_of.is_none_or(|as_of| **offset > as_of));
        let Some(lost) = uncovered.filter(|offset| **offset < self.checkpoint.replay_from) else {
            return;
        };
        let about = About {
            game_id: Some(id),
            ..self.about("live_games", Some(*lost))
        };
        let expected = format!("a snapshot of it, or replay_from at most {lost}");
        let snapshot = as_of.map_or_else(
            || "no snapshot".to_owned(),
            |as_of| format!("a snapshot as of {as_of}"),
        );
        let found = format!("{snapshot} and replay_from {}", self.checkpoint.replay_from);
        out.push(about.differs("recovery", expected, found));
    }

    /// Compares the checkpoint with the log. `split[v]` records of verdict `v` belong to games that stand on two partitions,
    /// or may have begun before the log does: theirs may have been judged another way. What Kafka no longer has was counted too.
    pub(super) fn counters(self, split: &[u64; VERDICTS]) -> Vec<Difference> {
        let (about, mut out) = (self.about("stream_checkpoints", None), Vec::new());
        let found = self.checkpoint;
        let wide = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        if self.watermarks.low > 0 {
            return self.at_least(split);
        }
        about.same(
            &mut out,
            "records",
            wide(self.fold.records()),
            found.records,
        );
        let moved: u64 = split.iter().sum();
        let mut total = found.split_key;
        for (place, column) in Verdict::COLUMNS.into_iter().enumerate() {
            let (expected, found) = (wide(self.fold.counts[place]), found.counts[place]);
            let free = (expected - wide(split[place]))..=(expected + wide(moved));
            if !free.contains(&found) || (moved == 0 && expected != found) {
                out.push(about.differs(column, expected.to_string(), found.to_string()));
            }
            total += found;
        }
        if !(0..=wide(moved)).contains(&found.split_key) {
            let expected = format!("at most {moved}");
            out.push(about.differs("split_key", expected, found.split_key.to_string()));
        }
        about.same(&mut out, "sum of all verdicts", found.records, total);
        if found.next_offset > self.watermarks.high {
            let end = format!("at most the log's end, {}", self.watermarks.high);
            out.push(about.differs("next_offset", end, found.next_offset.to_string()));
        }
        out
    }
}

impl Partition<'_> {
    /// The counters of a partition whose log does not begin at 0: at least what the log has, and no record without a verdict.
    fn at_least(self, uncertain: &[u64; VERDICTS]) -> Vec<Difference> {
        let (about, mut out) = (self.about("stream_checkpoints", None), Vec::new());
        let found = self.checkpoint;
        let wide = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for (place, column) in Verdict::COLUMNS.into_iter().enumerate() {
            let least = wide(self.fold.counts[place].saturating_sub(uncertain[place]));
            if found.counts[place] < least {
                let expected = format!("at least {least}");
                out.push(about.differs(column, expected, found.counts[place].to_string()));
            }
        }
        let most = found.next_offset;
        if !(wide(self.fold.records())..=most).contains(&found.records) {
            let expected = format!("{} to {most}", self.fold.records());
            out.push(about.differs("records", expected, found.records.to_string()));
        }
        let total = found.counts.iter().sum::<i64>() + found.split_key;
        about.same(&mut out, "sum of all verdicts", found.records, total);
        if found.next_offset > self.watermarks.high {
            let end = format!("at most the log's end, {}", self.watermarks.high);
            out.push(about.differs("next_offset", end, found.next_offset.to_string()));
        }
        out
    }
}

/// The `headers` column; `None` when it is not of the documented form.
fn headers(column: &str) -> Option<Headers> {
    let pairs: Vec<(String, Option<String>)> = serde_json::from_str(column).ok()?;
    let pairs = pairs.into_iter().map(|(name, value)| {
        let value = value.map(|value| STANDARD.decode(value)).transpose();
        Some((name, value.ok()?))
    });
    pairs.collect()
}

fn show(headers: &Headers) -> String {
    let pairs = headers
        .iter()
        .map(|(name, value)| (name, value.as_ref().map(|value| STANDARD.encode(value))));
    format!("{:?}", pairs.collect::<Vec<_>>())
}
