//! The ingestor from outside, without servers: its worker driven through the seams that Kafka and PostgreSQL stand behind, and its
//! reading of events held against the judge's.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "everything here is a test or serves one"
)]

mod differential;
mod simulation;
mod unanswered;
