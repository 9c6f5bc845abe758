//! Proving that a chain is whole: no link missing, changed or out of place, every file as its link says, every record once.
//!
//! What is wrong is told with the one object that is to blame, as far as the chain allows to know it: a link's hash stands in the
//! next one, so of two that disagree the one that also disagrees with its other neighbour was changed.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use serde::Serialize;
use sha2::Digest as _;

mod kept;

use crate::chain::{Chain, Link};
use crate::files::ReadLimits;
use crate::keys::{ObjectKey, manifest_seq};
use crate::log::ManifestReader;
use crate::manifest::{FileEntry, Gap, Manifest, Sha256};
use crate::quarantine::explain;
use crate::{ArchiveError, Result};

use kept::Kept;

/// Something wrong with the archive, and the object to blame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The object.
    pub key: String,
    /// What is wrong with it.
    pub detail: String,
}

/// An accepted gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundGap {
    /// The first offset given up.
    pub start: i64,
    /// The offset after the last.
    pub end: i64,
    /// Why, and by whom.
    #[serde(flatten)]
    pub gap: Gap,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The topic.
    pub topic: String,
    /// Which log.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// How many links there are.
    pub links: u64,
    /// The first archived offset.
    pub start: Option<i64>,
    /// The offset after the last.
    pub end: Option<i64>,
    /// How many files count.
    pub files: u64,
    /// How many records they hold, as their links say.
    pub rows: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What was given up.
    pub gaps: Vec<FoundGap>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// How thorough a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Links only: no file is read.
    Links,
    /// The bytes of every file against their hash.
    Checksums,
    /// Every record of every file too.
    Records,
}

/// Told of each file that was looked at, with its size.
pub type Told<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// Verifies a chain. Faults of the archive are in the report; the memory it takes is that of reading one link.
///
/// # Errors
/// When the store can't be asked.
pub async fn verify_chain(
    chain: &Chain,
    depth: Depth,
    limits: ReadLimits,
    told: Told<'_>,
) -> Result<ChainReport> {
    let id = chain.id().clone();
    let mut report = ChainReport {
        topic: id.topic.to_string(),
        topic_id: id.topic_id.to_string(),
        partition: id.partition,
        ..ChainReport::default()
    };
    let seqs = listed(chain, &mut report).await?;
    let Some(last) = seqs.last().copied() else {
        return Ok(report);
    };
    let kept = Kept::look(chain, &mut report).await?;
    let mut known: Vec<Option<Standing>> = Vec::new();
    for seq in 0..=last {
        let key = chain.key(seq);
        let link = if seqs.contains(&seq) {
            chain.read(seq).await
        } else {
            let key = key.to_string();
            Err(ArchiveError::Missing { key })
        };
        match link {
            Ok(link) => {
                known.push(Some(Standing::of(&link)));
                report.count(&link);
                if kept.has_files(seq) {
                    verify_files(chain, link.manifest, depth, limits, told, &mut report).await?;
                }
            }
            Err(error) if error.is_damage() => {
                known.push(None);
                report.fault(&key, blame(&error));
            }
            Err(error) => return Err(error),
        }
    }
    compare(chain, &known, &mut report);
    let hash = |seq: u64| {
        known
            .get(usize::try_from(seq).ok()?)?
            .as_ref()
            .map(|link| link.sha256)
    };
    for compaction in kept.standing(chain, hash, &mut report) {
        verify_files(
            chain,
            compaction.to_manifest(),
            depth,
            limits,
            told,
            &mut report,
        )
        .await?;
    }
    Ok(report)
}

/// What two neighbours know of each other.
struct Standing {
    sha256: Sha256,
    previous: Option<Sha256>,
    start: i64,
    end: i64,
}

impl Standing {
    fn of(link: &Link) -> Self {
        Self {
            sha256: link.sha256,
            previous: link.manifest.previous_sha256,
            start: link.manifest.start,
            end: link.manifest.end,
        }
    }
}

/// Compares neighbours. Links that could not be read have been named already.
fn compare(chain: &Chain, known: &[Option<Standing>], report: &mut ChainReport) {
    let disagree = |index: usize| match (known.get(index.wrapping_sub(1)), known.get(index)) {
        (Some(Some(before)), Some(Some(link))) => link.previous != Some(before.sha256),
        _ => false,
    };
    let mut index = 1;
    while index < known.len() {
        if let (Some(before), Some(link)) = (&known[index - 1], &known[index])
            && before.end != link.start
        {
            let kind = if link.start > before.end {
                "a gap"
            } else {
                "an overlap"
            };
            let detail = format!(
                "{kind}: the link before ends at offset {}, this one begins at {}",
                before.end, link.start
            );
            report.fault(&chain.key(index as u64), detail);
        }
        if disagree(index) && disagree(index + 1) {
            report.fault(&chain.key(index as u64), CHANGED.to_owned());
            index += 1;
        } else if disagree(index) {
            report.fault(&chain.key(index as u64 - 1), CHANGED.to_owned());
        }
        index += 1;
    }
}

