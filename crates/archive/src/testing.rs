//! The store that the tests of this crate run over: in memory, or a bucket of a real S3 server. One test runs all the others a second
//! time, over the bucket.

use std::process::Command;
use std::sync::Arc;

use object_store::memory::InMemory;
use test_support::TestBucket;

use crate::settings::StoreSettings;
use crate::store::ArchiveStore;

/// Where the bucket is: its URL, endpoint, region, access key and secret key, by newlines. It guards nothing.
const BUCKET: &str = "ARCHIVE_TEST_BUCKET";
/// Set by `cargo dx test --quick`, whose runs have no servers.
const QUICK: &str = "GAME_HISTORY_TEST_QUICK";

/// Whether the tests run over a bucket.
pub(crate) fn is_bucket() -> bool {
    std::env::var_os(BUCKET).is_some()
}

/// The bucket, or else a directory of a test.
pub(crate) fn store_or(directory: &tempfile::TempDir) -> ArchiveStore {
    if is_bucket() {
        return store();
    }
    let url = format!("file://{}", directory.path().display());
    ArchiveStore::open(&StoreSettings::at(url)).unwrap()
}

/// An empty store of one test.
pub(crate) fn store() -> ArchiveStore {
    let Ok(bucket) = std::env::var(BUCKET) else {
        return ArchiveStore::over(Arc::new(InMemory::new()), "memory:");
    };
    let parts: Vec<&str> = bucket.lines().collect();
    let [url, endpoint, region, access_key, secret_key] = parts[..] else {
        panic!("{BUCKET} has {} lines", parts.len());
    };
    let settings = StoreSettings {
        endpoint: Some(endpoint.to_owned()),
        region: Some(region.to_owned()),
        access_key_id: Some(access_key.to_owned()),
        secret_access_key: Some(secret_key.to_owned().into()),
        allow_http: true,
        // A folder of its own for each test.
        ..StoreSettings::at(format!("{url}/{}", uuid::Uuid::now_v7().simple()))
    };
    ArchiveStore::open(&settings).unwrap()
}

#[tokio::test]
async fn the_whole_suite_passes_over_a_bucket_of_a_real_s3_server_too() {
    if is_bucket() || std::env::var_os(QUICK).is_some() {
        return;
    }
    let bucket = TestBucket::create().await;
    let url = bucket.url();
    let parts = [
        url.as_str(),
        bucket.endpoint(),
        bucket.region(),
        bucket.access_key(),
        bucket.secret_key(),
    ];
    let again = Command::new(std::env::current_exe().unwrap())
        .env(BUCKET, parts.join("\n"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "over a bucket: {said}");
}
