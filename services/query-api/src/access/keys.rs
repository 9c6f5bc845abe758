//! The issuer's keys, fetched and kept: again every `refresh`, and when a token names one that is not known, but not more often than
//! every `min_interval`. Whoever asks meanwhile waits for the one fetch.
//!
//! Keys that were fetched once hold for `max_age` while the issuer can't be reached. Before, and after that, whoever needs one is told so.
//! A fetch runs on the runtime that made the set, so that no request takes it along when it goes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use service::Shutdown;
use tokio::runtime::Handle;

use crate::config::JwksConfig;

/// A set is not larger than this.
const MAX_BODY: usize = 1 << 20;
/// The pause after the first failed fetch; it doubles up to [`MAX_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(30);

/// A public key, and the one algorithm it stands for.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// What is known of a token's key.
pub(super) enum Lookup {
    /// Here it is.
    Found(Arc<VerifyingKey>),
    /// The issuer has no such key.
    Unknown,
    /// The issuer can't be asked; why, for the log.
    Unavailable(String),
}

/// The issuer's keys. Clones share them.
#[derive(Clone)]
pub(super) struct Jwks(Arc<Shared>);

struct Shared {
    config: JwksConfig,
    runtime: Handle,
    known: RwLock<Known>,
    /// Held by the one who fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// By their ids; a key without one has the empty id.
    keys: HashMap<String, Arc<VerifyingKey>>,
    loaded_at: Option<Instant>,
    tried_at: Option<Instant>,
    /// Why the last fetch failed, if it did.
    failure: Option<String>,
}

impl Known {
    /// The key of this id. Without an id it must be the only one.
    fn key(&self, id: Option<&str>, max_age: Duration) -> Option<Arc<VerifyingKey>> {
        if self.loaded_at.is_none_or(|at| at.elapsed() > max_age) {
            return None;
        }
        match id {
            Some(id) => self.keys.get(id).cloned(),
            None if self.keys.len() == 1 => self.keys.values().next().cloned(),
            None => None,
        }
    }
}

impl Jwks {
    pub(super) fn new(config: &JwksConfig) -> Self {
        Self(Arc::new(Shared {
            config: config.clone(),
            runtime: Handle::current(),
            known: RwLock::default(),
            fetching: tokio::sync::Mutex::default(),
        }))
    }

    /// Fetches at once, again and again until it succeeds, and then from time to time.
    pub(super) async fn watch(self, shutdown: Shutdown) {
        let (mut pause, mut was_good) = (FIRST_RETRY, None);
        loop {
            let outcome = {
                let _one = self.0.fetching.lock().await;
                self.fetch().await
            };
            if was_good.replace(outcome.is_ok()) != Some(outcome.is_ok()) {
                match &outcome {
                    Ok(keys) => tracing::info!(keys, "the issuer's keys are fetched"),
                    Err(reason) => {
                        tracing::warn!(reason, "the issuer's keys can't be fetched, trying again")
                    }
                }
            }
            let next = match outcome {
                Ok(_) => {
                    pause = FIRST_RETRY;
                    self.0.config.refresh
                }
                Err(_) => {
                    let next = pause;
                    pause = (pause * 2).min(MAX_RETRY);
                    next
                }
            };
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = shutdown.requested() => return,
            }
        }
    }

    /// Finds a token's key, asking the issuer again when it is not known.
    pub(super) async fn key(&self, id: Option<&str>) -> Lookup {
        if let Some(key) = self.known(id) {
            return Lookup::Found(key);
        }
        let _one = self.0.fetching.lock().await;
        if let Some(key) = self.known(id) {
            return Lookup::Found(key);
        }
        let lately = {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            let tried = known.tried_at.map(|at| at.elapsed());
            tried.is_some_and(|ago| ago < self.0.config.min_interval)
        };
        if !lately {
            // What it says is kept, and told below.
            let _told_below = self.fetch().await;
        }
        if let Some(key) = self.known(id) {
            return Lookup::Found(key);
        }
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        match &known.failure {
            Some(reason) => Lookup::Unavailable(reason.clone()),
            None => Lookup::Unknown,
        }
    }

    fn known(&self, id: Option<&str>) -> Option<Arc<VerifyingKey>> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.key(id, self.0.config.max_age)
    }

    /// Fetches the set and keeps it; says how many keys it has. Call it with `fetching` held.
    async fn fetch(&self) -> Result<usize, String> {
        let config = self.0.config.clone();
        let fetched = self.0.runtime.spawn(async move { fetched(&config).await });
        let outcome = fetched.await.unwrap_or_else(|error| Err(error.to_string()));
        let label = if outcome.is_ok() { "fetched" } else { "failed" };
        metrics::counter!("auth_key_fetches_total", "outcome" => label).increment(1);
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        known.tried_at = Some(now);
        match outcome {
            Ok(keys) => {
                let count = keys.len();
                known.keys = keys;
                known.loaded_at = Some(now);
                known.failure = None;
                Ok(count)
            }
            Err(reason) => {
                known.failure = Some(reason.clone());
                Err(reason)
            }
        }
    }
}