const CHANGED: &str = "it was changed: it does not agree with the hashes beside it";

/// The numbers that are there.
async fn listed(chain: &Chain, report: &mut ChainReport) -> Result<BTreeSet<u64>> {
    let mut seqs = BTreeSet::new();
    let mut objects = chain.store().list(&chain.id().folder());
    while let Some(object) = objects.try_next().await? {
        match manifest_seq(&object.key) {
            Some(seq) => drop(seqs.insert(seq)),
            None => report.fault(
                &object.key,
                "it is no manifest and does not belong here".to_owned(),
            ),
        }
    }
    Ok(seqs)
}

async fn verify_files(
    chain: &Chain,
    manifest: Manifest,
    depth: Depth,
    limits: ReadLimits,
    told: Told<'_>,
    report: &mut ChainReport,
) -> Result<()> {
    if depth == Depth::Links {
        return Ok(());
    }
    let mut sound = true;
    for file in &manifest.files {
        match verify_bytes(chain, file).await {
            Ok(None) => {}
            Ok(Some(fault)) => {
                sound = false;
                report.fault(&file.key, fault);
            }
            Err(error) if error.is_damage() => {
                sound = false;
                let error = explain(chain.store(), &file.key, error).await;
                report.fault(&file.key, blame(&error));
            }
            Err(error) => return Err(error),
        }
        told(file.bytes);
    }
    // What a file with other bytes holds says nothing more.
    if !sound || depth != Depth::Records || manifest.files.is_empty() {
        return Ok(());
    }
    let (link, expected) = (chain.key(manifest.seq), manifest.rows());
    let (start, keys) = (manifest.start, manifest.files.clone());
    let mut reader = ManifestReader::new(chain.store().clone(), manifest, start, limits);
    let mut rows = 0;
    loop {
        match reader.next_block().await {
            Ok(Some(block)) => rows += block.len() as u64,
            Ok(None) => break,
            Err(error) if error.is_damage() => {
                let named = keys
                    .iter()
                    .find(|file| error.to_string().contains(file.key.as_str()));
                report.fault(named.map_or(&link, |file| &file.key), blame(&error));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    if rows != expected {
        report.fault(
            &link,
            format!("its files hold {rows} records, it says {expected}"),
        );
    }
    Ok(())
}

/// Compares a file's bytes with what its link says; what differs.
async fn verify_bytes(chain: &Chain, file: &FileEntry) -> Result<Option<String>> {
    let (size, mut pieces) = chain.store().stream(&file.key).await?;
    if size != file.bytes {
        return Ok(Some(format!(
            "it has {size} bytes, its manifest says {}",
            file.bytes
        )));
    }
    let mut digest = sha2::Sha256::new();
    while let Some(piece) = pieces.try_next().await? {
        digest.update(&piece);
    }
    let found = Sha256::from_digest(digest.finalize().into());
    Ok((found != file.sha256)
        .then(|| format!("its hash is {found}, its manifest says {}", file.sha256)))
}

/// What an error says, without the key that stands beside it.
pub(crate) fn blame(error: &ArchiveError) -> String {
    match error {
        ArchiveError::Missing { .. } => "it is missing".to_owned(),
        ArchiveError::Quarantined { detail, .. } => format!("it is in quarantine: {detail}"),
        ArchiveError::Damaged { detail, .. } => detail.clone(),
        error => error.to_string(),
    }
}

impl ChainReport {
    fn fault(&mut self, key: &ObjectKey, detail: String) {
        let key = key.to_string();
        self.faults.push(Fault { key, detail });
    }

    fn count(&mut self, link: &Link) {
        let manifest = &link.manifest;
        self.links += 1;
        self.start = self.start.or(Some(manifest.start));
        self.end = Some(manifest.end);
        self.files += manifest.files.len() as u64;
        self.rows += manifest.rows();
        self.bytes += manifest.bytes();
        if let Some(gap) = &manifest.gap {
            let (start, end, gap) = (manifest.start, manifest.end, gap.clone());
            self.gaps.push(FoundGap { start, end, gap });
        }
    }
}

#[cfg(test)]
mod tests;
