//! The witness: looks at PostgreSQL several times a second while the attack goes on, on a connection of its own past the proxy.
//!
//! At every look each partition's counters must add up and its `next_offset` must not have gone back; once a second the dead
//! letters must be as many as the counters say, and finished games seen before must be there, byte for byte. Putting the database
//! back is the one thing that may undo this: the attacker tells the witness before, and it forgets. A server that does not answer is
//! no fault.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::stack;

const EVERY: Duration = Duration::from_millis(200);
/// Games are looked at at every so many looks.
const GAMES_EVERY: u64 = 5;
/// The most games that are watched, and that are looked at again at a time.
const MOST_GAMES: usize = 20_000;
const AGAIN: usize = 300;
/// The most breaches that are told.
const MOST_BREACHES: usize = 50;

const CHECKPOINTS: &str = "SELECT partition, next_offset, records, applied + duplicates + late, \
    undecodable + unsupported + key_mismatch + invalid + conflict + orphan + gap_overflow + split_key \
    FROM stream_checkpoints ORDER BY partition";
/// One statement, so that both sides are of one moment.
const LETTERS: &str = "SELECT c.partition, \
    c.undecodable + c.unsupported + c.key_mismatch + c.invalid + c.conflict + c.orphan + c.gap_overflow + c.split_key, \
    (SELECT count(*) FROM dead_letters d WHERE d.partition = c.partition) FROM stream_checkpoints c";
const NEW_GAMES: &str = "SELECT game_id FROM game_directory TABLESAMPLE BERNOULLI (2) LIMIT 40";
/// A game's rows as one hash, what was written when included: nobody may have written them again.
const HASHES: &str = "SELECT d.game_id, g.game_id IS NOT NULL OR f.ended_at IS NOT NULL, md5(d::text || coalesce(g::text, '')) \
    FROM game_directory d LEFT JOIN games g ON g.game_id = d.game_id AND g.ended_at = d.ended_at \
    LEFT JOIN retention_floor f ON d.ended_at < f.ended_at WHERE d.game_id = ANY($1)";

/// What was looked at and what was found.
#[derive(Debug, Default, Clone, Serialize)]
pub(super) struct Testimony {
    /// Looks at the checkpoints that got an answer.
    pub(super) looks: u64,
    /// Partitions whose counters were added up.
    pub(super) counters_added_up: u64,
    /// Partitions whose dead letters were counted.
    pub(super) dead_letters_counted: u64,
    /// Finished games that were watched.
    pub(super) games_watched: u64,
    /// How often one of them was looked at again.
    pub(super) games_seen_again: u64,
    /// Looks without an answer: the server was down.
    pub(super) unanswered: u64,
    /// What must never be.
    pub(super) breaches: Vec<String>,
}

#[derive(Debug, Default)]
struct Memory {
    testimony: Testimony,
    highest: BTreeMap<i32, i64>,
    games: HashMap<String, String>,
    ids: Vec<String>,
    again_from: usize,
    blind: bool,
}

/// A witness at work. It ends when dropped.
#[derive(Debug)]
pub(super) struct Sampler {
    postgres: String,
    memory: Arc<Mutex<Memory>>,
    task: JoinHandle<()>,
}

impl Sampler {
    /// Begins to look at the database at `postgres`.
    pub(super) fn begin(postgres: String) -> Self {
        let memory = Arc::new(Mutex::new(Memory::default()));
        let task = tokio::spawn(watch(postgres.clone(), Arc::clone(&memory)));
        Self {
            postgres,
            memory,
            task,
        }
    }

    /// Looks away: the database is about to be put back.
    pub(super) async fn look_away(&self) {
        self.memory.lock().await.blind = true;
    }

    /// Forgets what it saw and looks again.
    pub(super) async fn look_afresh(&self) {
        let mut memory = self.memory.lock().await;
        let testimony = std::mem::take(&mut memory.testimony);
        *memory = Memory {
            testimony,
            ..Memory::default()
        };
    }

