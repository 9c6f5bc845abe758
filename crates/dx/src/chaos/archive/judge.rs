//! Whether the archive is the topic: each record of each partition once, byte for byte, and nothing else in the bucket.
//!
//! `archiver verify` proves the chain and every digest; `archiver sweep` removes what zombies left. Then manifests are read here as
//! bare JSON, the files that they name are read record by record, and what was found at each offset is held against what a plain
//! consumer reads from Kafka. All of it past the proxy: the weather is over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use archive::{ArchiveStore, Chain, ObjectKey, StoreSettings, TopicName};
use futures::TryStreamExt as _;
use serde::Serialize;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use super::environment;
use super::found::Found;
use crate::chaos::members::Members;
use crate::stack::{self, Endpoints, Profile};
use crate::verify::Log;

/// How often to look whether the archivers have caught up.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long archivers may take to end.
const LEAVE_PATIENCE: Duration = Duration::from_secs(60);

/// What was compared.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(in crate::chaos) struct Compared {
    pub(in crate::chaos) links: u64,
    pub(in crate::chaos) files: u64,
    pub(in crate::chaos) records: u64,
    /// Files of attempts that did not count, which a sweep of the whole removed in the end.
    pub(in crate::chaos) swept_at_last: u64,
    pub(in crate::chaos) faults: Vec<String>,
}

/// Waits until the archivers have the whole topic, tells them to leave, and judges what they made.
///
/// # Errors
/// The store, Kafka or a command can't be asked.
pub(in crate::chaos) async fn judge(
    profile: &Profile,
    program: &Path,
    archivers: &mut Members<'_>,
    patience: Duration,
) -> anyhow::Result<Compared> {
    let endpoints = profile.endpoints()?;
    let store = ArchiveStore::open(&settings(&endpoints)?)?;
    let topic = TopicName::parse(&endpoints.topic)?;
    let mut compared = Compared::default();
    let ends = stack::end_offsets(&endpoints.kafka, &endpoints.topic).await?;
    compared.faults = catch_up(&store, &topic, &ends, patience).await?;
    let stubborn = archivers.dismiss(LEAVE_PATIENCE).await?;
    let stubborn = stubborn.iter();
    compared
        .faults
        .extend(stubborn.map(|name| format!("{name} did not end when it was told to")));

    let ask = Commands {
        program,
        endpoints: &endpoints,
        report: profile.logs_dir().join("archiver-verify.json"),
    };
    compared.faults.extend(ask.verify().await?);
    compared.swept_at_last = ask.sweep().await?;
    let named = compare(&store, &topic, &endpoints, &ends, &mut compared).await?;
    let mut listed = store.list(&topic.raw_folder());
    while let Some(object) = listed.try_next().await? {
        if !named.contains(&object.key) {
            let fault = format!(
                "archive: {} is named by no manifest, and was not swept",
                object.key
            );
            compared.faults.push(fault);
        }
    }
    Ok(compared)
}

fn settings(endpoints: &Endpoints) -> anyhow::Result<StoreSettings> {
    let s3 = endpoints.archive.s3.as_ref();
    let s3 = s3.context("the attacked stack has no object store")?;
    Ok(StoreSettings {
        endpoint: Some(s3.endpoint.clone()),
        region: Some(s3.region.to_owned()),
        access_key_id: Some(s3.access_key.to_owned()),
        secret_access_key: Some(s3.secret_key.to_owned().into()),
        allow_http: true,
        ..StoreSettings::at(endpoints.archive.url.clone())
    })
}

