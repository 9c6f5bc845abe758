//! The store against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod migrations;
mod retention;
mod schema;
mod sessions;
