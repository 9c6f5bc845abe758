//! Putting a closed batch into the archive: its files, then its link.
//!
//! What the world causes is tried again for ever: names are unique per attempt and a link is the same at every try, so nothing
//! can be doubled by it. Whoever drops the future abandons the attempt; its files are swept by whoever archives those offsets.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use archive::keys::LogMark;
use archive::manifest::VERSION;
use archive::{Appended, ArchiveError, Chain, FileEntry, Head, Manifest, ObjectKey, RawFileName};
use uuid::Uuid;

use super::ClosedBatch;

/// The longest pause between two tries.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// Who writes: new at every start of a process, so that no two attempts ever have the same name.
#[derive(Debug, Clone)]
pub struct WriterId {
    id: Uuid,
    attempts: Arc<AtomicU64>,
    epochs: Arc<AtomicU64>,
}

impl WriterId {
    /// A writer with this id, which nobody may have had before.
    #[must_use]
    pub fn new(id: Uuid) -> Self {
        Self {
            id,
            attempts: Arc::default(),
            epochs: Arc::default(),
        }
    }

    /// A writer of this process's own.
    #[must_use]
    pub fn random() -> Self {
        Self::new(Uuid::now_v7())
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// A number for a start of a partition that no other start of the process has: a partition that comes back to the process must
    /// not take blocks of the time before for its own.
    pub(crate) fn next_epoch(&self) -> u64 {
        self.epochs.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn next_attempt(&self) -> u64 {
        self.attempts.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the archive; the chain ends here now.
    Committed(Head),
    /// Another writer has the place.
    Fenced,
    /// The topic is not the log any more that the records came from.
    AnotherLog,
}

/// One attempt to put a batch into the archive.
pub struct Commit<'a, I> {
    /// The chain.
    pub chain: &'a Chain,
    /// Who writes.
    pub writer: &'a WriterId,
    /// The batch.
    pub batch: ClosedBatch,
    /// Asks whether the topic still is the same log; none while nobody can tell.
    pub same_log: I,
    /// Whether orphans of earlier attempts may lie in the batch's folders.
    pub sweep: bool,
    /// Told of every failure that is tried again, and of none once it works.
    pub trouble: &'a (dyn Fn(Option<&ArchiveError>) + Send + Sync),
}

impl<I, F> Commit<'_, I>
where
    I: Fn() -> F,
    F: Future<Output = Option<bool>>,
{
    /// Puts the files, then appends the link.
    ///
    /// # Errors
    /// [`ArchiveError`] when trying again can't help, such as a link that was damaged.
    pub async fn run(self) -> archive::Result<Outcome> {
        let attempt = self.writer.next_attempt();
        let mut entries = Vec::with_capacity(self.batch.files.len());
        for (folder, file) in &self.batch.files {
            let key = self
                .name(attempt, file)
                .in_folder(&folder.key(&self.chain.id().topic));
            self.try_again(|| self.chain.store().put(&key, file.bytes.clone()))
                .await?;
            entries.push(file.entry(key));
        }
        let manifest = self.manifest(attempt, entries);
        // Records of a topic that was deleted and made again under way must not get into the old one's chain.
        if !self.is_same_log().await {
            self.take_back(&manifest).await;
            return Ok(Outcome::AnotherLog);
        }
        let appended = self
            .try_again(|| self.chain.append(&self.batch.head, &manifest))
            .await?;
        match appended {
            Appended::Mine(head) => {
                if self.sweep {
                    self.sweep(&manifest).await;
                }
                Ok(Outcome::Committed(head))
            }
            Appended::Fenced => {
                self.take_back(&manifest).await;
                Ok(Outcome::Fenced)
            }
        }
    }

    fn name(&self, attempt: u64, file: &archive::EncodedFile) -> RawFileName {
        let chain = self.chain.id();
        RawFileName {
            partition: chain.partition,
            start: file.min_offset,
            end: file.max_offset + 1,
            log: LogMark::of(&chain.topic_id),
            writer: self.writer.id,
            attempt,
            format: self.batch.format,
        }
    }

    fn manifest(&self, attempt: u64, files: Vec<FileEntry>) -> Manifest {
        let (chain, batch) = (self.chain.id(), &self.batch);
        Manifest {
            version: VERSION,
            topic: chain.topic.clone(),
            topic_id: chain.topic_id.clone(),
            partition: chain.partition,
            seq: batch.head.next_seq,
            start: batch.start,
            end: batch.end,
            files,
            gap: None,
            previous_sha256: batch.head.sha256,
            writer: self.writer.id,
            attempt,
        }
    }

    /// Tries until it works, or until it is plain that it can't.
    async fn try_again<T, A>(&self, action: impl Fn() -> A) -> archive::Result<T>
    where
        A: Future<Output = archive::Result<T>>,
    {
        let mut backoff = Duration::from_millis(100);
        loop {
            match action().await {
                Ok(done) => {
                    (self.trouble)(None);
                    return Ok(done);
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(chain = %self.chain.id(), %error, ?backoff, "the store fails; trying again");
                    (self.trouble)(Some(&error));
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    async fn is_same_log(&self) -> bool {
        let mut backoff = Duration::from_millis(100);
        loop {
            if let Some(same) = (self.same_log)().await {
                return same;
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    /// Removes the files of an attempt that lost. Nobody can ever name them: only this attempt knows them, and its place in the
    /// chain is another's.
    async fn take_back(&self, manifest: &Manifest) {
        for file in &manifest.files {
            if let Err(error) = self.chain.store().delete(&file.key).await {
                tracing::warn!(%error, "a file of a lost attempt stays until it is swept");
            }
        }
    }

    /// Removes what earlier attempts left of these offsets. A record lies in the same folder whoever archives it, so whatever a
    /// killed owner left lies in the folders that this batch wrote to.
    async fn sweep(&self, manifest: &Manifest) {
        let folders: BTreeSet<ObjectKey> = manifest
            .files
            .iter()
            .map(|file| file.key.folder())
            .collect();
        match self.chain.sweep(&folders).await {
            Ok(swept) if swept.removed.is_empty() => {}
            Ok(swept) => {
                let files = swept.removed.len();
                tracing::info!(chain = %self.chain.id(), files, "removed files of attempts that did not count");
                crate::metrics::swept(self.chain.id(), files);
            }
            Err(error) => {
                tracing::warn!(%error, "sweeping failed; orphans stay until the next sweep")
            }
        }
    }
}

impl<I> std::fmt::Debug for Commit<'_, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commit")
            .field("chain", self.chain.id())
            .finish_non_exhaustive()
    }
}
