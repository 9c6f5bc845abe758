//! Who may ask for what: what needs no token, and how tokens are checked.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::access::Scope;

/// The shortest secret taken for HS256, in bytes: as long as the hash, as RFC 7518 asks.
const MIN_SECRET: usize = 32;

/// Who may ask for what. Without a secret and without a JWKS no token is taken, and everybody has the anonymous scopes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// What may be asked for without a token: `history:read`, `history:export`, both, or neither.
    pub anonymous_scopes: Vec<Scope>,
    /// Who must have issued a token: its `iss`.
    pub issuer: Option<String>,
    /// Whom a token must be for: one of its `aud`.
    pub audience: Option<String>,
    /// How far the issuer's clock and this one's may be apart.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
    /// Takes tokens signed by HS256 with this secret of 32 bytes or more: for one machine, where issuer and service can share it.
    pub hs256_secret: Option<SecretString>,
    /// The same out of a file, whose last line break does not count.
    pub hs256_secret_file: Option<PathBuf>,
    /// Takes tokens signed by RS256 or ES256 with a key of this set.
    pub jwks: Option<JwksConfig>,
}

/// Where the issuer publishes its keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwksConfig {
    /// The URL of the set.
    pub url: String,
    /// Lets `url` be `http`, where what lies between is trusted.
    #[serde(default)]
    pub allow_http: bool,
    /// How often the set is fetched anyhow.
    #[serde(default = "default_refresh", with = "humantime_serde")]
    pub refresh: Duration,
    /// How long to wait between two fetches that tokens with unknown keys ask for.
    #[serde(default = "default_min_interval", with = "humantime_serde")]
    pub min_interval: Duration,
    /// How long keys hold while the set can't be fetched.
    #[serde(default = "default_max_age", with = "humantime_serde")]
    pub max_age: Duration,
    /// How long a fetch may take.
    #[serde(default = "default_timeout", with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            anonymous_scopes: vec![Scope::Read, Scope::Export],
            issuer: None,
            audience: None,
            leeway: Duration::from_secs(30),
            hs256_secret: None,
            hs256_secret_file: None,
            jwks: None,
        }
    }
}

impl AuthConfig {
    /// The secret for HS256, wherever it is written.
    ///
    /// # Errors
    /// When its file can't be read.
    pub fn secret(&self) -> std::io::Result<Option<SecretString>> {
        match (&self.hs256_secret, &self.hs256_secret_file) {
            (Some(secret), _) => Ok(Some(secret.clone())),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file)?;
                Ok(Some(text.trim_end_matches(['\r', '\n']).into()))
            }
            (None, None) => Ok(None),
        }
    }

    /// Whether tokens are taken at all.
    #[must_use]
    pub fn takes_tokens(&self) -> bool {
        self.hs256_secret.is_some() || self.hs256_secret_file.is_some() || self.jwks.is_some()
    }

    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault =
            |key: &str, problem: &str| faults.push((key.to_owned(), problem.to_owned()));
        if self.anonymous_scopes.contains(&Scope::Admin) {
            fault("anonymous_scopes", "must not have history:admin");
        }
        let ways = [
            ("hs256_secret", self.hs256_secret.is_some()),
            ("hs256_secret_file", self.hs256_secret_file.is_some()),
            ("jwks", self.jwks.is_some()),
        ];
        let mut ways = ways.iter().filter(|(_, given)| *given);
        if let (Some((first, _)), Some((second, _))) = (ways.next(), ways.next()) {
            // With both, a token could choose by what it is checked.
            fault(second, &format!("can't be set together with auth.{first}"));
        }
        if self.takes_tokens() {
            for (key, value) in [("issuer", &self.issuer), ("audience", &self.audience)] {
                if value.as_deref().is_none_or(str::is_empty) {
                    fault(key, "is required where tokens are taken");
                }
            }
        }
        if self.leeway > Duration::from_secs(300) {
            fault("leeway", "must be at most 5m");
        }
        match self.secret() {
            Ok(Some(secret)) if secret.expose_secret().len() < MIN_SECRET => {
                let key = match self.hs256_secret.is_some() {
                    true => "hs256_secret",
                    false => "hs256_secret_file",
                };
                fault(key, "must have at least 32 bytes");
            }
            Ok(_) => {}
            Err(error) => fault("hs256_secret_file", &error.to_string()),
        }
        if let Some(jwks) = &self.jwks {
            jwks.faults(fault);
        }
        faults
    }
}

impl JwksConfig {
    fn faults(&self, mut fault: impl FnMut(&str, &str)) {
        match reqwest::Url::parse(&self.url) {
            Ok(url) if url.scheme() == "https" => {}
            Ok(url) if url.scheme() == "http" && self.allow_http => {}
            Ok(url) if url.scheme() == "http" => {
                fault("jwks.url", "must be https, unless auth.jwks.allow_http");
            }
            _ => fault("jwks.url", "must be an https URL"),
        }
        for (key, value) in [
            ("jwks.refresh", self.refresh),
            ("jwks.min_interval", self.min_interval),
            ("jwks.timeout", self.timeout),
        ] {
            if value.is_zero() {
                fault(key, "must be longer than 0s");
            }
        }
        if self.max_age < self.refresh {
            fault("jwks.max_age", "must be at least auth.jwks.refresh");
        }
    }
}

fn default_refresh() -> Duration {
    Duration::from_secs(10 * 60)
}

fn default_min_interval() -> Duration {
    Duration::from_secs(30)
}

fn default_max_age() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

fn default_timeout() -> Duration {
    Duration::from_secs(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(text: &str) -> Vec<String> {
        let config: AuthConfig = toml::from_str(text).unwrap();
        config.faults().into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn what_would_be_unsafe_is_a_fault_by_name() {
        let ours = "issuer = 'i'\naudience = 'a'\n";
        let secret = "hs256_secret = '0123456789abcdef0123456789abcdef'\n";
        let jwks = "jwks = { url = 'https://id.example/keys' }\n";
        for (text, faults) in [
            (String::new(), vec![]),
            (format!("{ours}{secret}"), vec![]),
            (format!("{ours}{jwks}"), vec![]),
            (
                "anonymous_scopes = ['history:admin']".to_owned(),
                vec!["anonymous_scopes"],
            ),
            (secret.to_owned(), vec!["issuer", "audience"]),
            (format!("{ours}{secret}{jwks}"), vec!["jwks"]),
            (
                format!("{ours}hs256_secret = '0123456789'"),
                vec!["hs256_secret"],
            ),
            (
                format!("{ours}hs256_secret_file = '/nowhere'"),
                vec!["hs256_secret_file"],
            ),
            (
                format!("{ours}jwks = {{ url = 'http://id.example/keys' }}"),
                vec!["jwks.url"],
            ),
            (
                format!("{ours}jwks = {{ url = 'file:///etc/passwd' }}"),
                vec!["jwks.url"],
            ),
            (format!("{ours}leeway = '1h'\n{secret}"), vec!["leeway"]),
        ] {
            assert_eq!(faulty(&text), faults, "{text}");
        }
    }

    #[test]
    fn nothing_shows_the_secret() {
        let text = "hs256_secret = 'hunter2-hunter2-hunter2-hunter2-'";
        let config: AuthConfig = toml::from_str(text).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
