//! From the claim to N: memory is rebuilt, and nothing else happens.

use std::collections::HashMap;

use domain::{Action, GameEvent, GameId, LiveGame, Verdict};
use store::ingest::DirectoryEntry;

use super::{Decoded, FoldError, PartitionFold};

impl PartitionFold {
    /// Folds the records below N, without effects, and takes them from the front of `records`.
    ///
    /// # Errors
    /// [`FoldError::Snapshot`] when a loaded game turns out to be damaged.
    pub fn replay(&mut self, records: &mut Vec<Decoded<'_>>, now_ms: u64) -> Result<(), FoldError> {
        if self.position >= self.resume_at {
            return Ok(());
        }
        let below = records.partition_point(|decoded| decoded.record.offset() < self.resume_at);
        for decoded in records.drain(..below) {
            let offset = decoded.record.offset();
            self.position = offset + 1;
            if let Ok(event) = &decoded.event {
                self.replay_event(offset, event, now_ms)?;
            }
        }
        if !records.is_empty() {
            self.position = self.resume_at;
        }
        Ok(())
    }

    fn replay_event(
        &mut self,
        offset: i64,
        event: &GameEvent<'_>,
        now_ms: u64,
    ) -> Result<(), FoldError> {
        let Some(slot) = self.live.find(&event.game_id) else {
            if let Action::Create(new) = &event.action
                && let Ok(id) = GameId::parse(&event.game_id)
            {
                let slot = self.live.insert(id, LiveGame::begin(new, event.at), false);
                self.live.touch(slot, offset, now_ms);
            }
            return Ok(());
        };
        if self
            .covered
            .get(&slot)
            .is_some_and(|as_of| offset <= *as_of)
        {
            return Ok(());
        }
        let (verdict, finished) = self.apply(slot, event)?;
        if verdict == Verdict::Applied {
            self.live.touch(slot, offset, now_ms);
        }
        if finished.is_some() {
            self.live.remove(slot);
            self.covered.remove(&slot);
        }
        Ok(())
    }

    /// The games to look up before anything at or above N is folded, once the replay has reached N.
    #[must_use]
    pub fn ghosts_to_look_up(&self) -> Option<Vec<&str>> {
        if self.settled || self.position < self.resume_at {
            return None;
        }
        Some(
            self.live
                .without_row()
                .into_iter()
                .filter_map(|slot| Some(self.live.get(slot)?.id.as_str()))
                .collect(),
        )
    }

    /// Drops the games that the replay brought back although they have ended.
    ///
    /// # Errors
    /// [`FoldError::Stale`] when one of them ended above N.
    pub fn settle(&mut self, ended: &HashMap<GameId, DirectoryEntry>) -> Result<(), FoldError> {
        for (id, entry) in ended {
            self.refuse_newer(id, entry, self.resume_at)?;
            if self.is_mine(entry)
                && let Some(slot) = self.live.find(id.as_str())
            {
                self.live.remove(slot);
            }
        }
        self.covered = HashMap::new();
        self.settled = true;
        Ok(())
    }
}
