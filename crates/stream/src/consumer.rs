//! A member of the consumer group: the handle to its poll thread.

use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::context::{self, Context, HighWatermarks};
use crate::pauses::{Paused, Pauses};
use crate::poll::{Command, PollLoop};
use crate::{ConsumerConfig, RecordBlock, StreamError};

/// What the poll thread tells.
#[derive(Debug)]
pub enum StreamEvent {
    /// These partitions are this member's now. They are silent until [`Consumer::start`].
    Assigned(Vec<i32>),
    /// These partitions are no longer this member's.
    Revoked(Vec<i32>),
    /// Records of one started partition, from its start on without a hole that Kafka knows of.
    Records(RecordBlock),
    /// A partition can't be read on from where it is: the offset lies outside the log. It is silent until started again.
    OutOfRange {
        /// The partition.
        partition: i32,
        /// The epoch it was started with.
        epoch: u64,
        /// What the client said.
        detail: String,
    },
}

/// A member of the consumer group. Dropping it leaves the group.
#[derive(Debug)]
pub struct Consumer {
    commands: Sender<Command>,
    high_watermarks: HighWatermarks,
    pauses: Pauses,
    thread: Option<JoinHandle<()>>,
}

impl Consumer {
    /// Joins the group. `deliver` is called on the poll thread and must not block.
    ///
    /// # Errors
    /// [`StreamError`] when the client or its thread can't be made. A broker out of reach is no error: the client goes on
    /// trying.
    pub fn join(
        config: &ConsumerConfig,
        deliver: impl FnMut(StreamEvent) + Send + 'static,
    ) -> Result<Self, StreamError> {
        let context = Context::default();
        let high_watermarks = Arc::clone(&context.high_watermarks);
        let pauses = context.pauses.clone();
        let consumer: BaseConsumer<Context> = config
            .member()
            .create_with_context(context)
            .map_err(|source| StreamError::Client { source })?;
        consumer
            .subscribe(&[&config.topic])
            .map_err(|source| StreamError::Subscribe {
                topic: config.topic.clone(),
                source,
            })?;
        let (commands, inbox) = channel();
        let poll = PollLoop::new(config.clone(), Arc::new(consumer), inbox, deliver);
        let thread = std::thread::Builder::new()
            .name("kafka-poll".into())
            .spawn(move || poll.run())
            .map_err(|source| StreamError::Thread { source })?;
        Ok(Self {
            commands,
            high_watermarks,
            pauses,
            thread: Some(thread),
        })
    }

    /// Reads a partition from `offset` on. Its blocks carry `epoch`, which tells them from those of an earlier start.
    pub fn start(&self, partition: i32, offset: i64, epoch: u64) {
        self.send(Command::Start {
            partition,
            offset,
            epoch,
        });
    }

    /// Makes a partition silent until it is started again.
    pub fn stop(&self, partition: i32) {
        self.send(Command::Stop { partition });
    }

    /// Tells Kafka how far a partition is done, for lag tools. Best effort.
    pub fn committed(&self, partition: i32, next_offset: i64) {
        self.send(Command::Committed {
            partition,
            next_offset,
        });
    }

    /// The offset just past the newest record of a partition, as last heard from the broker.
    #[must_use]
    pub fn high_watermark(&self, partition: i32) -> Option<i64> {
        self.high_watermarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&partition)
            .copied()
    }

    /// Notes a partition's high watermark that was asked for elsewhere: the client hears of none while it fetches nothing.
    pub fn heard_high_watermark(&self, partition: i32, high: i64) {
        context::heard(&self.high_watermarks, partition, high);
    }

    /// How often and how long each assigned partition was left unread because its reader was behind.
    #[must_use]
    pub fn pauses(&self) -> HashMap<i32, Paused> {
        self.pauses.all()
    }

    fn send(&self, command: Command) {
        // The thread ends only when this handle is dropped; a command to a thread that panicked has nobody to go to.
        let _ = self.commands.send(command);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.send(Command::Leave);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
