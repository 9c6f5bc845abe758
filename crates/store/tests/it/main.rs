//! The store against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod live_games;
mod migrations;
mod retention;
mod schema;
mod sessions;
