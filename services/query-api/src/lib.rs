//! Reads of the game history over HTTP.
//!
//! ```text
//! cli ──► config ──► run: log, pool, monitor, server
//!                            │
//!        app: convey ──► observe ──► admit ──► routes ──► extract (checked parameters) ──► store::read ──► views (JSON)
//!                            └─────► Problem (application/problem+json), whatever goes wrong
//! ```
//!
//! Requests share nothing but the pool and immutable [`state::AppState`]. No parameter is ignored and no value is bent: what is
//! not understood is refused with its name. `docs/API.md` is the contract in words, `/openapi.json` the one for programs.

pub mod access;
pub mod app;
pub mod cache;
pub mod cli;
pub mod cold;
mod conditional;
pub mod config;
pub mod conventions;
pub mod cursor;
mod extract;
pub mod freshness;
pub mod limits;
pub mod metrics;
pub mod monitor;
pub mod openapi;
mod problem;
mod routes;
pub mod run;
pub mod state;
mod views;
