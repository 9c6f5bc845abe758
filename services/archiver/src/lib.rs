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
pub mod cli;
pub mod config;
pub mod log;
pub mod metrics;
pub mod raw;
pub mod run;
pub mod sweep;
pub mod retention;
pub mod summaries;
