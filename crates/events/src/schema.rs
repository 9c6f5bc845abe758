//! JSON Schemas, generated from the types of [`crate::wire`] and committed under `docs/events`.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::SCHEMA_VERSION;
use crate::wire::{
    Envelope, GameAborted, GameCreated, GameEnded, GameResigned, GameTimeout, MoveMade, event_type,
};

/// The schema of one event type.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The event type.
    pub event_type: &'static str,
    /// The schema's file name under `docs/events`.
    pub file_name: String,
    /// The schema: draft 2020-12, the envelope with this payload.
    pub json: Value,
}

/// The schemas of all event types, in the order a game meets them.
#[must_use]
pub fn schemas() -> Vec<Schema> {
    vec![
        schema::<GameCreated<'_>>(event_type::GAME_CREATED),
        schema::<MoveMade<'_>>(event_type::MOVE_MADE),
        schema::<GameEnded<'_>>(event_type::GAME_ENDED),
        schema::<GameResigned<'_>>(event_type::GAME_RESIGNED),
        schema::<GameTimeout<'_>>(event_type::GAME_TIMEOUT),
        schema::<GameAborted<'_>>(event_type::GAME_ABORTED),
    ]
}

fn schema<P: JsonSchema>(event_type: &'static str) -> Schema {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut json = generator
        .into_root_schema_for::<Envelope<'_, P>>()
        .to_value();
    json["title"] = event_type.into();
    json["properties"]["eventType"]["const"] = event_type.into();
    json["properties"]["schemaVersion"]["const"] = SCHEMA_VERSION.into();
    Schema {
        event_type,
        file_name: format!("{event_type}.v{SCHEMA_VERSION}.schema.json"),
        json,
    }
}
