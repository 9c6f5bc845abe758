//! What the whole workspace has to keep to: the direction of its arrows, its licences, the shape of its files.
//!
//! Needs no servers: everything is read from `cargo metadata` and the sources.

#![expect(
    clippy::unwrap_used,
    reason = "a check that cannot read the workspace fails"
)]

mod arrows;
mod files;
mod licences;
mod seeded_bugs;
mod workspace;
