//! The games in progress of one partition, and which of their events no snapshot covers yet.
//!
//! A game is *dirty* while it has an event that its row in `live_games` does not cover. `replay_from` is the lowest such event
//! of all games, so the dirty ones are also kept in the order of their first uncovered offset: the front of that queue is
//! `replay_from`, and whatever is too old to stay uncovered stands there too. Entries of games that were snapshotted or ended
//! meanwhile are passed over when they come to the front.
//!
//! Ids are stored once, in the slots; the index holds slot numbers only. Who has found a game once may keep its [`Place`] and
//! need not look for its id again.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use domain::{GameId, LiveGame};
use hashbrown::{DefaultHashBuilder, HashTable};

/// A game in progress and what its snapshot covers.
#[derive(Debug, Clone)]
pub(crate) struct Tracked {
    pub(crate) id: GameId,
    pub(crate) game: LiveGame,
    /// The first event that no snapshot covers.
    pub(crate) first_uncovered: Option<i64>,
    /// Whether `live_games` has a row of it, or will have once the batches on their way are committed.
    pub(crate) has_row: bool,
    /// Applied plies at the last snapshot.
    pub(crate) plies_at_snapshot: u32,
    /// The batch that touched it last.
    touched_in: u32,
    /// Which game of its slot it is.
    serial: u32,
}

/// Where a game was found: its slot, and which of the games that stand there one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    slot: u32,
    serial: u32,
}

/// When a game became dirty, and where it stands.
#[derive(Debug, Clone, Copy)]
struct DirtyEntry {
    offset: i64,
    since_ms: u64,
    slot: u32,
}

/// The games in progress of one partition.
#[derive(Debug, Default)]
pub(crate) struct LiveSet {
    slots: Vec<Option<Tracked>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    /// Seeded anew in each process: ids come from outside.
    hasher: DefaultHashBuilder,
    dirty: VecDeque<DirtyEntry>,
    touched: Vec<u32>,
    batch: u32,
    inserted: u32,
}

impl LiveSet {
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn find(&self, id: &str) -> Option<u32> {
        let same = |slot: &u32| {
            self.get(*slot)
                .is_some_and(|tracked| tracked.id.as_str() == id)
        };
        self.index.find(self.hasher.hash_one(id), same).copied()
    }

    /// Where a game stands, to find it again with [`Self::still_at`].
    pub(crate) fn place(&self, id: &str) -> Option<Place> {
        let slot = self.find(id)?;
        let serial = self.get(slot)?.serial;
        Some(Place { slot, serial })
    }

    /// The slot of a game found before, unless it has left.
    pub(crate) fn still_at(&self, place: Place) -> Option<u32> {
        let tracked = self.get(place.slot)?;
        (tracked.serial == place.serial).then_some(place.slot)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Tracked> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Tracked> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// Adds a game that is not there yet.
    pub(crate) fn insert(&mut self, id: GameId, game: LiveGame, has_row: bool) -> u32 {
        let hash = self.hasher.hash_one(id.as_str());
        let plies_at_snapshot = game.applied_plies();
        self.inserted = self.inserted.wrapping_add(1);
        let tracked = Tracked {
            id,
            game,
            first_uncovered: None,
            has_row,
            plies_at_snapshot,
            touched_in: self.batch.wrapping_sub(1),
            serial: self.inserted,
        };
        let slot = if let Some(slot) = self.free.pop() {
            slot
        } else {
            self.slots.push(None);
            // A partition with four billion live games would have run out of memory long before.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        };
        self.slots[slot as usize] = Some(tracked);
        let Self {
            slots,
            hasher,
            index,
            ..
        } = self;
        index.insert_unique(hash, slot, |slot| {
            hasher.hash_one(
                slots[*slot as usize]
                    .as_ref()
                    .map_or("", |tracked| tracked.id.as_str()),
            )
        });
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Tracked> {
        let tracked = self.slots.get_mut(slot as usize)?.take()?;
        let hash = self.hasher.hash_one(tracked.id.as_str());
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(tracked)
    }

    /// Notes that the event at `offset` changed the game.
    pub(crate) fn touch(&mut self, slot: u32, offset: i64, now_ms: u64) {
        let batch = self.batch;
        let Some(tracked) = self.get_mut(slot) else {
            return;
        };
        let first_touch = std::mem::replace(&mut tracked.touched_in, batch) != batch;
        let newly_dirty = tracked.first_uncovered.is_none();
        if newly_dirty {
            tracked.first_uncovered = Some(offset);
            self.dirty.push_back(DirtyEntry {
                offset,
                since_ms: now_ms,
                slot,
            });
        }
        if first_touch {
            self.touched.push(slot);
        }
    }

    /// The slots touched since the last call: the next batch begins.
    pub(crate) fn take_touched(&mut self) -> Vec<u32> {
        self.batch = self.batch.wrapping_add(1);
        std::mem::take(&mut self.touched)
    }

    /// The lowest uncovered offset, since when it is uncovered, and whose it is.
    pub(crate) fn oldest_dirty(&mut self) -> Option<(i64, u64, u32)> {
        while let Some(entry) = self.dirty.front() {
            let stands = self
                .get(entry.slot)
                .is_some_and(|tracked| tracked.first_uncovered == Some(entry.offset));
            if stands {
                return Some((entry.offset, entry.since_ms, entry.slot));
            }
            self.dirty.pop_front();
        }
        None
    }

    /// Marks a game as covered by a snapshot that is on its way, and gives its state.
    pub(crate) fn snapshot(&mut self, slot: u32) -> Option<(GameId, Vec<u8>)> {
        let tracked = self.get_mut(slot)?;
        tracked.first_uncovered = None;
        tracked.has_row = true;
        tracked.plies_at_snapshot = tracked.game.applied_plies();
        Some((tracked.id.clone(), tracked.game.encode()))
    }

    /// The slots of games without a row, in no order.
    pub(crate) fn without_row(&self) -> Vec<u32> {
        let slots = self.slots.iter().zip(0u32..);
        slots
            .filter(|(tracked, _)| tracked.as_ref().is_some_and(|t| !t.has_row))
            .map(|(_, slot)| slot)
            .collect()
    }

    /// Bytes that the games and their book-keeping take.
    pub(crate) fn memory_bytes(&self) -> usize {
        let games: usize = self
            .slots
            .iter()
            .flatten()
            .map(|t| t.id.as_str().len() + t.game.heap_bytes())
            .sum();
        games
            + self.slots.capacity() * size_of::<Option<Tracked>>()
            + self.dirty.capacity() * size_of::<DirtyEntry>()
            + self.index.capacity() * (size_of::<u32>() + 1)
    }
}
