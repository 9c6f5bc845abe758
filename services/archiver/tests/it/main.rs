//! The archiver from outside: real PostgreSQL, real stores.

#![expect(
    clippy::unwrap_used,
    reason = "everything here is a test or serves one"
)]

mod chain;
mod compact;
mod dying;
mod foreign_readers;
mod history;
mod interrupted;
mod places;
mod retention;
mod summaries;
