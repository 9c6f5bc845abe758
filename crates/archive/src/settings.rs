//! Where the archive is and how to get in.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// An object store by its URL.
///
/// `file:///var/lib/history` is a directory of this machine, written with fsync. `s3://bucket/prefix` is S3 or what speaks its
/// protocol; keys that are not given here come from the usual `AWS_…` variables, a web identity or the machine's role.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// `file:///absolute/directory` or `s3://bucket` or `s3://bucket/prefix`.
    pub url: String,
    /// The S3 server where it is not AWS, such as `http://127.0.0.1:7070`.
    pub endpoint: Option<String>,
    /// The S3 region.
    pub region: Option<String>,
    /// The S3 access key's name.
    pub access_key_id: Option<String>,
    /// The S3 access key.
    pub secret_access_key: Option<SecretString>,
    /// The token of temporary S3 keys.
    pub session_token: Option<SecretString>,
    /// Whether the S3 server may be spoken to without TLS.
    pub allow_http: bool,
    /// Whether the bucket stands in the host name instead of the path.
    pub virtual_host_style: bool,
    /// How long one request may take, uploads included.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How long the client tries a request again before it reports the failure.
    #[serde(with = "humantime_serde")]
    pub retry_timeout: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            endpoint: None,
            region: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            allow_http: false,
            virtual_host_style: false,
            request_timeout: Duration::from_secs(120),
            retry_timeout: Duration::from_secs(20),
        }
    }
}

impl StoreSettings {
    /// Settings of a store that needs nothing but its URL.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }

    /// What is wrong with the values, as pairs of a key and a sentence. Empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault =
            |key: &str, problem: &str| faults.push((key.to_owned(), problem.to_owned()));
        if let Err(problem) = self.place() {
            fault("url", problem);
        }
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            fault(
                "access_key_id",
                "must be given together with secret_access_key, or neither",
            );
        }
        if let Some(endpoint) = &self.endpoint
            && endpoint.starts_with("http://")
            && !self.allow_http
        {
            fault(
                "endpoint",
                "is without TLS: use https://, or set allow_http = true where the network is trusted",
            );
        }
        if self.request_timeout.is_zero() {
            fault("request_timeout", "must not be 0");
        }
        faults
    }

    /// The URL in its parts.
    pub(crate) fn place(&self) -> Result<Place<'_>, &'static str> {
        const SHAPE: &str = "must be file:///absolute/directory or s3://bucket/prefix";
        if let Some(path) = self.url.strip_prefix("file://") {
            let plain = path.starts_with('/') && !path.trim_matches('/').is_empty();
            return if plain {
                Ok(Place::Directory(path))
            } else {
                Err("must name an absolute directory: file:///var/lib/history")
            };
        }
        let Some(rest) = self.url.strip_prefix("s3://") else {
            return Err(SHAPE);
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.len() < 3 {
            return Err("names a bucket of fewer than 3 characters");
        }
        Ok(Place::Bucket {
            bucket,
            prefix: prefix.trim_matches('/'),
        })
    }
}

/// Where a URL points.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Directory(&'a str),
    Bucket { bucket: &'a str, prefix: &'a str },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<String, &'static str> {
        StoreSettings::at(url)
            .place()
            .map(|place| format!("{place:?}"))
    }

    #[test]
    fn urls_are_directories_or_buckets() {
        assert_eq!(place("file:///a/b").unwrap(), "Directory(\"/a/b\")");
        let bucket = "Bucket { bucket: \"games\", prefix: \"a/b\" }";
        assert_eq!(place("s3://games/a/b/").unwrap(), bucket);
        for wrong in [
            "",
            "/a",
            "file://",
            "file:///",
            "file://a/b",
            "s3://ab",
            "gs://games",
        ] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn faults_name_their_keys() {
        let settings = StoreSettings {
            url: "ftp://x".into(),
            endpoint: Some("http://h".into()),
            access_key_id: Some("a".into()),
            request_timeout: Duration::ZERO,
            ..StoreSettings::default()
        };
        let keys: Vec<String> = settings.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            ["url", "access_key_id", "endpoint", "request_timeout"]
        );
        assert_eq!(StoreSettings::at("file:///x").faults(), []);
    }

    #[test]
    fn secrets_do_not_show() {
        let settings = StoreSettings {
            secret_access_key: Some("hunter2".to_owned().into()),
            session_token: Some("hunter3".to_owned().into()),
            ..StoreSettings::at("s3://games")
        };
        assert!(!format!("{settings:?}").contains("hunter"));
    }
}
