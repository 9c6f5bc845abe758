//! The archiver from outside: real PostgreSQL, real stores.

#![expect(
    clippy::unwrap_used,
    reason = "everything here is a test or serves one"
)]

mod chain;
mod compact;
mod foreign_readers;
mod history;
mod places;
mod retention;
mod summaries;
