//! The tables of the simulated database, and what each statement of the real one does to them.
//!
//! Rows are shared between copies, so that keeping an earlier state to put back costs little.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::FinishedGame;
use store::ingest::{Batch, Counts, DeadLetter};
use uuid::Uuid;

use super::oracle::{Tally, VERDICTS};
use super::rows::{self, GameRow, PlayerRow};

/// A partition's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) token: Uuid,
    /// The session that claimed it last. No column: only the judge looks at it.
    pub(crate) owner: u64,
    pub(crate) next: i64,
    pub(crate) replay_from: i64,
    pub(crate) tally: Tally,
}

/// A row of `live_games`.
#[derive(Debug, Clone)]
pub(crate) struct LiveRow {
    pub(crate) as_of: i64,
    pub(crate) state: Arc<[u8]>,
}

/// A row of `game_directory`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryRow {
    pub(crate) partition: i32,
    pub(crate) end_offset: i64,
    pub(crate) ended_ms: i64,
    pub(crate) end: String,
}

/// A row of `dead_letters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadRow {
    pub(crate) reason: &'static str,
    pub(crate) game: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

/// Everything committed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    pub(crate) checkpoints: BTreeMap<i32, Checkpoint>,
    pub(crate) live: BTreeMap<i32, BTreeMap<Arc<str>, LiveRow>>,
    pub(crate) games: BTreeMap<i32, BTreeMap<Arc<str>, Arc<GameRow>>>,
    pub(crate) players: BTreeMap<(Arc<str>, String), PlayerRow>,
    pub(crate) directory: BTreeMap<Arc<str>, Arc<DirectoryRow>>,
    pub(crate) dead: BTreeMap<i32, BTreeMap<i64, Arc<DeadRow>>>,
}

/// What a constraint of the schema refuses.
pub(crate) type Violation = String;

impl Tables {
    /// Moves a checkpoint.
    pub(crate) fn advance(&mut self, batch: &Batch) -> Result<(), Violation> {
        if batch.replay_from > batch.next || batch.replay_from < 0 {
            return Err(format!(
                "replay_from {} lies beyond next_offset {}",
                batch.replay_from, batch.next
            ));
        }
        let Some(checkpoint) = self.checkpoints.get_mut(&batch.scope.partition) else {
            return Err("the checkpoint is gone".into());
        };
        checkpoint.next = batch.next;
        checkpoint.replay_from = batch.replay_from;
        for (sum, counted) in checkpoint.tally.iter_mut().zip(tally(&batch.counts)) {
            *sum += counted;
        }
        Ok(())
    }

    /// Writes everything of a batch but its checkpoint.
    pub(crate) fn write(&mut self, batch: &Batch, keep_ended: bool) -> Result<(), Violation> {
        let partition = batch.scope.partition;
        for finished in &batch.finished {
            let game = &finished.game;
            let id: Arc<str> = game.id.as_str().into();
            if self.directory.contains_key(&id) {
                self.split(batch, &finished.end, &id);
                continue;
            }
            let entry = DirectoryRow {
                partition,
                end_offset: finished.end.offset,
                ended_ms: game.ended_at.as_ms(),
                end: game.end_fingerprint.clone(),
            };
            self.directory.insert(id.clone(), Arc::new(entry));
            let row = row(game, finished.end.offset)?;
            for player in &row.players {
                let before = self
                    .players
                    .insert((id.clone(), player.id.clone()), player.clone());
                if before.is_some() {
                    return Err(format!("player {} has game {id} twice", player.id));
                }
            }
            let games = self.games.entry(partition).or_default();
            if games.insert(id.clone(), Arc::new(row)).is_some() {
                return Err(format!("game {id} is written twice"));
            }
        }
        let live = self.live.entry(partition).or_default();
        if !keep_ended {
            for id in &batch.ended_rows {
                live.remove(id.as_str());
            }
        }
        for snapshot in &batch.snapshots {
            let row = LiveRow {
                as_of: batch.as_of_offset(),
                state: snapshot.state.as_slice().into(),
            };
            live.insert(snapshot.game_id.as_str().into(), row);
        }
        self.write_dead(partition, &batch.dead_letters)
    }

    pub(crate) fn write_dead(
        &mut self,
        partition: i32,
        letters: &[DeadLetter],
    ) -> Result<(), Violation> {
        let dead = self.dead.entry(partition).or_default();
        for letter in letters {
            let offset = letter.record.offset;
            let row = DeadRow {
                reason: letter.reason.as_str(),
                game: letter.game_id.as_ref().map(ToString::to_string),
                key: letter.record.key.clone(),
                value: letter.record.value.clone(),
            };
            if dead.insert(offset, Arc::new(row)).is_some() {
                return Err(format!("dead letter {offset} is written twice"));
            }
        }
        Ok(())
    }

    /// The directory has this game already: its end becomes a dead letter.
    fn split(&mut self, batch: &Batch, end: &store::ingest::RecordCopy, id: &str) {
        let row = DeadRow {
            reason: "split_key",
            game: Some(id.to_owned()),
            key: end.key.clone(),
            value: end.value.clone(),
        };
        let partition = batch.scope.partition;
        self.dead
            .entry(partition)
            .or_default()
            .insert(end.offset, Arc::new(row));
        if let Some(checkpoint) = self.checkpoints.get_mut(&partition) {
            checkpoint.tally[0] -= 1;
            checkpoint.tally[VERDICTS.len() - 1] += 1;
        }
    }
}

/// A batch's counts in the oracle's order.
pub(crate) fn tally(counts: &Counts) -> Tally {
    let mut tally = Tally::default();
    tally[0] = counts.applied;
    tally[1] = counts.duplicates;
    tally[2] = counts.late;
    for reason in domain::Reason::ALL {
        if let Some(place) = VERDICTS.iter().position(|name| *name == reason.as_str()) {
            tally[place] += counts.dead(reason);
        }
    }
    tally
}

/// A finished game as its columns have it.
fn row(game: &FinishedGame, end_offset: i64) -> Result<GameRow, Violation> {
    let text = |text: &Option<domain::ShortText>| text.as_ref().map(ToString::to_string);
    let players = game.players.iter().map(|player| PlayerRow {
        id: player.id.to_string(),
        role: player.role.to_string(),
        rating: player.rating,
        rating_after: player.rating_after,
        result: player.result.as_str().to_owned(),
    });
    let opening = game
        .opening
        .as_ref()
        .map(|opening| (opening.code.to_string(), text(&opening.name)));
    Ok(GameRow {
        id: game.id.to_string(),
        end_offset,
        started_ms: game.started_at.as_ms(),
        ended_ms: game.ended_at.as_ms(),
        mode: game.created.mode.to_string(),
        time_control: text(&game.created.time_control),
        region: game.created.region.as_ref().map(ToString::to_string),
        result: game.result().to_owned(),
        winner: game.winner.as_ref().map(ToString::to_string),
        termination: game.termination.to_string(),
        opening,
        move_count: game.move_count,
        incomplete: game.incomplete,
        players: players.collect(),
        moves: rows::moves(game.moves.as_bytes(), game.started_at.as_ms())
            .ok_or("the moves can't be read")?,
    })
}
