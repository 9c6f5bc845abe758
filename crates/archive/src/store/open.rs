//! From settings to a store.

use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::client::ClientOptions;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use secrecy::ExposeSecret as _;

use super::ArchiveStore;
use crate::settings::{Place, StoreSettings};
use crate::{ArchiveError, Result};

/// The most tries of one request within `retry_timeout`.
const MAX_RETRIES: usize = 20;

pub(super) fn open(settings: &StoreSettings) -> Result<ArchiveStore> {
    let failed = |reason: String| ArchiveError::Open {
        url: settings.url.clone(),
        reason,
    };
    let place = settings
        .place()
        .map_err(|problem| failed(format!("the URL {problem}")))?;
    let lists_in_pages = matches!(place, Place::Bucket { .. });
    let objects: Arc<dyn ObjectStore> = match place {
        Place::Directory(directory) => Arc::new(open_directory(directory).map_err(failed)?),
        Place::Bucket { bucket, prefix } => {
            let bucket =
                open_bucket(settings, bucket).map_err(|error| failed(error.to_string()))?;
            if prefix.is_empty() {
                Arc::new(bucket)
            } else {
                Arc::new(PrefixStore::new(bucket, prefix))
            }
        }
    };
    Ok(ArchiveStore {
        objects,
        url: settings.url.as_str().into(),
        lists_in_pages,
        bytes_read: Arc::default(),
    })
}

/// That there is a directory, if the settings name one.
pub(super) fn directory_is_there(settings: &StoreSettings) -> Result<()> {
    match settings.place() {
        Ok(Place::Directory(directory)) if !std::path::Path::new(directory).is_dir() => {
            Err(ArchiveError::Open {
                url: settings.url.clone(),
                reason: "the directory is not there: is the disk mounted, is the path right?"
                    .to_owned(),
            })
        }
        _ => Ok(()),
    }
}

/// Makes the directory if only it is missing. Its parent has to be there: a disk that is not mounted must not become a new
/// archive in its mount point.
fn open_directory(directory: &str) -> Result<LocalFileSystem, String> {
    match std::fs::create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(
                "its parent directory does not exist: is the disk mounted? Make it, then start again"
                    .to_owned(),
            );
        }
        Err(error) => return Err(format!("making the directory: {error}")),
    }
    if !std::path::Path::new(directory).is_dir() {
        return Err("it is not a directory".to_owned());
    }
    let store = LocalFileSystem::new_with_prefix(directory).map_err(|error| error.to_string())?;
    Ok(store.with_fsync(true))
}

fn open_bucket(
    settings: &StoreSettings,
    bucket: &str,
) -> object_store::Result<object_store::aws::AmazonS3> {
    let client = ClientOptions::new()
        .with_timeout(settings.request_timeout)
        .with_allow_http(settings.allow_http);
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: MAX_RETRIES,
        retry_timeout: settings.retry_timeout,
    };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_client_options(client)
        .with_retry(retry)
        .with_virtual_hosted_style_request(settings.virtual_host_style);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    if let (Some(id), Some(secret)) = (&settings.access_key_id, &settings.secret_access_key) {
        builder = builder
            .with_access_key_id(id)
            .with_secret_access_key(secret.expose_secret());
    }
    if let Some(token) = &settings.session_token {
        builder = builder.with_token(token.expose_secret());
    }
    builder.build()
}
