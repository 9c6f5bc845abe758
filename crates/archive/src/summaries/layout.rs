//! The names of summaries: every part is parsed, and a name that the layout does not have is no name.

use std::fmt;
use std::num::NonZeroU32;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keys::{ObjectKey, Region};

/// Which revision of a day it is, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionNumber(NonZeroU32);

impl RevisionNumber {
    /// The first one.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// A number; 0 is taken for 1.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    fn parse(digits: &str) -> Option<Self> {
        let plain = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit());
        let number = plain.then(|| digits.parse().ok())??;
        NonZeroU32::new(number).map(Self)
    }
}

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// What a file's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Finished games.
    Games,
    /// Players' games.
    Players,
}

impl Kind {
    /// The folder's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Games => "games",
            Self::Players => "players",
        }
    }
}

/// A day of UTC and a region: what is summed up together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DayKey {
    /// The day the games ended.
    pub day: NaiveDate,
    /// Where.
    pub region: Region,
}

impl DayKey {
    /// The folder of the manifests.
    #[must_use]
    pub fn manifests(&self) -> ObjectKey {
        manifests_of_day(self.day).join(&format!("region={}", self.region))
    }

    /// The key of a revision's manifest.
    #[must_use]
    pub fn manifest(&self, revision: RevisionNumber) -> ObjectKey {
        self.manifests().join(&format!("{revision}.json"))
    }

    /// The folder of the files of a kind.
    #[must_use]
    pub fn files(&self, kind: Kind) -> ObjectKey {
        let (kind, region, day) = (kind.as_str(), &self.region, self.day);
        folder(&format!("summaries/{kind}/region={region}/dt={day}"))
    }

    /// The key of a file. No two attempts have the same.
    #[must_use]
    pub fn file(&self, kind: Kind, revision: RevisionNumber, part: u32, writer: Uuid) -> ObjectKey {
        let name = format!("{revision}-{part:04}-{}.parquet", writer.simple());
        self.files(kind).join(&name)
    }

    /// The day, region and revision of a manifest's key; nothing for any other key.
    #[must_use]
    pub fn of_manifest(key: &ObjectKey) -> Option<(Self, RevisionNumber)> {
        let parts: Vec<&str> = key.as_str().split('/').collect();
        let ["summaries", "_manifests", day, region, name] = parts[..] else {
            return None;
        };
        let found = Self {
            day: day.strip_prefix("dt=")?.parse().ok()?,
            region: Region::parse(region.strip_prefix("region=")?).ok()?,
        };
        let revision = RevisionNumber::parse(name.strip_suffix(".json")?)?;
        (found.manifest(revision) == *key).then_some((found, revision))
    }

    /// The day and region, and the revision, of a file's key; nothing for any other key.
    #[must_use]
    pub fn of_file(key: &ObjectKey) -> Option<(Self, RevisionNumber)> {
        let parts: Vec<&str> = key.as_str().split('/').collect();
        let ["summaries", kind, region, day, _] = parts[..] else {
            return None;
        };
        let kind = [Kind::Games, Kind::Players]
            .into_iter()
            .find(|known| known.as_str() == kind)?;
        let found = Self {
            day: day.strip_prefix("dt=")?.parse().ok()?,
            region: Region::parse(region.strip_prefix("region=")?).ok()?,
        };
        let revision = found.revision_of_file(kind, key)?;
        Some((found, revision))
    }

    /// The revision that a file of this day was written for; nothing for any other key.
    #[must_use]
    pub fn revision_of_file(&self, kind: Kind, key: &ObjectKey) -> Option<RevisionNumber> {
        let parts: Vec<&str> = key.name().strip_suffix(".parquet")?.split('-').collect();
        let [revision, part, writer] = parts[..] else {
            return None;
        };
        let revision = RevisionNumber::parse(revision)?;
        let same = self.file(
            kind,
            revision,
            part.parse().ok()?,
            Uuid::try_parse(writer).ok()?,
        );
        (same == *key).then_some(revision)
    }
}

impl fmt::Display for DayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.region, self.day)
    }
}

/// The folder of all manifests.
pub(super) fn manifests() -> ObjectKey {
    folder("summaries/_manifests")
}

/// The folder of all manifests of a day.
pub(super) fn manifests_of_day(day: NaiveDate) -> ObjectKey {
    folder(&format!("summaries/_manifests/dt={day}"))
}

#[expect(
    clippy::expect_used,
    reason = "made of constants, a date and a region, which have no characters that a key must not have"
)]
fn folder(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("a folder of the layout is a key")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_day() -> impl Strategy<Value = DayKey> {
        (0..47_000_u64, "[a-z0-9][a-z0-9_-]{0,31}").prop_map(|(days, region)| DayKey {
            day: NaiveDate::default() + chrono::Days::new(days),
            region: Region::parse(&region).unwrap(),
        })
    }

    proptest! {
        #[test]
        fn a_manifest_is_found_again_by_its_key(day in any_day(), number in 1..1_000_000_u32) {
            let revision = RevisionNumber::new(number);
            let key = day.manifest(revision);
            prop_assert_eq!(DayKey::of_manifest(&key), Some((day, revision)));
        }

        #[test]
        fn a_files_revision_is_read_from_its_key(day in any_day(), number in 1..1_000_000_u32, part in 0..10_000_u32, writer in any::<u128>()) {
            let revision = RevisionNumber::new(number);
            let key = day.file(Kind::Games, revision, part, Uuid::from_u128(writer));
            prop_assert_eq!(day.revision_of_file(Kind::Games, &key), Some(revision));
            prop_assert_eq!(day.revision_of_file(Kind::Players, &key), None);
            prop_assert_eq!(DayKey::of_file(&key), Some((day, revision)));
        }
    }

    #[test]
    fn a_name_written_differently_is_another_name() {
        for wrong in [
            "summaries/_manifests/dt=2026-11-20/region=eu/1.json",
            "summaries/_manifests/dt=2026-11-20/region=eu/000000.json",
            "summaries/_manifests/dt=2026-11-2/region=eu/000001.json",
            "summaries/_manifests/dt=2026-11-20/region=-eu/000001.json",
            "summaries/_manifests/dt=2026-11-20/000001.json",
        ] {
            let key = ObjectKey::parse(wrong).unwrap();
            assert_eq!(DayKey::of_manifest(&key), None, "{wrong}");
        }
    }
}
