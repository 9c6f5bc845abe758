//! What was compared and what differs, for a person and for a program.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::event::{VERDICTS, Verdict};

/// How many differences of a kind a person is shown unless they ask for all.
const SHOWN_PER_KIND: usize = 10;
/// How much of a value is shown, in characters.
const SHOWN_CHARS: usize = 160;

/// What is wrong about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    /// The log has it, the table does not.
    Missing,
    /// The table has it, the log does not.
    Extra,
    /// Both have it, and a value differs.
    Differs,
}

/// One thing in Postgres that is not as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) table: &'static str,
    pub(super) fault: Fault,
    /// What the row is about, such as `game g-42`.
    pub(super) subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) game_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partition: Option<i32>,
    /// The record to look at: the game's end, or the dead letter itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.subject)?;
        match self.fault {
            Fault::Missing => f.write_str(" is missing")?,
            Fault::Extra => f.write_str(" should not be there")?,
            Fault::Differs => {}
        }
        if let Some(field) = &self.field {
            write!(f, ", {field}")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, ": expected {}", cut(expected))?;
        }
        if let Some(found) = &self.found {
            let joint = if self.expected.is_some() {
                ", found"
            } else {
                ": found"
            };
            write!(f, "{joint} {}", cut(found))?;
        }
        match (self.partition, self.offset) {
            (Some(partition), Some(offset)) => write!(f, "  [{partition}:{offset}]"),
            (Some(partition), None) => write!(f, "  [partition {partition}]"),
            (None, _) => Ok(()),
        }
    }
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}… ({} characters)", &value[..end], value.chars().count()),
        None => value.to_owned(),
    }
}

/// How much was compared.
#[derive(Debug, Default, Serialize)]
pub(super) struct Compared {
    pub(super) partitions: u64,
    pub(super) records: u64,
    pub(super) finished_games: u64,
    pub(super) moves: u64,
    pub(super) player_rows: u64,
    pub(super) live_games: u64,
    pub(super) live_snapshots: u64,
    /// The fold's own verdicts, by counter.
    pub(super) verdicts: BTreeMap<&'static str, u64>,
}

impl Compared {
    pub(super) fn count(&mut self, counts: &[u64; VERDICTS]) {
        for (column, count) in Verdict::COLUMNS.into_iter().zip(counts) {
            *self.verdicts.entry(column).or_default() += count;
        }
    }
}

/// The outcome of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) topic: String,
    pub(super) compared: Compared,
    pub(super) differences: Vec<Difference>,
    /// What a person should know and what is no difference.
    pub(super) notes: Vec<String>,
}

impl Report {
    /// The lines for a person.
    pub(super) fn lines(&self, all: bool) -> Vec<String> {
        let mut lines = self.table();
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        let mut kinds: BTreeMap<(&str, Fault, Option<&str>), Vec<&Difference>> = BTreeMap::new();
        for difference in &self.differences {
            let kind = (
                difference.table,
                difference.fault,
                difference.field.as_deref(),
            );
            kinds.entry(kind).or_default().push(difference);
        }
        for differences in kinds.values() {
            let shown = if all {
                differences.len()
            } else {
                SHOWN_PER_KIND
            };
            lines.extend(differences.iter().take(shown).map(|d| d.to_string()));
            if differences.len() > shown {
                lines.push(format!(
                    "… and {} more like this; --all shows them",
                    differences.len() - shown
                ));
            }
        }
        lines.push(match self.differences.len() {
            0 => "0 differences".to_owned(),
            1 => "1 difference".to_owned(),
            many => format!("{many} differences"),
        });
        lines
    }

    fn table(&self) -> Vec<String> {
        let c = &self.compared;
        let mut lines = vec![format!("Compared {} with PostgreSQL:", self.topic)];
        let rows = [
            ("partitions", c.partitions),
            ("records", c.records),
            ("finished games", c.finished_games),
            ("moves", c.moves),
            ("player rows", c.player_rows),
            ("live games", c.live_games),
            ("live snapshots", c.live_snapshots),
        ];
        lines.extend(rows.map(|(name, count)| format!("  {name:<18} {count:>12}")));
        lines.push("and each record's verdict:".to_owned());
        let verdicts = Verdict::COLUMNS.into_iter().map(|column| {
            let count = c.verdicts.get(column).copied().unwrap_or_default();
            (column, count)
        });
        let seen = verdicts
            .enumerate()
            .filter(|(place, (_, count))| *place < 3 || *count > 0);
        lines.extend(seen.map(|(_, (column, count))| format!("  {column:<18} {count:>12}")));
        lines
    }
}
