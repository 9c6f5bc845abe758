//! The main job from outside: the binaries as they are deployed, a real Kafka, a real PostgreSQL, the developer's commands.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod archived_games;
mod contract;
mod crashes;
mod events;
mod history;
mod limits;
mod real_games;
mod simulated_games;
mod stops;
