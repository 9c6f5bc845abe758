//! Both kinds of store: a directory, and a bucket of a real S3 server.

use archive::{ArchiveStore, StoreSettings};
use tempfile::TempDir;
use test_support::TestBucket;

/// A store of one test.
pub(crate) enum Place {
    Directory(TempDir),
    Bucket(TestBucket),
}

/// An empty one of each kind.
pub(crate) async fn both() -> [Place; 2] {
    [
        Place::directory(),
        Place::Bucket(TestBucket::create().await),
    ]
}

impl Place {
    pub(crate) fn directory() -> Self {
        Self::Directory(tempfile::tempdir().unwrap())
    }

    pub(crate) fn settings(&self) -> StoreSettings {
        match self {
            Self::Directory(folder) => {
                StoreSettings::at(format!("file://{}", folder.path().display()))
            }
            Self::Bucket(bucket) => of_bucket(bucket),
        }
    }

    pub(crate) fn open(&self) -> ArchiveStore {
        ArchiveStore::open(&self.settings()).unwrap()
    }

    /// A bucket, opened past whatever proxy stands before it.
    pub(crate) fn open_bucket(bucket: &TestBucket) -> ArchiveStore {
        ArchiveStore::open(&of_bucket(bucket)).unwrap()
    }
}

fn of_bucket(bucket: &TestBucket) -> StoreSettings {
    StoreSettings {
        endpoint: Some(bucket.endpoint().to_owned()),
        region: Some(bucket.region().to_owned()),
        access_key_id: Some(bucket.access_key().to_owned()),
        secret_access_key: Some(bucket.secret_key().to_owned().into()),
        allow_http: true,
        ..StoreSettings::at(bucket.url())
    }
}
