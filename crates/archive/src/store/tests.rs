//! The store over a real directory, and over ones that break a promise.

use std::fmt;

use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions, PutResult,
};

use super::*;

fn directory() -> (tempfile::TempDir, ArchiveStore) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file://{}/archive", directory.path().display());
    let store = ArchiveStore::open(&StoreSettings::at(url)).unwrap();
    (directory, store)
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

#[tokio::test]
async fn a_directory_passes_the_probe_and_is_left_clean() {
    let (_directory, store) = directory();
    store.probe().await.unwrap();
    let left: Vec<Listed> = store.list(&key("_probe")).try_collect().await.unwrap();
    assert_eq!(left, []);
}

#[tokio::test]
async fn what_is_created_once_keeps_its_bytes() {
    let (_directory, store) = directory();
    let key = key("a/b=c/d.json");
    assert_eq!(store.create(&key, "1".into()).await.unwrap(), Created::New);
    assert_eq!(
        store.create(&key, "2".into()).await.unwrap(),
        Created::Exists
    );
    assert_eq!(store.get(&key, 10).await.unwrap(), "1");
    store.delete(&key).await.unwrap();
    store.delete(&key).await.unwrap();
    assert!(matches!(
        store.get(&key, 10).await,
        Err(ArchiveError::Missing { .. })
    ));
}

#[tokio::test]
async fn an_object_beyond_the_limit_is_refused_unread() {
    let (_directory, store) = directory();
    store.put(&key("x"), vec![0_u8; 11]).await.unwrap();
    let error = store.get(&key("x"), 10).await.unwrap_err();
    assert!(
        matches!(
            error,
            ArchiveError::TooLarge {
                size: 11,
                limit: 10,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_directory_whose_parent_is_missing_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file://{}/a/b", directory.path().display());
    let error = ArchiveStore::open(&StoreSettings::at(url)).unwrap_err();
    assert!(error.to_string().contains("mounted"), "{error}");
}

#[tokio::test]
async fn a_store_that_overwrites_is_refused_with_the_reason() {
    let store = ArchiveStore::over(Arc::new(Forgetful(InMemory::new())), "memory:");
    let error = store.probe().await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::NoPutIfAbsent { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("If-None-Match"), "{error}");
}

/// An S3 clone that ignores `If-None-Match`.
#[derive(Debug)]
struct Forgetful(InMemory);

impl fmt::Display for Forgetful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("forgetful")
    }
}

type Answer<T> = object_store::Result<T>;

#[async_trait::async_trait]
impl ObjectStore for Forgetful {
    async fn put_opts(&self, to: &Path, body: PutPayload, _: PutOptions) -> Answer<PutResult> {
        self.0.put(to, body).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Answer<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Answer<GetResult> {
        self.0.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Answer<Path>>,
    ) -> BoxStream<'static, Answer<Path>> {
        self.0.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Answer<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Answer<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Answer<()> {
        self.0.copy_opts(from, to, options).await
    }
}
