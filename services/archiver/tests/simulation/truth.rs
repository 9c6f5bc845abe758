//! What is in the log, and where each record has to lie: worked out from the records alone, by rules of its own.

use super::chance::Chance;

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    /// The folder that it must lie in, below the topic's.
    pub(crate) folder: String,
}

/// The log of one partition.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) entries: Vec<Entry>,
}

/// Midday of 2026-11-21.
const NOON_MS: i64 = 1_795_262_400_000;

/// Times and the folders of their hours, written down by hand.
const TIMES: [(Option<i64>, &str); 7] = [
    (Some(NOON_MS), "dt=2026-11-21/hour=12"),
    (Some(NOON_MS + 3_599_999), "dt=2026-11-21/hour=12"),
    (Some(NOON_MS + 3_600_000), "dt=2026-11-21/hour=13"),
    (Some(NOON_MS + 12 * 3_600_000), "dt=2026-11-22/hour=00"),
    (Some(253_402_300_800_000), "dt=9999-12-31/hour=23"),
    (Some(0), "dt=1970-01-01/hour=00"),
    (None, "dt=1970-01-01/hour=00"),
];

/// Region headers and the folders they lead to.
const REGIONS: [(Option<&str>, &str); 6] = [
    (Some("eu"), "region=eu"),
    (Some("eu"), "region=eu"),
    (Some("us-east"), "region=us-east"),
    (Some("../x"), "region=_other"),
    (Some(""), "region=_other"),
    (None, "region=nowhere"),
];

/// The region of records without a header, as the simulated processes are configured.
pub(crate) const DEFAULT_REGION: &str = "nowhere";

impl Truth {
    pub(crate) fn draw(chance: &Chance) -> Self {
        let count = 10 + chance.below(70);
        let mut offset = chance.one_of(&[0, 0, 0, 1_000]);
        // Transactions and compaction leave offsets out.
        let sparse = chance.one_of(&[0, 0, 100]);
        // Most logs stay in few folders, some are spread wide.
        let (times, regions) = (chance.one_of(&[1, 3, 7]), chance.one_of(&[2, 3, 6]));
        let mut entries = Vec::new();
        for number in 0..count {
            let (timestamp_ms, hour) = TIMES[chance.index(times)];
            let (region, folder) = REGIONS[chance.index(regions)];
            let mut headers = vec![("event_type".to_owned(), Some(b"MoveMade".to_vec()))];
            headers.extend(region.map(|region| ("region".to_owned(), Some(region.into()))));
            entries.push(Entry {
                offset,
                timestamp_ms,
                key: (!chance.rarely(50)).then(|| format!("g-{}", chance.below(5)).into_bytes()),
                value: chance
                    .one_of(&[Some(0), Some(1), Some(2), None])
                    .map(|kind| body(kind, number)),
                headers,
                folder: format!("{folder}/{hour}"),
            });
            offset += 1 + i64::from(chance.rarely(sparse));
        }
        Self { entries }
    }

    pub(crate) fn first(&self) -> i64 {
        self.entries.first().map_or(0, |entry| entry.offset)
    }

    /// The offset after the last of so many records.
    pub(crate) fn end(&self, published: usize) -> i64 {
        match published.checked_sub(1) {
            Some(last) => self.entries[last].offset + 1,
            None => self.first(),
        }
    }
}

fn body(kind: u32, number: u64) -> Vec<u8> {
    match kind {
        0 => format!(
            r#"{{"eventId":"e-{number}","gameId":"g","eventType":"MoveMade","schemaVersion":1}}"#
        )
        .into_bytes(),
        1 => vec![0xff, 0xfe, u8::try_from(number % 256).unwrap_or(0)],
        _ => Vec::new(),
    }
}
