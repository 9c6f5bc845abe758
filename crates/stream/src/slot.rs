//! One assigned partition as the poll thread sees it: where it stands, and the block that is being gathered from its queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::RecordBlock;
use crate::budget::{Budget, Credit};
use crate::fetched::{Fetched, Message, PartitionQueue};

/// A block is closed at this many records.
const BLOCK_RECORDS: usize = 4_096;
/// A block is closed at this many bytes.
const BLOCK_BYTES: usize = 4 << 20;
/// What librdkafka takes for a message beside its key and value: its own book-keeping, headers, and framing.
const MESSAGE_BYTES: usize = 512;

#[derive(Debug)]
pub(crate) enum State {
    Silent,
    Seeking { offset: i64 },
    Started { expected: i64 },
}

#[derive(Debug)]
pub(crate) struct Slot {
    queue: Option<Arc<PartitionQueue>>,
    pub(crate) state: State,
    pub(crate) epoch: u64,
    pub(crate) budget: Arc<Budget>,
    pub(crate) paused: bool,
    gathered: Vec<Message>,
    gathered_bytes: usize,
    most_bytes: usize,
    opened: Instant,
}

/// What a round brought.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    pub(crate) records: usize,
    pub(crate) out_of_range: Option<String>,
}

impl Slot {
    /// A silent partition, whose blocks grow to `most_bytes` at the most and one take beyond.
    pub(crate) fn new(queue: Option<Arc<PartitionQueue>>, most_bytes: usize) -> Self {
        Self {
            queue,
            state: State::Silent,
            epoch: 0,
            budget: Arc::default(),
            paused: false,
            gathered: Vec::new(),
            gathered_bytes: 0,
            most_bytes: most_bytes.min(BLOCK_BYTES),
            opened: Instant::now(),
        }
    }

    /// Goes to another state; what was gathered in the one before is dropped.
    pub(crate) fn change(&mut self, state: State) {
        self.state = state;
        self.gathered.clear();
        self.gathered_bytes = 0;
    }

    /// Gathers records from the queue until it is empty or the block full.
    pub(crate) fn drain(&mut self) -> Drained {
        let mut drained = Drained::default();
        let Some(queue) = self.queue.clone() else {
            return drained;
        };
        while !self.is_full() {
            let mut empty = true;
            for message in queue.take() {
                empty = false;
                match message.error().map(KafkaError::MessageConsumption) {
                    None => drained.records += usize::from(self.gather(message)),
                    Some(error) if is_out_of_range(&error) => {
                        drained.out_of_range = Some(error.to_string());
                        return drained;
                    }
                    Some(error) => tracing::warn!(%error, "partition poll"),
                }
            }
            if empty {
                break;
            }
        }
        drained
    }

    /// Takes a message into the block; false for one from before the start.
    fn gather(&mut self, message: Message) -> bool {
        let State::Started { expected } = &mut self.state else {
            return false;
        };
        if message.offset() < *expected {
            return false;
        }
        *expected = message.offset() + 1;
        if self.gathered.is_empty() {
            self.opened = Instant::now();
        }
        let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        self.gathered_bytes += bytes(message.key()) + bytes(message.value()) + MESSAGE_BYTES;
        self.gathered.push(message);
        true
    }

    fn is_full(&self) -> bool {
        self.gathered.len() >= BLOCK_RECORDS || self.gathered_bytes >= self.most_bytes
    }

    /// The block, when it is full or has waited for `linger`. It counts against the partition's budget and `total`.
    pub(crate) fn close(
        &mut self,
        partition: i32,
        linger: Duration,
        total: &Arc<Budget>,
    ) -> Option<RecordBlock> {
        let due = self.is_full() || self.opened.elapsed() >= linger;
        let queue = self.queue.as_ref()?;
        if self.gathered.is_empty() || !due {
            return None;
        }
        let budgets = vec![Arc::clone(&self.budget), Arc::clone(total)];
        let credit = Credit::take(budgets, std::mem::take(&mut self.gathered_bytes));
        let records = Fetched::new(std::mem::take(&mut self.gathered), Arc::clone(queue));
        Some(RecordBlock::fetched(partition, self.epoch, records, credit))
    }
}

fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::NoOffset
        )
    )
}
