//! The object store: a local directory or S3, opened by URL and used only if it keeps put-if-absent.
//!
//! A thin wall around `object_store`: bounded reads, named errors, and the two kinds of writing that the archive has. Data goes
//! to names that nobody else can have ([`ArchiveStore::put`]); a place in a chain is taken by [`ArchiveStore::create`].

mod open;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use uuid::Uuid;

use crate::keys::ObjectKey;
use crate::settings::StoreSettings;
use crate::{ArchiveError, Result};

/// What became of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is there now, with these bytes.
    New,
    /// An object was there already. It may be one's own: a try whose answer was lost.
    Exists,
}

/// An object that a listing told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The store of an archive. Clones share it.
#[derive(Debug, Clone)]
pub struct ArchiveStore {
    objects: Arc<dyn ObjectStore>,
    url: Arc<str>,
    lists_in_pages: bool,
    bytes_read: Arc<AtomicU64>,
}

impl ArchiveStore {
    /// Opens the store. Nothing is asked of it yet: see [`ArchiveStore::probe`].
    ///
    /// # Errors
    /// [`ArchiveError::Open`] when the settings can't be used, or the directory can't be made.
    pub fn open(settings: &StoreSettings) -> Result<Self> {
        open::open(settings)
    }

    /// Opens the store to read what is there: unlike [`ArchiveStore::open`], it makes no directory.
    ///
    /// # Errors
    /// [`ArchiveError::Open`] when the settings can't be used, or the directory is not there.
    pub fn open_to_read(settings: &StoreSettings) -> Result<Self> {
        open::directory_is_there(settings)?;
        open::open(settings)
    }

    /// An archive in any store, for tests that break one on purpose.
    #[must_use]
    pub fn over(objects: Arc<dyn ObjectStore>, url: &str) -> Self {
        Self {
            objects,
            url: url.into(),
            lists_in_pages: true,
            bytes_read: Arc::default(),
        }
    }

