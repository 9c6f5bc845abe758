//! What stands beside a record's bytes for those who ask: a few fields of the body's envelope.
//!
//! A body is not judged here. It is read as far as it is a JSON object whose fields have the expected types; otherwise every
//! column is null, and the bytes are archived all the same.

use std::borrow::Cow;

use chrono::DateTime;
use serde::Deserialize;

/// The columns of a body. Null where it can't be read, or has no such field.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct BodyColumns<'a> {
    /// `eventId`.
    pub event_id: Option<Cow<'a, str>>,
    /// `eventType`.
    pub event_type: Option<Cow<'a, str>>,
    /// `gameId`.
    pub game_id: Option<Cow<'a, str>>,
    /// `occurredAt`, in milliseconds since 1970.
    pub occurred_at_ms: Option<i64>,
    /// `schemaVersion`.
    pub schema_version: Option<i32>,
}

/// A text that is borrowed where JSON needs no unescaping; inside an `Option`, a bare `Cow` never is.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    event_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    event_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    game_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    occurred_at: Option<Text<'a>>,
    #[serde(default)]
    schema_version: Option<i64>,
}

impl<'a> BodyColumns<'a> {
    /// Reads a body.
    #[must_use]
    pub fn read(value: Option<&'a [u8]>) -> Self {
        let object = value.filter(|bytes| bytes.trim_ascii_start().first() == Some(&b'{'));
        // Checked as UTF-8 in one go rather than word by word. What is not, may still be an object with odd bytes in a field that
        // nobody asks for.
        let read = |bytes: &'a [u8]| match std::str::from_utf8(bytes) {
            Ok(text) => serde_json::from_str::<Envelope<'a>>(text),
            Err(_) => serde_json::from_slice(bytes),
        };
        let Some(envelope) = object.and_then(|bytes| read(bytes).ok()) else {
            return Self::default();
        };
        let text = |text: Option<Text<'a>>| text.map(|Text(text)| text);
        let time = envelope.occurred_at.as_ref().and_then(|Text(text)| {
            DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|time| time.timestamp_millis())
        });
        Self {
            event_id: text(envelope.event_id),
            event_type: text(envelope.event_type),
            game_id: text(envelope.game_id),
            occurred_at_ms: time,
            schema_version: envelope
                .schema_version
                .and_then(|version| i32::try_from(version).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_read_without_copying() {
        let body = br#" {"eventId":"e","eventType":"MoveMade","schemaVersion":1,"gameId":"g",
            "occurredAt":"2026-11-21T10:00:00.123Z","payload":{"x":[1,{}]}}"#;
        let columns = BodyColumns::read(Some(body));
        assert!(matches!(columns.game_id, Some(Cow::Borrowed("g"))));
        assert_eq!(columns.occurred_at_ms, Some(1_795_255_200_123));
        assert_eq!(columns.schema_version, Some(1));
    }

    #[test]
    fn what_can_not_be_read_is_null_and_the_rest_is_kept() {
        let read = |text: &'static str| BodyColumns::read(Some(text.as_bytes()));
        assert_eq!(
            read(r#"{"gameId":"g","occurredAt":"yesterday"}"#)
                .game_id
                .unwrap(),
            "g"
        );
        assert_eq!(
            read(r#"{"gameId":"g","schemaVersion":9999999999}"#).schema_version,
            None
        );
        for poison in [
            "",
            "null",
            "[1]",
            r#"["a","b"]"#,
            "{",
            "{\"gameId\":7}",
            "\u{feff}{}",
            "{\"gameId\":\"a\",\"gameId\":\"b\"}",
        ] {
            assert_eq!(read(poison), BodyColumns::default(), "{poison}");
        }
        assert_eq!(
            BodyColumns::read(Some(b"{\"gameId\":\"\xff\"}")),
            BodyColumns::default()
        );
        assert_eq!(BodyColumns::read(None), BodyColumns::default());
        let odd = BodyColumns::read(Some(b"{\"gameId\":\"g\",\"payload\":\"\xff\"}"));
        assert_eq!(odd.game_id.unwrap(), "g");
        let deep = format!("{{\"payload\":{}", "[".repeat(100_000));
        assert_eq!(
            BodyColumns::read(Some(deep.as_bytes())),
            BodyColumns::default()
        );
    }
}
