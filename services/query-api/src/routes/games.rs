//! Games.

pub(crate) mod batch;
pub(crate) mod count;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod moves;
