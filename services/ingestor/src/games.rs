//! The projection of games: from the records of one partition to batches of rows.
//!
//! Pure: it reads order, key and value of records and nothing else, so the same log gives the same rows. Time only decides
//! how fresh the snapshots of live games are. Whoever drives a [`PartitionFold`] brings the records, answers its look-ups and
//! carries its batches to the database; `crate::worker` does so for real, the tests with a log and a store of their own.

mod fold;
mod live_set;
mod open_batch;
mod policy;
mod tombstones;

pub use fold::{Decoded, FoldError, PartitionFold, decode};
pub use policy::{CloseReason, FoldPolicy};
