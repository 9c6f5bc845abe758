//! What was sent, one JSON object a line: the run, every game, every fault with its place in the log, the totals.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use publisher::Delivery;
use serde::Serialize;

use super::play::{Fault, Faults, GameNote, Settings};

/// A line of the ledger.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Line<'a> {
    Run(Run<'a>),
    Game(&'a GameNote),
    Fault(Placed<'a>),
    Totals(&'a Totals),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    seed: u64,
    start_at_ms: i64,
    games: Option<u64>,
    live: usize,
    players: usize,
    book: usize,
    topic: &'a str,
    faults: Faults,
}

#[derive(Debug, Serialize)]
struct Placed<'a> {
    #[serde(flatten)]
    fault: &'a Fault,
    topic: &'a str,
    partition: i32,
    offset: i64,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Totals {
    /// Records acknowledged.
    pub(crate) records: u64,
    /// Of them, those that a reader applies.
    pub(crate) applied: u64,
    /// The others, by what a right reader says of them.
    pub(crate) expected: BTreeMap<&'static str, u64>,
    /// Games begun.
    pub(crate) games: u64,
    /// Games by how they ended; `abandoned` and `cut_off` are still live.
    pub(crate) terminations: BTreeMap<&'static str, u64>,
    /// Ended games with a move that was never sent.
    pub(crate) incomplete: u64,
    /// Games with moves out of order.
    pub(crate) reordered: u64,
    /// How long it took, in milliseconds.
    pub(crate) took_ms: u64,
}

impl Totals {
    /// Records a second.
    pub(crate) fn per_second(&self) -> u64 {
        self.records * 1_000 / self.took_ms.max(1)
    }
}

/// The ledger being written.
#[derive(Debug)]
pub(super) struct Ledger {
    file: BufWriter<File>,
    topic: String,
    pub(super) totals: Totals,
}

impl Ledger {
    pub(super) fn create(path: &Path, settings: &Settings, topic: &str) -> anyhow::Result<Self> {
        let file = File::create(path)
            .with_context(|| format!("can't write the ledger {}", path.display()))?;
        let mut ledger = Self {
            file: BufWriter::new(file),
            topic: topic.to_owned(),
            totals: Totals::default(),
        };
        let run = Run {
            seed: settings.seed,
            start_at_ms: settings.start_ms,
            games: settings.games,
            live: settings.live,
            players: settings.players,
            book: settings.book_lines,
            topic,
            faults: settings.faults,
        };
        write(&mut ledger.file, &Line::Run(run))?;
        Ok(ledger)
    }

    pub(super) fn applied(&mut self) {
        self.totals.records += 1;
        self.totals.applied += 1;
    }

    pub(super) fn fault(&mut self, fault: &Fault, delivery: Delivery) -> anyhow::Result<()> {
        self.totals.records += 1;
        *self
            .totals
            .expected
            .entry(fault.expected_name())
            .or_default() += 1;
        let placed = Placed {
            fault,
            topic: &self.topic,
            partition: delivery.partition,
            offset: delivery.offset,
        };
        write(&mut self.file, &Line::Fault(placed))
    }

    pub(super) fn game(&mut self, note: &GameNote) -> anyhow::Result<()> {
        self.totals.games += 1;
        *self
            .totals
            .terminations
            .entry(note.termination)
            .or_default() += 1;
        self.totals.incomplete +=
            u64::from(note.ended_at_ms.is_some() && note.missing_ply.is_some());
        self.totals.reordered += u64::from(note.reordered);
        write(&mut self.file, &Line::Game(note))
    }

    pub(super) fn close(mut self, took: Duration) -> anyhow::Result<Totals> {
        self.totals.took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        write(&mut self.file, &Line::Totals(&self.totals))?;
        self.file.flush().context("can't write the ledger")?;
        Ok(self.totals)
    }
}

fn write(file: &mut BufWriter<File>, line: &Line<'_>) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *file, line).context("can't write the ledger")?;
    file.write_all(b"\n").context("can't write the ledger")
}
