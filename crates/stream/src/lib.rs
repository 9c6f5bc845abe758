//! Records out of Kafka, partition by partition, and nothing lost on the way to whoever folds them.
//!
//! This crate knows bytes and offsets, not games. One thread polls ([`Consumer`]); it does no I/O of its own and never waits
//! for a slow reader: what a partition's reader has not taken yet is bounded by a budget, and a partition without budget is
//! simply not polled while the others go on and the member stays in its group.
//!
//! ```text
//!             assigned, revoked, records, failed
//!   Kafka ──► poll thread ──────────────────────────► whoever folds
//!                 ▲            start at offset, committed up to
//!                 └────────────────────────────────────┘
//! ```
//!
//! Where to read from is the reader's word alone: a newly assigned partition is silent until it is started at an offset, and
//! the group's committed offsets are written for lag tools and never read.

mod budget;
mod config;
mod consumer;
mod context;
mod error;
mod fetched;
mod identity;
mod pauses;
mod poll;
mod record;
mod slot;

pub use config::{ConsumerConfig, GroupProtocol};
pub use consumer::{Consumer, StreamEvent};
pub use error::StreamError;
pub use identity::{TopicIdentity, TopicProbe, timestamps_at};
pub use pauses::Paused;
pub use record::{Headers, Record, RecordBlock, RecordBlockBuilder};
