//! From a producer's event to the key, value and headers of a record.

use std::borrow::Cow;

use domain::EventTime;
use serde::Serialize;
use uuid::Uuid;

use crate::wire::{
    Envelope, GameAborted, GameCreated, GameEnded, GameResigned, GameTimeout, MoveMade, event_type,
};
use crate::{Rejection, SCHEMA_VERSION, decode, headers};

/// The namespace of ids that are derived from a game's id.
const ABANDONED_NAMESPACE: Uuid = Uuid::from_u128(0x6b0c_4f0e_2f5d_4f0e_9a55_7a1f_6d0c_a5e1);

/// An event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event's own id; [`EventId::new`] makes a UUIDv7.
    pub event_id: EventId,
    /// The game it belongs to.
    pub game_id: Cow<'a, str>,
    /// When it happened.
    pub occurred_at: EventTime,
    /// Where it happened.
    pub region: Option<Cow<'a, str>>,
    /// What happened.
    pub payload: Payload<'a>,
}

/// An event's own id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventId(pub Uuid);

impl EventId {
    /// A fresh UUIDv7.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

/// What happened, one variant for each event type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A game begins.
    GameCreated(GameCreated<'a>),
    /// A player moves.
    MoveMade(MoveMade<'a>),
    /// A game ends by its own rules or by agreement.
    GameEnded(GameEnded<'a>),
    /// A player gives up.
    GameResigned(GameResigned<'a>),
    /// A player's time runs out.
    GameTimeout(GameTimeout<'a>),
    /// A game is broken off.
    GameAborted(GameAborted<'a>),
}

/// A record ready to be produced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The key: the game's id.
    pub key: String,
    /// The value: the envelope as JSON.
    pub value: Vec<u8>,
    /// The headers, without a trace context.
    pub headers: Vec<(&'static str, String)>,
}

impl Payload<'_> {
    /// The `eventType` of this payload.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::GameCreated(_) => event_type::GAME_CREATED,
            Self::MoveMade(_) => event_type::MOVE_MADE,
            Self::GameEnded(_) => event_type::GAME_ENDED,
            Self::GameResigned(_) => event_type::GAME_RESIGNED,
            Self::GameTimeout(_) => event_type::GAME_TIMEOUT,
            Self::GameAborted(_) => event_type::GAME_ABORTED,
        }
    }
}

/// Encodes an event, and reads it back once: what is published can be read.
///
/// # Errors
/// The [`Rejection`] a consumer would give, when a value is outside the contract.
pub fn encode(event: &Event<'_>) -> Result<Encoded, Rejection> {
    let value = match &event.payload {
        Payload::GameCreated(payload) => json(event, payload),
        Payload::MoveMade(payload) => json(event, payload),
        Payload::GameEnded(payload) => json(event, payload),
        Payload::GameResigned(payload) => json(event, payload),
        Payload::GameTimeout(payload) => json(event, payload),
        Payload::GameAborted(payload) => json(event, payload),
    };
    decode(Some(event.game_id.as_bytes()), Some(&value))?;
    let mut headers = vec![
        (headers::EVENT_TYPE, event.payload.event_type().to_owned()),
        (headers::EVENT_ID, event.event_id.0.to_string()),
        (headers::SCHEMA_VERSION, SCHEMA_VERSION.to_string()),
    ];
    if let Some(region) = &event.region {
        headers.push((headers::REGION, region.clone().into_owned()));
    }
    Ok(Encoded {
        key: event.game_id.clone().into_owned(),
        value,
        headers,
    })
}

fn json<P: Serialize>(event: &Event<'_>, payload: &P) -> Vec<u8> {
    let envelope = Envelope {
        event_id: Cow::Owned(event.event_id.0.to_string()),
        event_type: Cow::Borrowed(event.payload.event_type()),
        schema_version: SCHEMA_VERSION,
        game_id: Cow::Borrowed(event.game_id.as_ref()),
        occurred_at: event.occurred_at.to_datetime(),
        region: event.region.as_deref().map(Cow::Borrowed),
        payload,
    };
    // Texts and numbers only, so this can't fail; an empty value would be refused by the read-back in `encode`.
    serde_json::to_vec(&envelope).unwrap_or_default()
}

/// The id of the event that ends an abandoned game: the same for everyone who finds the game abandoned.
#[must_use]
pub fn abandoned_event_id(game_id: &str) -> EventId {
    EventId(Uuid::new_v5(&ABANDONED_NAMESPACE, game_id.as_bytes()))
}
