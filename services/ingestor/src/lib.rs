//! Folds game events from Kafka into Postgres: no event lost, none doubled, each game's in order.
//!
//! ```text
//! stream::Consumer ──► Worker ──► games::PartitionFold     decide: pure
//!                        │  ▲            │
//!                        ▼  │            ▼
//!                       Ledger ◄──── batches               act: one transaction each
//! ```
//!
//! `docs/DELIVERY.md` states the guarantee and the rules behind it; [`run`] reads as the story of a process.

mod accept_gap;
pub mod cli;
pub mod config;
mod dead_letters;
mod follow;
pub mod games;
mod janitor;
pub mod ledger;
pub mod log;
pub mod metrics;
mod readiness;
pub mod run;
mod status;
pub mod stops;
mod upkeep;
mod watch;
pub mod worker;
