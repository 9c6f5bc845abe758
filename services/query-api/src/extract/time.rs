//! Times in queries: RFC 3339, or milliseconds since 1970.

use chrono::DateTime;
use domain::{EventTime, TimeError};

use super::Refusal;

/// Numbers below this are taken for seconds, and refused: as milliseconds they would lie before March 1973.
const LEAST_MS: i64 = 100_000_000_000;

/// Reads a time.
pub(super) fn read(text: &str) -> Result<EventTime, Refusal> {
    let number = text.strip_prefix('-').unwrap_or(text);
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        return epoch(text);
    }
    let malformed = || {
        Refusal::new(
            "malformed",
            "must be a time such as 2026-11-21T10:00:00Z, or milliseconds since 1970",
        )
    };
    if text.len() > 40 {
        return Err(malformed());
    }
    let time = DateTime::parse_from_rfc3339(&with_plus(text))
        .ok()
        .ok_or_else(malformed)?;
    Ok(EventTime::from_datetime(time.to_utc())?)
}

fn epoch(text: &str) -> Result<EventTime, Refusal> {
    let Ok(ms) = text.parse::<i64>() else {
        return Err(TimeError::OutOfRange.into());
    };
    if (0..LEAST_MS).contains(&ms) {
        return Err(Refusal::new(
            "wrong-unit",
            "must be in milliseconds since 1970; this looks like seconds (write times before March 1973 as text)",
        ));
    }
    Ok(EventTime::from_ms(ms)?)
}

/// A `+` of a zone that was not percent-encoded arrives as a space: `2026-11-21T10:00:00 02:00`.
fn with_plus(text: &str) -> String {
    match text.rfind(' ') {
        Some(space) if space >= "2026-11-21T10:00".len() => {
            format!("{}+{}", &text[..space], &text[space + 1..])
        }
        _ => text.to_owned(),
    }
}

impl From<TimeError> for Refusal {
    fn from(error: TimeError) -> Self {
        Self::new("out-of-range", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_text_or_milliseconds() {
        let expected = EventTime::from_ms(1_795_255_200_000).unwrap();
        for text in [
            "1795255200000",
            "2026-11-21T10:00:00Z",
            "2026-11-21T10:00:00.000Z",
            "2026-11-21T12:00:00+02:00",
            "2026-11-21T12:00:00 02:00",
            "2026-11-21 10:00:00Z",
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn seconds_are_told_apart_and_the_unit_is_named() {
        let refusal = read("1795255200").unwrap_err();
        assert_eq!(refusal.code, "wrong-unit");
        assert!(refusal.detail.contains("milliseconds"), "{refusal:?}");
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in [
            "",
            "now",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-11-21T25:00:00Z",
            "20261121T100000Z",
            "1e12",
            "１７９５２５５２００００００",
            "2026-11-21T10:00:00é 02:00",
        ] {
            assert_eq!(read(text).unwrap_err().code, "malformed", "{text}");
        }
        for text in [
            "-1",
            "9999999999999999999999",
            "4102444800000",
            "1969-12-31T23:59:59Z",
            "2100-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text).unwrap_err().code, "out-of-range", "{text}");
        }
    }
}
