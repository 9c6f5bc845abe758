//! Routes under `/v1/players`.

pub(crate) mod games;
