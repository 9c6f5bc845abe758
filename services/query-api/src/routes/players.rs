//! Players.

pub(crate) mod export;
pub(crate) mod games;
pub(crate) mod get;
pub(crate) mod opponents;
pub(crate) mod ratings;
pub(crate) mod stats;
pub(crate) mod versus;