/// Waits until every chain ends where its partition does, or the time is over; then says which do not.
async fn catch_up(
    store: &ArchiveStore,
    topic: &TopicName,
    ends: &[i64],
    patience: Duration,
) -> anyhow::Result<Vec<String>> {
    let deadline = Instant::now() + patience;
    loop {
        let mut archived = BTreeMap::new();
        for id in archive::chain::chains_of(store, topic).await? {
            let partition = id.partition;
            let head = Chain::new(store.clone(), id).head().await?;
            archived.insert(partition, head.end.unwrap_or(0));
        }
        let behind: Vec<String> = (0..)
            .zip(ends)
            .filter_map(|(partition, end)| {
                let found = archived.get(&partition).copied().unwrap_or(0);
                (found < *end).then(|| {
                    format!(
                        "archive: partition {partition} is archived up to offset {found}, the topic ends at {end}; {} s were not enough",
                        patience.as_secs()
                    )
                })
            })
            .collect();
        if behind.is_empty() || Instant::now() >= deadline {
            return Ok(behind);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The archiver's own commands.
struct Commands<'a> {
    program: &'a Path,
    endpoints: &'a Endpoints,
    report: PathBuf,
}

impl Commands<'_> {
    async fn run(&self, words: &[&str]) -> anyhow::Result<std::process::Output> {
        let s3 = self.endpoints.archive.s3.as_ref();
        let s3 = s3.context("the attacked stack has no object store")?;
        Command::new(self.program)
            .args(words)
            .args(["--topic", &self.endpoints.topic])
            .envs(environment(self.endpoints, s3, s3.endpoint.clone()))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("the archiver cannot be started")
    }

    /// What `archiver verify` finds.
    async fn verify(&self) -> anyhow::Result<Vec<String>> {
        let path = self
            .report
            .to_str()
            .context("the profile's path is not UTF-8")?;
        let output = self.run(&["verify", "--compare", "--json", path]).await?;
        let told = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let report: Value = match std::fs::read(&self.report) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(_none) => return Ok(vec![format!("archiver verify says nothing: {}", told())]),
        };
        let chains = report["chains"].as_array().into_iter().flatten();
        let faults = chains.flat_map(|chain| chain["faults"].as_array().into_iter().flatten());
        let mut faults: Vec<String> = faults
            .map(|fault| {
                format!(
                    "archiver verify: {}: {}",
                    fault["key"].as_str().unwrap_or_default(),
                    fault["detail"].as_str().unwrap_or_default()
                )
            })
            .collect();
        if faults.is_empty() && !output.status.success() {
            faults.push(format!("archiver verify failed: {}", told()));
        }
        Ok(faults)
    }

    /// Removes what no manifest can name; how many files that were.
    async fn sweep(&self) -> anyhow::Result<u64> {
        let output = self.run(&["sweep", "--yes"]).await?;
        ensure!(
            output.status.success(),
            "archiver sweep failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let told = String::from_utf8_lossy(&output.stdout);
        Ok(told.lines().filter(|line| line.starts_with("raw/")).count() as u64)
    }
}

/// Reads every chain and holds it against Kafka. The files that manifests name.
async fn compare(
    store: &ArchiveStore,
    topic: &TopicName,
    endpoints: &Endpoints,
    ends: &[i64],
    compared: &mut Compared,
) -> anyhow::Result<BTreeSet<ObjectKey>> {
    let mut manifests: BTreeMap<ObjectKey, Vec<ObjectKey>> = BTreeMap::new();
    let mut listed = store.list(&topic.manifest_folder());
    while let Some(object) = listed.try_next().await? {
        manifests
            .entry(object.key.folder())
            .or_default()
            .push(object.key);
    }
    let (mut named, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for (folder, mut links) in manifests {
        links.sort();
        let number = folder.name().parse::<i32>();
        let partition = number.with_context(|| format!("{folder} is no partition's"))?;
        let end = usize::try_from(partition).ok().and_then(|at| ends.get(at));
        let end = *end.with_context(|| format!("the topic has no partition {partition}"))?;
        seen.insert(partition);
        let mut found = Found::new(partition, end);
        for key in links {
            let bytes = store.get(&key, 16 << 20).await?;
            let link: Value =
                serde_json::from_slice(&bytes).with_context(|| format!("{key} is no manifest"))?;
            compared.links += 1;
            found.follow(&key, &link);
            for file in link["files"].as_array().into_iter().flatten() {
                let key = ObjectKey::parse(file["key"].as_str().unwrap_or_default())?;
                found.read(store, &key, file, &link).await?;
                compared.files += 1;
                if !named.insert(key.clone()) {
                    found.fault(format!("{key} is named twice"));
                }
            }
        }
        let (kafka, topic) = (endpoints.kafka.clone(), endpoints.topic.clone());
        let held = tokio::task::spawn_blocking(move || found.against(&Log::open(&kafka, &topic)?));
        let (records, faults) = held.await??;
        compared.records += records;
        compared.faults.extend(faults);
    }
    let without = ends.iter().zip(0..).filter(|(end, _)| **end > 0);
    for (end, partition) in without.filter(|(_, partition)| !seen.contains(partition)) {
        let fault = format!("archive: partition {partition} has no chain, and {end} records");
        compared.faults.push(fault);
    }
    Ok(named)
}
