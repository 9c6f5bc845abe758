//! The wire contract, held from outside: golden fixtures, the committed schemas and what is refused.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod contract;
mod fixtures;
mod schemas;
