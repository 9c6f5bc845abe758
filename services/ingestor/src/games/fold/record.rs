//! Records as the fold takes them in, and as they are set aside.

use domain::{EventTime, GameEvent};
use events::Rejection;
use store::ingest::{DeadLetter, RecordCopy};
use stream::{Record, RecordBlock};

/// A record with what it says.
#[derive(Debug)]
pub struct Decoded<'a> {
    pub(super) record: Record<'a>,
    pub(super) event: Result<GameEvent<'a>, Rejection>,
}

/// Decodes the records of a block from `position` on: what was read before is passed over.
#[must_use]
pub fn decode(block: &RecordBlock, position: i64) -> Vec<Decoded<'_>> {
    let new = block.records().filter(|record| record.offset() >= position);
    new.map(|record| Decoded {
        record,
        event: events::decode(record.key(), record.value()),
    })
    .collect()
}

pub(super) fn letter(record: &Record<'_>, rejection: &Rejection) -> DeadLetter {
    DeadLetter {
        reason: rejection.reason,
        detail: rejection.detail.clone(),
        game_id: rejection.game_id.clone(),
        record: copy(record),
    }
}

pub(super) fn copy(record: &Record<'_>) -> RecordCopy {
    // A producer's clock may name a year that Postgres has no time for; such a timestamp is left out.
    let recorded_at = record
        .timestamp_ms()
        .and_then(|ms| EventTime::from_ms(ms).ok());
    RecordCopy {
        offset: record.offset(),
        recorded_at: recorded_at.map(EventTime::to_datetime),
        key: record.key().map(<[u8]>::to_vec),
        value: record.value().map(<[u8]>::to_vec),
        headers: record
            .headers()
            .map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
    }
}
