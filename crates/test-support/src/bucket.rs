//! A bucket of its own for each test, on a real S3 server.

use std::time::Duration;

use object_store::RetryConfig;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::signer::Signer;
use uuid::Uuid;

use crate::variable;

const SERVER: &str = "GAME_HISTORY_TEST_S3";
const REGION: &str = "us-east-1";

/// A bucket of one test, empty at first. It goes with the server, which the next `cargo dx test` wipes.
#[derive(Debug)]
pub struct TestBucket {
    endpoint: String,
    access_key: String,
    secret_key: String,
    name: String,
}

impl TestBucket {
    /// Makes an empty bucket.
    ///
    /// # Panics
    /// Outside of `cargo dx test`, or when the server fails.
    pub async fn create() -> Self {
        let server = variable(SERVER);
        let (endpoint, access_key, secret_key) = parts(&server)
            .unwrap_or_else(|| panic!("{SERVER} is not http://access:secret@host:port"));
        let bucket = Self {
            endpoint,
            access_key,
            secret_key,
            name: format!("test-{}", Uuid::now_v7().simple()),
        };
        bucket.make().await;
        bucket
    }

    /// The bucket as a URL: `s3://name`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("s3://{}", self.name)
    }

    /// The bucket's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server: `http://host:port`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The region that signatures are made for.
    #[must_use]
    pub fn region(&self) -> &'static str {
        REGION
    }

    /// Who asks.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// By what it is proven.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// A client of this bucket, as the tests look at it from outside.
    ///
    /// # Panics
    /// When the client cannot be made.
    #[must_use]
    pub fn client(&self) -> AmazonS3 {
        self.client_at(&self.endpoint, RetryConfig::default())
    }

    /// A client that asks the server at another address, such as a proxy's.
    ///
    /// # Panics
    /// When the client cannot be made.
    #[must_use]
    pub fn client_at(&self, endpoint: &str, retry: RetryConfig) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_retry(retry)
            .with_allow_http(true)
            .with_bucket_name(&self.name)
            .with_region(REGION)
            .with_access_key_id(&self.access_key)
            .with_secret_access_key(&self.secret_key)
            .build()
            .expect("a client can be made of the server's address")
    }

    async fn make(&self) {
        // The empty key is the bucket itself.
        let url = self
            .client()
            .signed_url(
                reqwest::Method::PUT,
                &Path::default(),
                Duration::from_secs(60),
            )
            .await
            .expect("a request can be signed");
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("an HTTP client can be made");
        match client.put(url).send().await {
            Ok(answer) if answer.status().is_success() => {}
            other => panic!(
                "bucket {} cannot be created: {other:?}; run through `cargo dx test`",
                self.name
            ),
        }
    }
}

/// Endpoint, access key and secret key of `http://access:secret@host:port`.
fn parts(server: &str) -> Option<(String, String, String)> {
    let (scheme, rest) = server.split_once("://")?;
    let (keys, host) = rest.rsplit_once('@')?;
    let (access, secret) = keys.split_once(':')?;
    Some((
        format!("{scheme}://{host}"),
        access.to_owned(),
        secret.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn the_server_and_its_keys_are_read_from_one_url() {
        let found = parts("http://me:it-is-me@127.0.0.1:7070").unwrap();
        assert_eq!(
            found,
            (
                "http://127.0.0.1:7070".into(),
                "me".into(),
                "it-is-me".into()
            )
        );
        assert_eq!(parts("http://127.0.0.1:7070"), None);
    }
}
