//! The oracle: looks at every object as it is stored, and at everything in the end. It shares no code with the archive: it reads
//! manifests as bare JSON and files with zstd and serde.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::Value;
use sha2::Digest as _;

use super::truth::{Entry, Truth};

/// Judges a run. Clones share what they saw.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    pub(crate) truths: Arc<Vec<Truth>>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// By key: each link as it stands.
    links: BTreeMap<String, Bytes>,
    /// The files that links name.
    named: BTreeSet<String>,
    /// What the log no longer had when a gap was accepted: below these offsets, by partition.
    given_up: BTreeMap<usize, i64>,
    /// Where the log of each partition has begun, at some time: a chain may begin there.
    beginnings: BTreeSet<(usize, i64)>,
    failure: Option<String>,
}

type Finding = Result<(), String>;

impl Judge {
    pub(crate) fn new(truths: Vec<Truth>) -> Self {
        Self {
            truths: Arc::new(truths),
            seen: Arc::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.seen().failure.clone()
    }

    fn fail(&self, failure: String) {
        self.seen().failure.get_or_insert(failure);
    }

    pub(crate) fn named(&self) -> BTreeSet<String> {
        self.seen().named.clone()
    }

    /// The log of this partition has begun at `first` when an operator gave up what was below.
    pub(crate) fn given_up(&self, partition: usize, first: i64) {
        self.seen().given_up.insert(partition, first);
    }

    /// The log of this partition begins at `first` now.
    pub(crate) fn begins(&self, partition: usize, first: i64) {
        self.seen().beginnings.insert((partition, first));
    }

    /// A file was written over what was there before, if anything. The same bytes again do no harm: a put that is tried twice.
    pub(crate) fn stored(&self, name: &str, before: Option<&Bytes>, bytes: &Bytes) {
        if before.is_some_and(|before| before != bytes) && self.seen().named.contains(name) {
            self.fail(format!(
                "{name} was overwritten with other bytes after a link had named it"
            ));
        }
    }

    pub(crate) fn removed(&self, name: &str) {
        if self.seen().named.contains(name) || name.starts_with("_manifests/") {
            self.fail(format!("{name} was removed although it counts"));
        }
    }

    /// A link was written.
    pub(crate) fn linked(
        &self,
        name: &str,
        bytes: &Bytes,
        there: bool,
        objects: &BTreeMap<String, Bytes>,
    ) {
        if there {
            self.fail(format!("{name} was overwritten"));
        }
        let outcome = self.judge_link(name, bytes, objects);
        let mut seen = self.seen();
        seen.links.insert(name.to_owned(), bytes.clone());
        if let Ok(link) = serde_json::from_slice::<Value>(bytes) {
            seen.named.extend(keys(&link));
        }
        drop(seen);
        if let Err(failure) = outcome {
            self.fail(format!("{name}: {failure}"));
        }
    }

    fn judge_link(&self, name: &str, bytes: &Bytes, objects: &BTreeMap<String, Bytes>) -> Finding {
        let link: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let (seq, start, end) = (
            number(&link, "seq")?,
            number(&link, "start")?,
            number(&link, "end")?,
        );
        let partition =
            usize::try_from(number(&link, "partition")?).map_err(|error| error.to_string())?;
        let truth = self
            .truths
            .get(partition)
            .ok_or("there is no such partition")?;
        if !name.ends_with(&format!("/{partition:05}/{seq:020}.json")) {
            return Err("it stands at another's place".into());
        }
        let expected = self.previous(name, seq, partition, start)?;
        if (start, link["previous_sha256"].clone()) != expected {
            return Err(format!("it begins at {start}, expected {expected:?}"));
        }
        if !link["gap"].is_null() {
            let allowed = self.seen().given_up.get(&partition).copied();
            return if allowed == Some(end) {
                Ok(())
            } else {
                Err(format!("a gap up to {end}, allowed is {allowed:?}"))
            };
        }
        let mut found = Vec::new();
        for file in link["files"].as_array().ok_or("no files")? {
            found.extend(read_file(file, objects)?);
        }
        found.sort_by_key(|(entry, _)| entry.offset);
        let wanted: Vec<&Entry> = truth
            .entries
            .iter()
            .filter(|entry| (start..end).contains(&entry.offset))
            .collect();
        if found.len() != wanted.len() {
            return Err(format!(
                "{} records from {start} to {end}, expected {}",
                found.len(),
                wanted.len()
            ));
        }
        for ((entry, key), wanted) in found.iter().zip(wanted) {
            let folder = format!("/{}/", wanted.folder);
            let same = Entry {
                folder: wanted.folder.clone(),
                ..entry.clone()
            } == *wanted;
            if !same || !key.contains(&folder) {
                return Err(format!("{key} has {entry:?}, expected {wanted:?}"));
            }
        }
        Ok(())
    }

    /// Where a link has to begin, and the hash it has to carry.
    fn previous(
        &self,
        name: &str,
        seq: i64,
        partition: usize,
        start: i64,
    ) -> Result<(i64, Value), String> {
        if seq == 0 {
            let truth = &self.truths[partition];
            let first = truth.first();
            let seen = self.seen();
            // Where the log has begun at some time, or at the record after that.
            let begins = start == first
                || seen.beginnings.iter().any(|(of, from)| {
                    let between = |entry: &Entry| (*from..start).contains(&entry.offset);
                    *of == partition && *from <= start && !truth.entries.iter().any(between)
                });
            return Ok((if begins { start } else { first }, Value::Null));
        }
        let place = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let seen = self.seen();
        let before = seen
            .links
            .get(&format!("{place}/{:020}.json", seq - 1))
            .ok_or("the link before is missing")?;
        let link: Value = serde_json::from_slice(before).map_err(|error| error.to_string())?;
        Ok((number(&link, "end")?, Value::String(hash(before))))
    }

    /// What must be true when everything has settled.
    pub(crate) fn in_the_end(&self, objects: &BTreeMap<String, Bytes>) -> Finding {
        let (named, links) = (self.named(), self.seen().links.clone());
        for (partition, truth) in self.truths.iter().enumerate() {
            let of_partition = format!("/{partition:05}/");
            let ours = links
                .iter()
                .filter(|(name, _)| name.contains(&of_partition));
            let mut end = None;
            for (name, bytes) in ours {
                let link: Value =
                    serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
                if objects.get(name) != Some(bytes)
                    || end.is_some_and(|end| Ok(end) != number(&link, "start"))
                {
                    return Err(format!(
                        "{name} was changed, or does not follow the one before"
                    ));
                }
                // What was in the files was judged when they were linked; nothing may have touched them since.
                untouched(&link, objects).map_err(|failure| format!("{name}: {failure}"))?;
                end = Some(number(&link, "end")?);
            }
            let expected = truth.end(truth.entries.len());
            // Retention may have taken the whole log before anything of it was archived.
            let nothing_left = self.seen().beginnings.contains(&(partition, expected));
            if end != Some(expected) && !(end.is_none() && nothing_left) {
                return Err(format!(
                    "partition {partition} is archived up to {end:?}, expected {expected}"
                ));
            }
        }
        // Without a link nothing tells garbage from what a writer that is stopped may still name.
        let has_chain = |key: &str| {
            let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
            let partition = name
                .split_once('-')
                .map_or(name, |(partition, _)| partition);
            links
                .keys()
                .any(|link| link.contains(&format!("/{partition}/")))
        };
        let garbage =
            |key: &&String| key.starts_with("raw/") && !named.contains(*key) && has_chain(key);
        match objects.keys().find(garbage) {
            Some(garbage) => Err(format!("garbage is left: {garbage}")),
            None => Ok(()),
        }
    }
}

fn number(link: &Value, field: &str) -> Result<i64, String> {
    link[field].as_i64().ok_or_else(|| format!("no {field}"))
}

fn hash(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn keys(link: &Value) -> Vec<String> {
    let files = link["files"].as_array().cloned().unwrap_or_default();
    files
        .iter()
        .filter_map(|file| file["key"].as_str().map(str::to_owned))
        .collect()
}

/// Whether the files of a link are there with the bytes that it says.
fn untouched(link: &Value, objects: &BTreeMap<String, Bytes>) -> Finding {
    for file in link["files"].as_array().ok_or("no files")? {
        let key = file["key"].as_str().ok_or("a file without a key")?;
        let bytes = objects
            .get(key)
            .ok_or_else(|| format!("{key} is missing"))?;
        if file["sha256"].as_str() != Some(&hash(bytes)) {
            return Err(format!("{key} has other bytes than its link says"));
        }
    }
    Ok(())
}

/// The records of a file, and its key.
fn read_file(
    file: &Value,
    objects: &BTreeMap<String, Bytes>,
) -> Result<Vec<(Entry, String)>, String> {
    let key = file["key"].as_str().ok_or("a file without a key")?;
    let bytes = objects
        .get(key)
        .ok_or_else(|| format!("{key} is missing"))?;
    if file["sha256"].as_str() != Some(&hash(bytes))
        || file["bytes"].as_u64() != Some(bytes.len() as u64)
    {
        return Err(format!("{key} has other bytes than its link says"));
    }
    let text = zstd::decode_all(&bytes[..]).map_err(|error| format!("{key}: {error}"))?;
    let text = String::from_utf8(text).map_err(|error| format!("{key}: {error}"))?;
    let mut records = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).map_err(|error| format!("{key}: {error}"))?;
        let headers = line["headers"].as_array().cloned().unwrap_or_default();
        let header = |header: &Value| {
            (
                header["name"].as_str().unwrap_or("?").to_owned(),
                blob(header, "value"),
            )
        };
        let entry = Entry {
            offset: number(&line, "offset")?,
            timestamp_ms: line["timestamp_ms"].as_i64(),
            key: blob(&line, "key"),
            value: blob(&line, "value"),
            headers: headers.iter().map(header).collect(),
            folder: String::new(),
        };
        records.push((entry, key.to_owned()));
    }
    if file["rows"].as_u64() != Some(records.len() as u64) {
        return Err(format!(
            "{key} has {} records, its link says {}",
            records.len(),
            file["rows"]
        ));
    }
    Ok(records)
}

fn blob(object: &Value, field: &str) -> Option<Vec<u8>> {
    let base64 = object[format!("{field}_base64")].as_str();
    match base64 {
        Some(text) => BASE64.decode(text).ok(),
        None => object[field].as_str().map(|text| text.as_bytes().to_vec()),
    }
}
