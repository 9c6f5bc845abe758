//! The store against a real Postgres.

mod migrations;
mod schema;
mod sessions;