    /// Looks at every watched game once more, and ends.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn finish(self) -> anyhow::Result<Testimony> {
        let mut memory = self.memory.lock().await;
        let client = stack::connect(&self.postgres).await?;
        memory.checkpoints(&client).await?;
        memory.letters(&client).await?;
        let ids = memory.ids.clone();
        for ids in ids.chunks(1_000) {
            memory.games(&client, ids).await?;
        }
        Ok(memory.testimony.clone())
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(postgres: String, memory: Arc<Mutex<Memory>>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut client = None;
    for look in 0_u64.. {
        ticks.tick().await;
        let mut memory = memory.lock().await;
        if memory.blind {
            client = None;
            continue;
        }
        let seen = tokio::time::timeout(Duration::from_secs(20), async {
            let open = match client.take() {
                Some(open) => open,
                None => stack::connect(&postgres).await?,
            };
            memory.look(&open, look).await?;
            anyhow::Ok(open)
        });
        match seen.await {
            Ok(Ok(open)) => client = Some(open),
            _no_answer => memory.testimony.unanswered += 1,
        }
    }
}

impl Memory {
    async fn look(&mut self, client: &Client, look: u64) -> anyhow::Result<()> {
        self.checkpoints(client).await?;
        if look.is_multiple_of(GAMES_EVERY) {
            self.letters(client).await?;
            let mut ids = self.due_again();
            if self.ids.len() < MOST_GAMES {
                let new = client.query(NEW_GAMES, &[]).await?;
                let new = new.iter().map(|row| row.get::<_, String>(0));
                ids.extend(new.filter(|id| !self.games.contains_key(id)));
            }
            self.games(client, &ids).await?;
        }
        Ok(())
    }

    fn breach(&mut self, what: String) {
        if self.testimony.breaches.len() < MOST_BREACHES {
            self.testimony.breaches.push(what);
        }
    }

    async fn checkpoints(&mut self, client: &Client) -> anyhow::Result<()> {
        let rows = client.query(CHECKPOINTS, &[]).await?;
        self.testimony.looks += 1;
        for row in rows {
            let (partition, next): (i32, i64) = (row.get(0), row.get(1));
            let [records, good, dead]: [i64; 3] = [row.get(2), row.get(3), row.get(4)];
            self.testimony.counters_added_up += 1;
            // The topic is new: every record below next_offset was judged by somebody.
            if records != good + dead || records != next {
                self.breach(format!(
                    "partition {partition}: {next} records lie below next_offset, {records} are counted: {good} applied, \
                     duplicate or late and {dead} dead letters"
                ));
            }
            let highest = self.highest.entry(partition).or_insert(next);
            let before = std::mem::replace(highest, next.max(*highest));
            if next < before {
                self.breach(format!(
                    "partition {partition}: next_offset went back from {before} to {next}"
                ));
            }
        }
        Ok(())
    }

    async fn letters(&mut self, client: &Client) -> anyhow::Result<()> {
        for row in client.query(LETTERS, &[]).await? {
            let (partition, [counted, found]): (i32, [i64; 2]) =
                (row.get(0), [row.get(1), row.get(2)]);
            self.testimony.dead_letters_counted += 1;
            if counted != found {
                self.breach(format!(
                    "partition {partition}: {counted} dead letters are counted, {found} are there"
                ));
            }
        }
        Ok(())
    }

    /// The watched games whose turn it is.
    fn due_again(&mut self) -> Vec<String> {
        let from = self.again_from.min(self.ids.len());
        let to = (from + AGAIN).min(self.ids.len());
        self.again_from = if to == self.ids.len() { 0 } else { to };
        self.ids[from..to].to_vec()
    }

    async fn games(&mut self, client: &Client, ids: &[String]) -> anyhow::Result<()> {
        let rows = client
            .query(HASHES, &[&ids])
            .await
            .context("the games' rows cannot be read")?;
        let mut found: HashMap<String, (bool, String)> = rows
            .iter()
            .map(|row| (row.get(0), (row.get(1), row.get(2))))
            .collect();
        for id in ids {
            let now = found.remove(id);
            match (self.games.get(id), now) {
                (_, Some((false, _))) => {
                    self.breach(format!("game {id} is in the directory and nowhere else"));
                }
                (None, Some((true, hash))) => {
                    self.testimony.games_watched += 1;
                    self.games.insert(id.clone(), hash);
                    self.ids.push(id.clone());
                }
                (Some(before), Some((true, hash))) => {
                    self.testimony.games_seen_again += 1;
                    if *before != hash {
                        self.breach(format!("game {id} changed after it could be read"));
                    }
                }
                (Some(_), None) => self.breach(format!("game {id} could be read and is gone")),
                (None, None) => {}
            }
        }
        Ok(())
    }
}
