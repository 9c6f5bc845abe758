//! The time an event carries: whole milliseconds since 1970, within a range no storage layout has to fear.
//!
//! A producer's clock chooses the Postgres partition of a finished game, so a time outside 1970–2100 never becomes an
//! [`EventTime`].

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Why a time was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Before 1970 or from 2100 on.
    #[error("must lie between 1970-01-01 and 2100-01-01")]
    OutOfRange,
}

/// When something happened, by its producer's clock: milliseconds since 1970-01-01T00:00:00Z, before 2100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// First accepted instant, in milliseconds since 1970.
    pub const MIN_MS: i64 = 0;
    /// First instant that is too late (2100-01-01T00:00:00Z), in milliseconds since 1970.
    pub const END_MS: i64 = 4_102_444_800_000;

    /// Takes milliseconds since 1970.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] outside `[MIN_MS, END_MS)`.
    pub fn from_ms(ms: i64) -> Result<Self, TimeError> {
        if (Self::MIN_MS..Self::END_MS).contains(&ms) {
            Ok(Self(ms))
        } else {
            Err(TimeError::OutOfRange)
        }
    }

    /// Takes a calendar time, cutting it to whole milliseconds.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] outside `[MIN_MS, END_MS)`.
    pub fn from_datetime(time: DateTime<Utc>) -> Result<Self, TimeError> {
        Self::from_ms(time.timestamp_millis())
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// The calendar time.
    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        // In range by construction: chrono represents every millisecond of 1970 to 2100.
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .to_datetime()
                .to_rfc3339_opts(SecondsFormat::Millis, true),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_from_1970_until_2100_are_accepted() {
        assert!(EventTime::from_ms(0).is_ok());
        assert_eq!(
            EventTime::from_ms(EventTime::END_MS - 1)
                .unwrap()
                .to_string(),
            "2099-12-31T23:59:59.999Z"
        );
        assert_eq!(EventTime::from_ms(-1), Err(TimeError::OutOfRange));
        assert_eq!(
            EventTime::from_ms(EventTime::END_MS),
            Err(TimeError::OutOfRange)
        );
    }
}
