//! A store at which whoever uses it dies: at one request, before it is carried out or after, nothing moves any more.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use archive::ArchiveStore;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Notify;

/// At which request somebody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Before this one of all requests, counted from 0.
    BeforeRequest(usize),
    /// After this one of those that change something.
    AfterChange(usize),
}

/// A store over another one.
#[derive(Debug, Clone)]
pub(crate) struct DyingStore {
    inner: Arc<dyn ObjectStore>,
    death: Option<Death>,
    requests: Arc<AtomicUsize>,
    changes: Arc<AtomicUsize>,
    died: Arc<Notify>,
}

impl DyingStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, death: Option<Death>) -> Self {
        Self {
            inner,
            death,
            requests: Arc::default(),
            changes: Arc::default(),
            died: Arc::default(),
        }
    }

    pub(crate) fn open(&self) -> ArchiveStore {
        ArchiveStore::over(Arc::new(self.clone()), "memory:")
    }

    /// How many requests there were, and how many of them changed something.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (count(&self.requests), count(&self.changes))
    }

    /// Runs some work that uses the store, until it is done or dead; what it gave if it is done.
    pub(crate) async fn until_death<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            done = work => Some(done),
        }
    }

    async fn request(&self) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        self.die_if(Death::BeforeRequest(number)).await;
    }

    async fn changed(&self) {
        let number = self.changes.fetch_add(1, Ordering::Relaxed);
        self.die_if(Death::AfterChange(number)).await;
    }

    async fn die_if(&self, now: Death) {
        if self.death == Some(now) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Display for DyingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dying")
    }
}

#[async_trait::async_trait]
impl ObjectStore for DyingStore {
    async fn put_opts(&self, to: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.request().await;
        let put = self.inner.put_opts(to, body, how).await?;
        self.changed().await;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.request().await;
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleted = paths.then(move |path| {
            let store = store.clone();
            async move {
                let path = path?;
                store.request().await;
                store.inner.delete(&path).await?;
                store.changed().await;
                Ok(path)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = stream::once(async move {
            store.request().await;
            store.inner.list(prefix.as_ref())
        });
        listed.flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.request().await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
