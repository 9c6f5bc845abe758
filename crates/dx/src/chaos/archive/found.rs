//! What an archive holds of one partition, offset by offset, and whether Kafka holds the same.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use archive::{ArchiveStore, FileReader, ObjectKey, ReadLimits};
use serde_json::Value;

use crate::verify::Log;

/// The most differences that are told of a partition.
const MOST_TOLD: usize = 5;

/// What the archive has of a partition: a digest for each offset.
pub(super) struct Found {
    partition: i32,
    digests: Vec<Option<u64>>,
    next_link: u64,
    end: i64,
    faults: Vec<String>,
    unsaid: u64,
}

impl Found {
    pub(super) fn new(partition: i32, end: i64) -> Self {
        Self {
            partition,
            digests: vec![None; usize::try_from(end).unwrap_or(0)],
            next_link: 0,
            end: 0,
            faults: Vec::new(),
            unsaid: 0,
        }
    }

    pub(super) fn fault(&mut self, what: String) {
        if self.faults.len() < MOST_TOLD {
            let partition = self.partition;
            self.faults
                .push(format!("archive: partition {partition}: {what}"));
        } else {
            self.unsaid += 1;
        }
    }

    /// Whether a link stands where it should.
    pub(super) fn follow(&mut self, key: &ObjectKey, link: &Value) {
        let (seq, start) = (link["seq"].as_u64(), link["start"].as_i64());
        if (seq, start) != (Some(self.next_link), Some(self.end)) {
            let (next, end) = (self.next_link, self.end);
            self.fault(format!(
                "{key} is link {seq:?} from offset {start:?}, and should be {next} from {end}"
            ));
        }
        if !link["gap"].is_null() {
            self.fault(format!(
                "{key} gives records up, and nobody has accepted that"
            ));
        }
        self.next_link += 1;
        self.end = link["end"].as_i64().unwrap_or(self.end);
    }

    pub(super) async fn read(
        &mut self,
        store: &ArchiveStore,
        key: &ObjectKey,
        file: &Value,
        link: &Value,
    ) -> anyhow::Result<()> {
        let bytes = file["bytes"].as_u64().unwrap_or(0);
        let within = link["start"].as_i64().unwrap_or(0)..link["end"].as_i64().unwrap_or(0);
        let mut reader = FileReader::open(store, key, bytes, ReadLimits::default()).await?;
        while let Some(batch) = reader.next_batch().await? {
            for record in batch.records() {
                if !within.contains(&record.offset) {
                    self.fault(format!(
                        "{key} has offset {}, its link has not",
                        record.offset
                    ));
                }
                let headers = record.headers.clone();
                let headers =
                    headers.map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)));
                let digest = digest(record.timestamp_ms, record.key, record.value, headers);
                let place = usize::try_from(record.offset).ok();
                match place.and_then(|place| self.digests.get_mut(place)) {
                    Some(place @ None) => *place = Some(digest),
                    Some(Some(_)) => self.fault(format!("offset {} is there twice", record.offset)),
                    None => self.fault(format!("offset {} is beyond the topic", record.offset)),
                }
            }
        }
        Ok(())
    }

    /// How many records are the same on both sides, and what differs.
    pub(super) fn against(mut self, log: &Log) -> anyhow::Result<(u64, Vec<String>)> {
        let (mut same, mut seen) = (0, 0_i64);
        let digests = std::mem::take(&mut self.digests);
        let end = i64::try_from(digests.len())?;
        log.read(self.partition, 0, end, |record, headers| {
            let offset = record.offset;
            seen = offset + 1;
            let headers = headers().unwrap_or_default();
            let theirs = digest(record.timestamp_ms, record.key, record.value, headers);
            let place = usize::try_from(offset).ok();
            match place.and_then(|place| digests.get(place).copied().flatten()) {
                Some(ours) if ours == theirs => same += 1,
                Some(_) => self.fault(format!("offset {offset} differs from Kafka's")),
                None => self.fault(format!("offset {offset} is missing")),
            }
        })?;
        let archived = digests.iter().flatten().count();
        if seen < end || archived as u64 > same {
            self.fault(format!(
                "{archived} records are archived, {same} of them are in Kafka, which ends at {seen}"
            ));
        }
        if self.unsaid > 0 {
            let unsaid = self.unsaid;
            self.faults.push(format!(
                "archive: partition {}: {unsaid} more of the kind",
                self.partition
            ));
        }
        Ok((same, self.faults))
    }
}

fn digest(
    timestamp_ms: Option<i64>,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl IntoIterator<Item = (String, Option<Vec<u8>>)>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    (timestamp_ms, key, value).hash(&mut hasher);
    for header in headers {
        header.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use archive::ObjectKey;
    use serde_json::json;

    use super::{Found, digest};

    #[test]
    fn a_digest_is_of_every_part_of_a_record() {
        let header = |value: Option<&[u8]>| vec![("h".to_owned(), value.map(<[u8]>::to_vec))];
        let digests = [
            digest(Some(1), Some(b"k"), Some(b"v"), header(Some(b"x"))),
            digest(Some(2), Some(b"k"), Some(b"v"), header(Some(b"x"))),
            digest(Some(1), Some(b"K"), Some(b"v"), header(Some(b"x"))),
            digest(Some(1), Some(b"k"), None, header(Some(b"x"))),
            digest(Some(1), Some(b"k"), Some(b""), header(Some(b"x"))),
            digest(Some(1), Some(b"k"), Some(b"v"), header(None)),
            digest(Some(1), Some(b"k"), Some(b"v"), Vec::new()),
        ];
        let different: std::collections::BTreeSet<u64> = digests.into_iter().collect();
        assert_eq!(different.len(), digests.len());
    }

    #[test]
    fn a_link_that_does_not_follow_and_a_gap_are_faults() {
        let key = ObjectKey::parse("_manifests/topic=t/x/00000/0.json").unwrap();
        let mut found = Found::new(0, 9);
        found.follow(&key, &json!({"seq": 0, "start": 0, "end": 4, "gap": null}));
        found.follow(&key, &json!({"seq": 1, "start": 4, "end": 6}));
        assert_eq!(found.faults, [] as [String; 0]);
        found.follow(&key, &json!({"seq": 2, "start": 7, "end": 8}));
        found.follow(
            &key,
            &json!({"seq": 3, "start": 8, "end": 9, "gap": {"reason": "r"}}),
        );
        assert_eq!(found.faults.len(), 2, "{:?}", found.faults);
    }
}