type Keys = HashMap<String, Arc<VerifyingKey>>;

async fn fetched(config: &JwksConfig) -> Result<Keys, String> {
    let client = reqwest::Client::builder()
        .timeout(config.timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("game-history/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| told(&error))?;
    let request = client.get(&config.url).header("accept", "application/json");
    let mut response = request.send().await.map_err(|error| told(&error))?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("{} answers {}", config.url, response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(format!("{} is longer than {MAX_BODY} bytes", config.url));
        }
        body.extend_from_slice(&chunk);
    }
    keys(&body).map_err(|reason| format!("{}: {reason}", config.url))
}

/// An error with its causes, which reqwest leaves out.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// The keys of a set that can check tokens; those of other kinds and for other uses are passed over.
fn keys(body: &[u8]) -> Result<Keys, String> {
    let set: KeySet = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let keys: Keys = set
        .keys
        .into_iter()
        .filter_map(|value| {
            let jwk: Jwk = serde_json::from_value(value).ok()?;
            let id = jwk.common.key_id.clone().unwrap_or_default();
            Some((id, Arc::new(verifying(&jwk)?)))
        })
        .collect();
    match keys.is_empty() {
        true => Err("no key of the set can check RS256 or ES256".to_owned()),
        false => Ok(keys),
    }
}

fn verifying(jwk: &Jwk) -> Option<VerifyingKey> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let for_this = jwk.common.key_algorithm.is_none_or(|given| given == named);
    let signs = match &jwk.common.public_key_use {
        None | Some(PublicKeyUse::Signature) => true,
        Some(_) => false,
    };
    if !for_this || !signs {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(VerifyingKey { algorithm, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_check_signatures_are_taken() {
        let set = r#"{"keys": [
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
            {"kty": "RSA", "kid": "wraps", "use": "enc", "n": "AQAB", "e": "AQAB"},
            {"kty": "RSA", "kid": "other", "alg": "PS256", "n": "AQAB", "e": "AQAB"},
            {"kty": "EC", "kid": "p384", "crv": "P-384", "x": "AQAB", "y": "AQAB"},
            {"kty": "AKP", "kid": "new"},
            "nonsense",
            {"kty": "RSA", "kid": "good", "use": "sig", "n": "AQAB", "e": "AQAB"}
        ]}"#;
        let taken = keys(set.as_bytes()).unwrap();
        assert_eq!(taken.keys().collect::<Vec<_>>(), ["good"]);
        assert_eq!(taken["good"].algorithm, Algorithm::RS256);
    }

    #[test]
    fn a_set_without_a_key_to_check_by_is_a_failure() {
        for set in [
            r#"{"keys": []}"#,
            "[]",
            "",
            r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#,
        ] {
            assert!(keys(set.as_bytes()).is_err(), "{set}");
        }
    }
}
