//! Routes under `/v1/games`.

pub(crate) mod get;
