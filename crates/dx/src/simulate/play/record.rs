//! A record in bytes, encoded as the contract's own encoder would, without its read-back: the stream is tested instead.

use std::sync::Arc;

use chrono::DateTime;
use events::wire::Envelope;
use events::{SCHEMA_VERSION, headers};
use serde::Serialize;
use uuid::Uuid;

/// A typical event with its envelope, so that encoding allocates once.
const TYPICAL_BYTES: usize = 320;

/// A record ready to be published.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) key: Option<Arc<[u8]>>,
    pub(crate) value: Option<Vec<u8>>,
    /// What the headers say; `None` for a record without.
    pub(crate) about: Option<About>,
}

/// What a record's headers say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) event_type: &'static str,
    pub(crate) event_id: Uuid,
    pub(crate) region: &'static str,
}

/// Room for a record's headers, which borrow from it.
#[derive(Debug, Default)]
pub(crate) struct HeaderRoom {
    id: Vec<u8>,
}

impl Record {
    /// Encodes an event.
    pub(super) fn encode<P: Serialize>(
        game_id: &Arc<str>,
        about: About,
        at_ms: i64,
        payload: &P,
    ) -> Self {
        let mut id = Uuid::encode_buffer();
        let envelope = Envelope {
            event_id: (&*about.event_id.hyphenated().encode_lower(&mut id)).into(),
            event_type: about.event_type.into(),
            schema_version: SCHEMA_VERSION,
            game_id: (&**game_id).into(),
            occurred_at: DateTime::from_timestamp_millis(at_ms).unwrap_or_default(),
            region: Some(about.region.into()),
            payload,
        };
        let mut value = Vec::with_capacity(TYPICAL_BYTES);
        // Texts and numbers only, into memory: this can't fail, and a test decodes what comes out.
        let _infallible = serde_json::to_writer(&mut value, &envelope);
        Self {
            key: Some(Arc::from(game_id.as_bytes())),
            value: Some(value),
            about: Some(about),
        }
    }

    /// The headers, as the publisher wants them.
    pub(crate) fn headers<'a>(
        &'a self,
        room: &'a mut HeaderRoom,
    ) -> Vec<(&'static str, Option<&'a [u8]>)> {
        let Some(about) = &self.about else {
            return Vec::new();
        };
        let mut id = Uuid::encode_buffer();
        room.id.clear();
        room.id
            .extend_from_slice(about.event_id.hyphenated().encode_lower(&mut id).as_bytes());
        vec![
            (headers::EVENT_TYPE, Some(about.event_type.as_bytes())),
            (headers::EVENT_ID, Some(&room.id)),
            (headers::SCHEMA_VERSION, Some(b"1")),
            (headers::REGION, Some(about.region.as_bytes())),
        ]
    }
}