    /// The address, for messages.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is a directory of this machine: what fails there fails for a reason that waiting does not change.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.url.starts_with("file:")
    }

    /// How many bytes of objects were read so far, by all clones; listings are not counted.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) {
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether a listing costs a request per page, so that fewer pages are worth some thought.
    pub(crate) fn lists_in_pages(&self) -> bool {
        self.lists_in_pages
    }

    /// Writes, creates twice, reads and lists an object of its own, and removes it: a store without put-if-absent, without
    /// permission or out of reach is found here and not in the middle of the work.
    ///
    /// # Errors
    /// [`ArchiveError::NoPutIfAbsent`], [`ArchiveError::Open`] where there is no such bucket, or what the store answered.
    pub async fn probe(&self) -> Result<()> {
        let key = ObjectKey::probe(Uuid::now_v7());
        let bytes = Bytes::from_static(b"put-if-absent?");
        // An `Exists` at once is the client's own second try: the name is new.
        match self.create(&key, bytes.clone()).await {
            Ok(_) => {}
            // Nothing can be missing but what it was to be created in.
            Err(ArchiveError::Missing { .. }) => {
                return Err(ArchiveError::Open {
                    url: self.url.to_string(),
                    reason: "there is no such bucket: is its name right, was it made, is the endpoint its own?"
                        .to_owned(),
                });
            }
            Err(error) => return Err(error),
        }
        let second = self.create(&key, bytes.clone()).await;
        let read = self.get(&key, 1_000).await;
        let listed = self.list(&key.folder()).try_next().await;
        if let Err(error) = self.delete(&key).await {
            tracing::warn!(%error, "the probe's object could not be removed; orphans can't be either");
        }
        if second? == Created::New {
            return Err(ArchiveError::NoPutIfAbsent {
                url: self.url.to_string(),
                key: key.to_string(),
            });
        }
        if read? != bytes {
            return Err(ArchiveError::damaged(
                &key,
                "it reads back other than it was written",
            ));
        }
        listed.map(|_| ())
    }

    /// Writes an object whose name nobody else uses. Writing it again is harmless, so failures are retried by the client.
    ///
    /// # Errors
    /// [`ArchiveError::Store`].
    pub async fn put(&self, key: &ObjectKey, bytes: impl Into<PutPayload>) -> Result<()> {
        let written = self.objects.put(&path(key), bytes.into()).await;
        written
            .map(drop)
            .map_err(ArchiveError::store("writing", key))
    }

    /// Creates an object unless there is one.
    ///
    /// # Errors
    /// [`ArchiveError::Store`]; whether the object is there is then unknown.
    pub async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Created> {
        let options = PutOptions::from(PutMode::Create);
        let outcome = self
            .objects
            .put_opts(&path(key), PutPayload::from(bytes), options)
            .await;
        match outcome {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Exists),
            Err(error) => Err(ArchiveError::store("creating", key)(error)),
        }
    }

    /// Reads an object of at most `limit` bytes.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::TooLarge`] or [`ArchiveError::Store`].
    pub async fn get(&self, key: &ObjectKey, limit: u64) -> Result<Bytes> {
        let failed = || ArchiveError::store("reading", key);
        let found = self
            .objects
            .get_opts(&path(key), GetOptions::default())
            .await
            .map_err(failed())?;
        if found.meta.size > limit {
            return Err(ArchiveError::TooLarge {
                key: key.to_string(),
                what: "the object's size in bytes",
                size: found.meta.size,
                limit,
            });
        }
        let bytes = found.bytes().await.map_err(failed())?;
        self.count(bytes.len());
        Ok(bytes)
    }

    /// An object's bytes from its beginning, piece by piece, and its size.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`] or [`ArchiveError::Store`]; the pieces likewise.
    pub async fn stream(
        &self,
        key: &ObjectKey,
    ) -> Result<(u64, BoxStream<'static, Result<Bytes>>)> {
        let found = self
            .objects
            .get_opts(&path(key), GetOptions::default())
            .await
            .map_err(ArchiveError::store("reading", key))?;
        let (size, key, this) = (found.meta.size, key.clone(), self.clone());
        let pieces = found
            .into_stream()
            .inspect_ok(move |piece| this.count(piece.len()))
            .map_err(move |error| ArchiveError::store("reading", &key)(error));
        Ok((size, pieces.boxed()))
    }

    /// Reads pieces of an object. Neighbours are fetched together.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`] or [`ArchiveError::Store`].
    pub async fn get_ranges(&self, key: &ObjectKey, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let pieces = self.objects.get_ranges(&path(key), ranges).await;
        let pieces = pieces.map_err(ArchiveError::store("reading", key))?;
        self.count(pieces.iter().map(Bytes::len).sum());
        Ok(pieces)
    }

    /// An object's size in bytes.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`] or [`ArchiveError::Store`].
    pub async fn size(&self, key: &ObjectKey) -> Result<u64> {
        let found = self.objects.head(&path(key)).await;
        Ok(found.map_err(ArchiveError::store("asking for", key))?.size)
    }

    /// The objects below a folder, in no promised order. Objects whose names the layout can't have are passed over.
    pub fn list(&self, folder: &ObjectKey) -> BoxStream<'static, Result<Listed>> {
        self.listed(folder, self.objects.list(Some(&path(folder))))
    }

    /// The objects below a folder whose keys come after `after`, in no promised order.
    pub fn list_after(
        &self,
        folder: &ObjectKey,
        after: &ObjectKey,
    ) -> BoxStream<'static, Result<Listed>> {
        let found = self
            .objects
            .list_with_offset(Some(&path(folder)), &path(after));
        self.listed(folder, found)
    }

    /// The folders directly below a folder, by name.
    ///
    /// # Errors
    /// [`ArchiveError::Store`].
    pub async fn folders(&self, folder: &ObjectKey) -> Result<Vec<ObjectKey>> {
        let found = self.objects.list_with_delimiter(Some(&path(folder))).await;
        let found = found.map_err(ArchiveError::store("listing", folder))?;
        let mut folders: Vec<ObjectKey> = found
            .common_prefixes
            .iter()
            .filter_map(|path| ObjectKey::parse(path.as_ref()).ok())
            .collect();
        folders.sort();
        Ok(folders)
    }

    fn listed(
        &self,
        folder: &ObjectKey,
        found: BoxStream<'static, object_store::Result<object_store::ObjectMeta>>,
    ) -> BoxStream<'static, Result<Listed>> {
        let folder = folder.clone();
        found
            .filter_map(move |meta| {
                let listed = match meta {
                    Ok(meta) => ObjectKey::parse(meta.location.as_ref()).ok().map(|key| {
                        let bytes = meta.size;
                        Ok(Listed { key, bytes })
                    }),
                    Err(error) => Some(Err(ArchiveError::store("listing", &folder)(error))),
                };
                std::future::ready(listed)
            })
            .boxed()
    }

    /// Copies an object to another name, within the store: its bytes pass no memory of ours.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`] or [`ArchiveError::Store`].
    pub async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<()> {
        let copied = self.objects.copy(&path(from), &path(to)).await;
        copied.map_err(ArchiveError::store("copying", from))
    }

    /// Removes an object. One that is gone already is no error.
    ///
    /// # Errors
    /// [`ArchiveError::Store`].
    pub async fn delete(&self, key: &ObjectKey) -> Result<()> {
        match self.objects.delete(&path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(ArchiveError::store("removing", key)(error)),
        }
    }
}

fn path(key: &ObjectKey) -> Path {
    Path::from(key.as_str())
}

#[cfg(test)]
mod tests;
