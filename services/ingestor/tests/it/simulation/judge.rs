//! Compares the database with the oracle, after every commit: not only what it shows, but what a new owner could make of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::oracle::{self, EndKey, Live, LiveGames, Truth, VERDICTS};
use super::rows::{self, Snapshot};
use super::tables::{Checkpoint, DeadRow, Tables};

/// What is wrong, in a sentence.
pub(crate) type Verdict = Result<(), String>;

/// Knows the truth of every partition.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) truths: Vec<Truth>,
    /// How far behind N an offset that must be replayed may lie.
    pub(crate) max_replay_offsets: i64,
}

impl Judge {
    pub(crate) fn truth(&self, partition: i32) -> &Truth {
        &self.truths[partition.unsigned_abs() as usize]
    }

    /// Whether everything about a partition is as it has to be at its checkpoint.
    pub(crate) fn check(&self, tables: &Tables, partition: i32) -> Verdict {
        let truth = self.truth(partition);
        let Some(checkpoint) = tables.checkpoints.get(&partition) else {
            return Ok(());
        };
        let (next, below) = (checkpoint.next, truth.below(checkpoint.next));
        let at = |what: String| format!("partition {partition} at N={next}: {what}");
        // Between two records of a log with holes any offset says the same.
        if truth.entries.get(below).is_none() && next > truth.bounds().1 {
            return Err(at("N lies beyond the log".into()));
        }
        self.check_counts(truth, checkpoint, below).map_err(at)?;
        check_games(truth, tables, partition, next).map_err(at)?;
        check_dead(truth, tables, partition, below).map_err(at)?;
        check_snapshots(truth, tables, partition, next).map_err(at)?;
        check_recovery(truth, tables, partition, checkpoint).map_err(at)
    }

    fn check_counts(&self, truth: &Truth, checkpoint: &Checkpoint, below: usize) -> Verdict {
        let expected = &truth.tallies[below];
        for ((name, is), should) in VERDICTS.iter().zip(checkpoint.tally).zip(*expected) {
            if is != should {
                return Err(format!(
                    "{is} records counted as {name}, should be {should}"
                ));
            }
        }
        let all: i64 = checkpoint.tally.iter().sum();
        if all != i64::try_from(below).unwrap_or(i64::MAX) {
            return Err(format!("{all} records counted of {below}"));
        }
        let (next, from) = (checkpoint.next, checkpoint.replay_from);
        if from > next || next - from > self.max_replay_offsets {
            return Err(format!(
                "R={from} is further behind than {} offsets",
                self.max_replay_offsets
            ));
        }
        Ok(())
    }
}

fn check_games(truth: &Truth, tables: &Tables, partition: i32, next: i64) -> Verdict {
    let expected: BTreeMap<&str, _> = truth
        .finished
        .iter()
        .take_while(|row| row.end_offset < next)
        .map(|row| (row.id.as_str(), row))
        .collect();
    let none = BTreeMap::new();
    let games = tables.games.get(&partition).unwrap_or(&none);
    if let Some(id) = games.keys().find(|id| !expected.contains_key(&***id)) {
        return Err(format!("game {id} is finished and should not be"));
    }
    for (id, should) in expected {
        let Some(is) = games.get(id) else {
            return Err(format!("finished game {id} is missing"));
        };
        if is != should {
            return Err(format!("game {id} is {is:?}, should be {should:?}"));
        }
        for player in &should.players {
            let seat = tables.players.get(&(Arc::from(id), player.id.clone()));
            if seat != Some(player) {
                return Err(format!("player {} of game {id} is {seat:?}", player.id));
            }
        }
        let entry = tables.directory.get(id);
        if entry.is_none_or(|entry| {
            (entry.partition, entry.end_offset, entry.ended_ms)
                != (partition, should.end_offset, should.ended_ms)
        }) {
            return Err(format!("the directory has {entry:?} of game {id}"));
        }
    }
    let seats = |partition: i32| {
        let games = tables.games.get(&partition).into_iter().flatten();
        games.map(|(_, row)| row.players.len()).sum::<usize>()
    };
    let all: usize = tables.games.keys().map(|partition| seats(*partition)).sum();
    let entries: usize = tables.games.values().map(BTreeMap::len).sum();
    if (all, entries) != (tables.players.len(), tables.directory.len()) {
        return Err("players or directory have rows without a game".into());
    }
    Ok(())
}

