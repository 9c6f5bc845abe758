//! What a worker knows of an assigned partition whoever owns it at the moment: how far it is committed, which records wait, why
//! it is stopped. Memory of the fold comes and goes with the claim; this stays until the partition is revoked, so that lag and
//! stops are told while it is claimed again.

use std::collections::VecDeque;

use stream::RecordBlock;

use crate::stops::Stop;

/// Stretches of records that were read and not committed; more are joined to the last.
const MAX_WAITING: usize = 4_096;

/// A stretch of records that wait for their commit.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    last_offset: i64,
    /// The first record's own timestamp.
    recorded_ms: Option<i64>,
}

/// What stays known of a partition while it is assigned.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The first offset that is not committed, once a claim has told.
    pub(super) next_offset: Option<i64>,
    /// Why it is stopped, until it goes on.
    pub(super) stop: Option<Stop>,
    waiting: VecDeque<Waiting>,
}

impl Standing {
    /// Records came in. Those that came before, or are committed, are known already.
    pub(super) fn read(&mut self, block: &RecordBlock) {
        let mut records = block.records();
        let Some(first) = records.next() else {
            return;
        };
        let last_offset = records.last().unwrap_or(first).offset();
        let known = self.waiting.back().map(|waiting| waiting.last_offset);
        let known = known.max(self.next_offset.map(|next| next - 1));
        if known.is_some_and(|known| last_offset <= known) {
            return;
        }
        let full = self.waiting.len() >= MAX_WAITING;
        match self.waiting.back_mut() {
            Some(back) if full => back.last_offset = last_offset,
            _ => self.waiting.push_back(Waiting {
                last_offset,
                recorded_ms: first.timestamp_ms(),
            }),
        }
    }

    /// Everything below `next` is committed.
    pub(super) fn committed(&mut self, next: i64) {
        self.next_offset = Some(next);
        while self
            .waiting
            .front()
            .is_some_and(|waiting| waiting.last_offset < next)
        {
            self.waiting.pop_front();
        }
    }

    /// The timestamp of the oldest record that was read and is not committed; at worst that of an older one read with it.
    pub(super) fn oldest_waiting_ms(&self) -> Option<i64> {
        self.waiting.front()?.recorded_ms
    }
}

#[cfg(test)]
mod tests {
    use stream::RecordBlockBuilder;

    use super::*;

    fn block(offsets: std::ops::Range<i64>) -> RecordBlock {
        let mut builder = RecordBlockBuilder::default();
        for offset in offsets {
            builder.push(offset, Some(offset * 1_000), None, None, std::iter::empty());
        }
        builder.build(0, 1)
    }

    #[test]
    fn the_oldest_waiting_record_is_that_of_the_first_block_not_committed() {
        let mut standing = Standing::default();
        standing.committed(10);
        standing.read(&block(10..20));
        standing.read(&block(20..30));
        assert_eq!(standing.oldest_waiting_ms(), Some(10_000));
        standing.committed(20);
        assert_eq!(standing.oldest_waiting_ms(), Some(20_000));
        standing.committed(30);
        assert_eq!(standing.oldest_waiting_ms(), None);
    }

    #[test]
    fn records_that_are_read_again_wait_only_once() {
        let mut standing = Standing::default();
        standing.committed(10);
        standing.read(&block(10..20));
        standing.read(&block(5..20));
        standing.read(&block(0..8));
        standing.committed(20);
        assert_eq!(standing.oldest_waiting_ms(), None);
    }

    #[test]
    fn replayed_records_do_not_wait() {
        let mut standing = Standing::default();
        standing.committed(10);
        standing.read(&block(0..10));
        assert_eq!(standing.oldest_waiting_ms(), None);
    }
}
