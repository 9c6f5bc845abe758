//! Games that ended in batches which the directory may not show yet.
//!
//! A look-up begun before a batch was committed does not see the games it ended, even if it is used long after. So the end
//! of a game is remembered until its batch is committed *and* every look-up begun before that commit has been folded.

use std::collections::{HashMap, VecDeque};

use domain::GameId;

/// The ends of games whose directory entries may be on their way.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    ends: HashMap<GameId, String>,
    /// The games of each batch that ended some, in batch order, with the offset after the batch.
    batches: VecDeque<(i64, Vec<GameId>)>,
    open: Vec<GameId>,
    committed: i64,
    look_up_under_way: bool,
}

impl Tombstones {
    /// The end's fingerprint, if the game ended in a batch remembered here.
    pub(crate) fn get(&self, id: &str) -> Option<&str> {
        self.ends.get(id).map(String::as_str)
    }

    /// Remembers an end of the open batch.
    pub(crate) fn add(&mut self, id: GameId, end: String) {
        self.open.push(id.clone());
        self.ends.insert(id, end);
    }

    /// The open batch is closed at `next`.
    pub(crate) fn close_batch(&mut self, next: i64) {
        if !self.open.is_empty() {
            self.batches
                .push_back((next, std::mem::take(&mut self.open)));
        }
    }

    /// A look-up begins: what it will miss must be remembered until it is folded.
    pub(crate) fn begin_look_up(&mut self) {
        self.look_up_under_way = true;
    }

    /// The look-up that was under way has been folded.
    pub(crate) fn end_look_up(&mut self) {
        self.look_up_under_way = false;
        self.forget();
    }

    /// Everything below `next` is committed.
    pub(crate) fn commit(&mut self, next: i64) {
        self.committed = self.committed.max(next);
        self.forget();
    }

    fn forget(&mut self) {
        if self.look_up_under_way {
            return;
        }
        while self
            .batches
            .front()
            .is_some_and(|(next, _)| *next <= self.committed)
        {
            for id in self
                .batches
                .pop_front()
                .into_iter()
                .flat_map(|(_, ids)| ids)
            {
                self.ends.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> GameId {
        GameId::parse(text).unwrap()
    }

    fn ended() -> Tombstones {
        let mut tombstones = Tombstones::default();
        tombstones.add(id("g"), "drawn agreement".into());
        tombstones.close_batch(10);
        tombstones
    }

    #[test]
    fn an_end_is_remembered_until_its_batch_is_committed() {
        let mut tombstones = ended();
        tombstones.commit(9);
        assert_eq!(tombstones.get("g"), Some("drawn agreement"));
        tombstones.commit(10);
        assert_eq!(tombstones.get("g"), None);
    }

    #[test]
    fn an_end_outlives_its_commit_until_a_look_up_begun_before_it_is_folded() {
        let mut tombstones = ended();
        tombstones.begin_look_up();
        tombstones.commit(10);
        assert!(tombstones.get("g").is_some());
        tombstones.end_look_up();
        assert!(tombstones.get("g").is_none());
    }
}
