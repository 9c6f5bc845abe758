//! The API as its callers see it: an in-process server on a port of its own, over a database of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod auth;
mod bad_input;
mod batch;
mod cache;
mod collection;
mod conventions;
mod corpus;
mod export;
mod feed;
mod games;
mod health;
mod http;
mod limits;
mod openapi;
mod players;
mod rivals;
mod seed;
mod server;
mod stats;
mod tokens;
mod walks;
