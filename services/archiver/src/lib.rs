//! Every record of the topics into object storage, once, provably whole.

pub mod retention;
pub mod summaries;
