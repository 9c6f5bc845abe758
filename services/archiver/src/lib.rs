//! Puts every record of Kafka's topics into object storage, each once, provably; and takes it out again.
//!
//! ```text
//! stream::Consumer ──► raw::Owner ──► raw::PartitionWriter     decide: pure
//!                        │  ▲                  │
//!                        ▼  │                  ▼
//!                  archive::Chain ◄──── closed batches         act: files, then a manifest
//! ```
//!
//! `docs/ARCHIVE.md` has the layout as a contract; [`run`] reads as the story of a process.

pub mod accept_gap;
mod cat;
mod chains;
pub mod cli;
pub mod compact;
pub mod config;
mod copy_to_topic;
mod jobs;
pub mod kafka_tail;
pub mod log;
mod ls;
pub mod metrics;
mod quarantine;
pub mod raw;
pub mod retention;
pub mod run;
pub mod summaries;
pub mod sweep;
mod verify;
