//! The wire contract between a game platform and its history.
//!
//! One JSON object a record: an envelope and one of six payloads. Producers build an [`Event`] and [`encode()`] it; consumers
//! [`decode()`] a record's key and value into a checked [`domain::GameEvent`] or learn why it can't be one. The JSON Schemas
//! in `docs/events` are generated from the types of [`wire`] and a test holds them together.
//!
//! A value outside this contract is never a panic and never a guess: it is a [`Rejection`] with the reason under which the
//! record becomes a dead letter. The checks run in this order, and the first that fails names the reason:
//!
//! 1. `undecodable`: the envelope is not a UTF-8 JSON object, misses a field or has one of the wrong JSON type (a `schemaVersion` or a
//!    rating outside 32 bits is one);
//! 2. `unsupported`: an `eventType` or `schemaVersion` this build does not know;
//! 3. `undecodable`: the same as 1, for the payload;
//! 4. `key_mismatch`: the record's key is missing or differs from `gameId`;
//! 5. `invalid`: a value outside its limits.

mod decode;
mod encode;
pub mod headers;
mod schema;
pub mod wire;

pub use decode::{Rejection, decode};
pub use encode::{Encoded, Event, EventId, Payload, abandoned_event_id, encode};
pub use schema::{Schema, schemas};

/// The topic that games are published to, unless configured otherwise.
pub const GAME_EVENTS_TOPIC: &str = "game-events";

/// The schema version this build writes and reads.
pub const SCHEMA_VERSION: u32 = 1;