fn check_dead(truth: &Truth, tables: &Tables, partition: i32, below: usize) -> Verdict {
    let none = BTreeMap::new();
    let dead = tables.dead.get(&partition).unwrap_or(&none);
    let mut expected = 0;
    for (entry, verdict) in truth.entries.iter().zip(&truth.verdicts).take(below) {
        if matches!(*verdict, "applied" | "duplicate" | "late") {
            continue;
        }
        expected += 1;
        let should = DeadRow {
            reason: verdict,
            game: entry.game().map(str::to_owned),
            key: entry.key.clone(),
            value: entry.value.clone(),
        };
        match dead.get(&entry.offset) {
            Some(is) if **is == should => {}
            Some(is) => {
                return Err(format!(
                    "dead letter {} is {is:?}, should be {should:?}",
                    entry.offset
                ));
            }
            None => return Err(format!("dead letter {} is missing", entry.offset)),
        }
    }
    if dead.len() != expected {
        return Err(format!("{} dead letters, should be {expected}", dead.len()));
    }
    Ok(())
}

/// Every row of `live_games` is a game in progress, exactly as it was when the row says.
fn check_snapshots(truth: &Truth, tables: &Tables, partition: i32, next: i64) -> Verdict {
    let now = &truth.live[truth.below(next)];
    for (id, row) in tables.live.get(&partition).into_iter().flatten() {
        if !now.contains_key(id) {
            return Err(format!(
                "live_games has game {id}, which is not in progress"
            ));
        }
        if row.as_of >= next {
            return Err(format!("the snapshot of {id} is of {}", row.as_of));
        }
        let Some(is) = rows::snapshot(&row.state) else {
            return Err(format!("the snapshot of {id} can't be read"));
        };
        let then = truth.live[truth.below(row.as_of + 1)].get(id);
        if then.is_none_or(|game| !same(&is, game)) {
            return Err(format!(
                "the snapshot of {id} as of {} is {is:?}, should be {then:?}",
                row.as_of
            ));
        }
    }
    Ok(())
}

fn same(is: &Snapshot, should: &Live) -> bool {
    let beginning = &should.beginning;
    let seats = is.players.len() == beginning.players.len()
        && is.players.iter().zip(&beginning.players).all(|(is, seat)| {
            (is.0.as_str(), is.1.as_str(), is.2) == (seat.id, seat.role, seat.rating)
        });
    seats
        && is.mode == beginning.mode
        && is.time_control.as_deref() == beginning.time_control
        && is.region.as_deref() == beginning.region
        && is.started_ms == should.started_ms
        && is.moves == should.moves
        && is.held == should.held
}

/// A new owner that has nothing but the database and the log finds every game in progress, and no other.
fn check_recovery(
    truth: &Truth,
    tables: &Tables,
    partition: i32,
    checkpoint: &Checkpoint,
) -> Verdict {
    let none = BTreeMap::new();
    let rows = tables.live.get(&partition).unwrap_or(&none);
    let mut memory = LiveGames::new();
    for (id, row) in rows {
        // What the row says was compared with the truth before.
        if let Some(game) = truth.live[truth.below(row.as_of + 1)].get(id) {
            memory.insert(id.clone(), game.clone());
        }
    }
    let ended: BTreeMap<Arc<str>, EndKey> = BTreeMap::new();
    let range = truth.below(checkpoint.replay_from)..truth.below(checkpoint.next);
    for entry in &truth.entries[range] {
        let covered = entry
            .game()
            .and_then(|id| rows.get(id))
            .is_some_and(|row| entry.offset <= row.as_of);
        if !covered {
            oracle::decide(&mut memory, &ended, entry);
        }
    }
    memory.retain(|id, _| rows.contains_key(id) || !tables.directory.contains_key(id));
    let should = &truth.live[truth.below(checkpoint.next)];
    if memory == *should {
        return Ok(());
    }
    let from = checkpoint.replay_from;
    let lost: Vec<_> = should
        .iter()
        .filter(|(id, game)| memory.get(*id) != Some(game))
        .map(|(id, _)| id)
        .collect();
    Err(format!(
        "a new owner that replays from R={from} would not have games {lost:?} as they are, or have others"
    ))
}
