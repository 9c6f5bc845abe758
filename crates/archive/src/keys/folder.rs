//! The folder of a record: topic, region, date and hour, in Hive's form.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{ObjectKey, TopicName, name_fault};
use crate::Result;

const HOUR_MS: i64 = 3_600_000;
/// The hour of 9999-12-31T23:00Z, in hours since 1970: later ones have no four-digit year.
const LAST_HOUR: i64 = 70_389_527;
/// The hour for records that have no time of their own: 1970-01-01T00.
pub const FIRST_HOUR: i64 = 0;

/// Where records happened: `[a-z0-9][a-z0-9_-]{0,31}`, or `_other`.
///
/// A producer writes it into a header, so it is checked before it becomes a folder's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// The region of records whose header is none.
    #[must_use]
    pub fn other() -> Self {
        Self("_other".into())
    }

    /// Reads a region; `_other` is one too.
    ///
    /// # Errors
    /// [`crate::ArchiveError::Name`].
    pub fn parse(text: &str) -> Result<Self> {
        let mut bytes = text.bytes();
        let first = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let plain = text.len() <= 32
            && bytes.next().is_some_and(first)
            && bytes.all(|b| first(b) || matches!(b, b'-' | b'_'));
        if plain || text == "_other" {
            Ok(Self(text.into()))
        } else {
            Err(name_fault(
                "region",
                text,
                "a region is 1 to 32 of a-z 0-9 - _, and does not begin with - or _",
            ))
        }
    }

    /// The region as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder of some of a topic's records: a region and an hour of UTC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawFolder {
    /// The region.
    pub region: Region,
    /// The hour, in hours since 1970, from 0 to the last of the year 9999.
    hour: i64,
}

impl RawFolder {
    /// The folder of a record with this timestamp, in milliseconds since 1970. Times that no calendar of four digits has are
    /// drawn to its ends; no time at all is the first hour of 1970.
    #[must_use]
    pub fn of(region: Region, timestamp_ms: Option<i64>) -> Self {
        let hour = Self::hour_of(timestamp_ms);
        Self { region, hour }
    }

    /// The hour of a record with this timestamp, in hours since 1970, within the calendar.
    #[must_use]
    pub fn hour_of(timestamp_ms: Option<i64>) -> i64 {
        timestamp_ms.map_or(FIRST_HOUR, |ms| {
            ms.div_euclid(HOUR_MS).clamp(FIRST_HOUR, LAST_HOUR)
        })
    }

    /// The hour, in hours since 1970.
    #[must_use]
    pub fn hour(&self) -> i64 {
        self.hour
    }

    /// The key of the folder.
    #[must_use]
    pub fn key(&self, topic: &TopicName) -> ObjectKey {
        let (date, hour) = self.date_and_hour();
        topic
            .raw_folder()
            .join(&format!("region={}/dt={date}/hour={hour}", self.region))
    }

    /// The date, such as `2026-11-21`, and the hour, such as `07`.
    #[must_use]
    pub fn date_and_hour(&self) -> (String, String) {
        let time = DateTime::<Utc>::from_timestamp_millis(self.hour * HOUR_MS).unwrap_or_default();
        let text = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        (text[..10].to_owned(), text[11..13].to_owned())
    }

    /// Reads the topic and the folder from a folder's key.
    ///
    /// # Errors
    /// [`crate::ArchiveError::Name`].
    pub fn parse(key: &ObjectKey) -> Result<(TopicName, Self)> {
        let fault = || {
            let reason = "expected raw/topic=…/region=…/dt=YYYY-MM-DD/hour=HH";
            name_fault("folder of records", key.as_str(), reason)
        };
        let parts: Vec<&str> = key.as_str().split('/').collect();
        let ["raw", topic, region, date, hour] = parts[..] else {
            return Err(fault());
        };
        let value = |part: &'_ str, name: &str| {
            part.strip_prefix(name).map(str::to_owned).ok_or_else(fault)
        };
        let topic = TopicName::parse(&value(topic, "topic=")?)?;
        let region = Region::parse(&value(region, "region=")?)?;
        let text = format!("{}T{}:00:00Z", value(date, "dt=")?, value(hour, "hour=")?);
        let time = DateTime::parse_from_rfc3339(&text).map_err(|_no_time| fault())?;
        let folder = Self::of(region, Some(time.timestamp_millis()));
        if folder.key(&topic) != *key {
            return Err(fault());
        }
        Ok((topic, folder))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(region: &str, timestamp_ms: Option<i64>) -> String {
        let topic = TopicName::parse("game-events").unwrap();
        RawFolder::of(Region::parse(region).unwrap(), timestamp_ms)
            .key(&topic)
            .to_string()
    }

    #[test]
    fn records_lie_by_region_date_and_hour() {
        let at = |ms| key("eu", ms);
        assert_eq!(
            at(Some(1_795_255_200_123)),
            "raw/topic=game-events/region=eu/dt=2026-11-21/hour=10"
        );
        assert_eq!(
            at(Some(1_795_305_599_999)),
            "raw/topic=game-events/region=eu/dt=2026-11-21/hour=23"
        );
        assert_eq!(
            at(Some(1_795_305_600_000)),
            "raw/topic=game-events/region=eu/dt=2026-11-22/hour=00"
        );
        assert_eq!(
            at(None),
            "raw/topic=game-events/region=eu/dt=1970-01-01/hour=00"
        );
        assert_eq!(
            at(Some(-5)),
            "raw/topic=game-events/region=eu/dt=1970-01-01/hour=00"
        );
        assert_eq!(
            at(Some(i64::MAX)),
            "raw/topic=game-events/region=eu/dt=9999-12-31/hour=23"
        );
    }

    #[test]
    fn regions_that_could_be_paths_are_none() {
        for wrong in [
            "",
            "EU",
            "a/b",
            "..",
            "_x",
            "-x",
            "a b",
            "é",
            &"x".repeat(33),
        ] {
            assert!(Region::parse(wrong).is_err(), "{wrong}");
        }
        for right in ["eu", "us-east-1", "_other", "0", "eu_west", &"x".repeat(32)] {
            assert!(Region::parse(right).is_ok(), "{right}");
        }
    }

    proptest! {
        #[test]
        fn a_folder_is_read_back_from_its_key(ms in any::<Option<i64>>(), region in "[a-z0-9][a-z0-9_-]{0,31}") {
            let topic = TopicName::parse("t.1").unwrap();
            let folder = RawFolder::of(Region::parse(&region).unwrap(), ms);
            let (found_topic, found) = RawFolder::parse(&folder.key(&topic)).unwrap();
            prop_assert_eq!((found_topic, found), (topic, folder));
        }
    }
}
