//! Which files a verification asks for: a link's own, those of a compaction that took their place, or none that have expired.

use super::{ChainReport, blame};
use crate::chain::Chain;
use crate::compaction::{Compaction, Compactions};
use crate::expiry::Expiries;
use crate::{Result, Sha256};

/// What stands in the place of links' files.
pub(super) struct Kept {
    /// Links below this number have no files, on purpose.
    expired: u64,
    compactions: Vec<Replaced>,
}

struct Replaced {
    compaction: Compaction,
    sha256: Sha256,
    /// Whether the links' own files may be gone.
    inputs_removed: bool,
}

impl Kept {
    /// Looks at the chain's compactions and expiries. One that can't be trusted is a fault; the files it stands for are then asked for.
    pub(super) async fn look(chain: &Chain, report: &mut ChainReport) -> Result<Self> {
        let expired = Expiries::of(chain).newest().await?;
        let mut kept = Self {
            expired: expired.map_or(0, |expiry| expiry.links),
            compactions: Vec::new(),
        };
        let compactions = Compactions::of(chain);
        let count = compactions.last_seq().await?.map_or(0, |last| last + 1);
        for seq in 0..count {
            match compactions.read(seq).await {
                Ok((compaction, sha256)) => kept.compactions.push(Replaced {
                    compaction,
                    sha256,
                    inputs_removed: compactions.inputs_removed(seq).await?,
                }),
                Err(error) if error.is_damage() => {
                    report.fault(&compactions.key(seq), blame(&error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }

    /// Whether a link's own files have to be there.
    pub(super) fn has_files(&self, link: u64) -> bool {
        let replaced = |found: &Replaced| {
            found.inputs_removed
                && (found.compaction.first_link..=found.compaction.last_link).contains(&link)
        };
        link >= self.expired && !self.compactions.iter().any(replaced)
    }

    /// The compactions whose files have to be there, compared with each other and with the links they were made of.
    pub(super) fn standing(
        self,
        chain: &Chain,
        link_hash: impl Fn(u64) -> Option<Sha256>,
        report: &mut ChainReport,
    ) -> Vec<Compaction> {
        let compactions = Compactions::of(chain);
        for pair in self.compactions.windows(2) {
            let (before, next) = (&pair[0], &pair[1].compaction);
            let neighbours = before.compaction.seq + 1 == next.seq;
            if neighbours
                && (next.previous_sha256 != Some(before.sha256)
                    || next.first_link != before.compaction.last_link + 1
                    || next.start != before.compaction.end)
            {
                let detail = "it does not follow the compaction before it".to_owned();
                report.fault(&compactions.key(next.seq), detail);
            }
        }
        let mut standing = Vec::new();
        for Replaced { compaction, .. } in self.compactions {
            let hash = link_hash(compaction.last_link);
            if hash.is_some_and(|hash| hash != compaction.last_link_sha256) {
                let detail = "it was made of another chain than stands there".to_owned();
                report.fault(&compactions.key(compaction.seq), detail);
            }
            if compaction.last_link >= self.expired {
                standing.push(compaction);
            }
        }
        standing
    }
}
