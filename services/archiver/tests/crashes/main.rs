//! Real archivers over a real Kafka: killed at each step, stopped and woken, two at a time; and the commands on what they wrote.
//! Judged by a reader that shares no code with the archive.

#![expect(
    clippy::unwrap_used,
    reason = "everything here is a test or serves one"
)]

mod archiver;
mod commands;
mod faults;
mod ledger;
mod weather;
