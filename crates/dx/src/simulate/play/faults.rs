//! What goes wrong on purpose, how often, and what a right reader makes of it.

use std::cmp::Ordering;
use std::sync::Arc;

use domain::Verdict;
use serde::Serializer;
use serde::ser::SerializeMap;

use super::{Record, Sent};

/// The share of each kind of fault, from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Faults {
    /// Of all events: sent again, byte for byte, while that is a duplicate.
    pub(crate) duplicates: f64,
    /// Of all events: followed by a record that can't be applied.
    pub(crate) poison: f64,
    /// Of all events: contradicted by another create, move or end.
    pub(crate) conflicts: f64,
    /// Of creates and moves: sent again after the game's end.
    pub(crate) late: f64,
    /// Of games: one move is never sent.
    pub(crate) gaps: f64,
    /// Of moves: sent after one or two of those that follow.
    pub(crate) reorder: f64,
}

/// A record that should not be there, or not there again.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fault {
    /// `duplicate`, `conflict`, `late` or `poison`.
    pub(crate) fault: &'static str,
    /// Of what: an event type, or the name of the poison.
    pub(crate) what: &'static str,
    #[serde(serialize_with = "super::text")]
    pub(crate) game_id: Arc<str>,
    /// Of a move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ply: Option<usize>,
    /// What a right reader says of it.
    #[serde(flatten, serialize_with = "verdict")]
    pub(crate) expected: Verdict,
}

impl Fault {
    /// `duplicate` or `late`, or the reason of a dead letter.
    pub(crate) fn expected_name(&self) -> &'static str {
        match self.expected {
            Verdict::DeadLetter(reason) => reason.as_str(),
            other => name(other),
        }
    }
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Applied => "applied",
        Verdict::Duplicate => "duplicate",
        Verdict::Late => "late",
        Verdict::DeadLetter(_) => "dead_letter",
    }
}

/// `verdict`, and the `reason` of a dead letter.
fn verdict<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("verdict", name(*verdict))?;
    if let Verdict::DeadLetter(reason) = verdict {
        map.serialize_entry("reason", reason.as_str())?;
    }
    map.end()
}

/// The faults that one game has still to come.
#[derive(Debug, Default)]
pub(super) struct GameFaults {
    /// The ply that is never sent.
    pub(super) gap: Option<usize>,
    /// Whether any move came out of order.
    pub(super) reordered: bool,
    /// A move that waits, with its ply and the ply after which it is sent.
    pub(super) delayed: Option<(usize, usize, Record)>,
    /// What is sent as soon as so many plies have been played, at the latest before the end.
    pub(super) due: Vec<(usize, Sent)>,
    /// What is sent after the end.
    pub(super) late: Vec<Sent>,
}

/// A fault that comes after its game's end. Ordered by time, and by their making where that is the same.
#[derive(Debug)]
pub(super) struct Echo {
    pub(super) at_ms: i64,
    pub(super) number: u64,
    pub(super) sent: Sent,
}

impl Ord for Echo {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}

impl PartialOrd for Echo {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Echo {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Echo {}
