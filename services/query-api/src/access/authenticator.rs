//! Checks tokens: one way of signing each key, the issuer, the audience, and the time.
//!
//! By what a token is checked is never the token's choice: the configuration has either a secret, which stands for HS256 alone, or a key set,
//! whose RSA keys stand for RS256 and whose P-256 keys for ES256. `none` is no algorithm. Shared by all workers, changes nothing.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::ExposeSecret;
use serde::Deserialize;
use service::{Problem, Shutdown};

use super::Scopes;
use super::keys::{Jwks, Lookup};
use super::refusal::{self, Fault};
use crate::config::AuthConfig;

/// Subjects longer than this are no subjects: they become keys of limits and words of the log.
const MAX_SUBJECT: usize = 256;

/// What a request shows of its sender.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The token's subject; `None` without a token.
    pub(crate) subject: Option<String>,
    /// What it may do.
    pub(crate) scopes: Scopes,
}

/// Tells who asks. Clones share the keys.
#[derive(Clone)]
pub struct Authenticator {
    anonymous: Scopes,
    config: AuthConfig,
    signed_by: SignedBy,
}

#[derive(Clone)]
enum SignedBy {
    Nobody,
    Secret(DecodingKey),
    Issuer(Jwks),
}

/// What is read of a token.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    scope: Words,
    #[serde(default)]
    scp: Words,
}

/// Words in one text, separated by spaces, or in a list: issuers do either.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Words {
    #[default]
    None,
    Text(String),
    List(Vec<String>),
}

impl Words {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let (text, list) = match self {
            Self::None => ("", [].as_slice()),
            Self::Text(text) => (text.as_str(), [].as_slice()),
            Self::List(list) => ("", list.as_slice()),
        };
        text.split_ascii_whitespace()
            .chain(list.iter().map(String::as_str))
    }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Authenticator {
    /// The checks of these settings. Call it inside the runtime that shall fetch keys.
    #[must_use]
    pub fn new(config: &AuthConfig) -> Self {
        let signed_by = match (&config.jwks, config.secret()) {
            (Some(jwks), _) => SignedBy::Issuer(Jwks::new(jwks)),
            (None, Ok(Some(secret))) => {
                SignedBy::Secret(DecodingKey::from_secret(secret.expose_secret().as_bytes()))
            }
            (None, Ok(None)) => SignedBy::Nobody,
            (None, Err(error)) => {
                // The configuration's check has read it a moment ago. Without it no token is taken.
                tracing::error!(error = %error, "auth.hs256_secret_file can't be read any more");
                SignedBy::Nobody
            }
        };
        Self {
            anonymous: config.anonymous_scopes.iter().copied().collect(),
            config: config.clone(),
            signed_by,
        }
    }

    /// Keeps the issuer's keys up to date until shutdown; ends at once where there is no issuer to ask.
    pub async fn watch(self, shutdown: Shutdown) {
        match self.signed_by {
            SignedBy::Issuer(jwks) => jwks.watch(shutdown).await,
            SignedBy::Nobody if self.anonymous.is_empty() => {
                tracing::warn!(
                    "nobody may read: no token is taken, and there are no anonymous scopes"
                );
            }
            SignedBy::Nobody | SignedBy::Secret(_) => {}
        }
    }

    /// Who sent a request with these headers.
    pub(crate) async fn identity(&self, headers: &HeaderMap) -> Result<Identity, Problem> {
        let mut given = headers.get_all(AUTHORIZATION);
        let Some(header) = given.next() else {
            return Ok(Identity {
                subject: None,
                scopes: self.anonymous,
            });
        };
        let refused = refusal::invalid_token;
        let token = header.to_str().ok().and_then(bearer);
        let (Some(token), None) = (token, given.next()) else {
            return Err(refused(Fault::Header));
        };
        let claims = match &self.signed_by {
            SignedBy::Nobody => return Err(refused(Fault::NotTaken)),
            SignedBy::Secret(key) => self.check(token, Algorithm::HS256, key),
            SignedBy::Issuer(jwks) => {
                let header = jsonwebtoken::decode_header(token).map_err(|e| refused(fault(&e)))?;
                let key = match jwks.key(header.kid.as_deref()).await {
                    Lookup::Found(key) => key,
                    Lookup::Unknown => return Err(refused(Fault::Key)),
                    Lookup::Unavailable(cause) => return Err(refusal::keys_unavailable(cause)),
                };
                self.check(token, key.algorithm, &key.key)
            }
        };
        let claims = claims.map_err(refused)?;
        let scopes = claims.scope.iter().chain(claims.scp.iter());
        Ok(Identity {
            scopes: Scopes::named(scopes),
            subject: Some(claims.sub),
        })
    }

    /// Checks a token by a key and the one algorithm it stands for.
    fn check(&self, token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Claims, Fault> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.config.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The configuration's check asks for both; without them, nothing matches.
        validation.set_issuer(&[self.config.issuer.as_deref().unwrap_or_default()]);
        validation.set_audience(&[self.config.audience.as_deref().unwrap_or_default()]);
        let token =
            jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|e| fault(&e))?;
        // An extension that has to be understood, and is not.
        if token.header.crit.is_some_and(|names| !names.is_empty()) {
            return Err(Fault::Malformed);
        }
        let subject = &token.claims.sub;
        if subject.is_empty() || subject.len() > MAX_SUBJECT {
            return Err(Fault::Claims);
        }
        Ok(token.claims)
    }
}

/// The token of `Bearer …`.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then_some(token)
}

/// What is wrong, by the library's account.
fn fault(error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::ExpiredSignature => Fault::Expired,
        ErrorKind::ImmatureSignature => Fault::Immature,
        ErrorKind::InvalidIssuer => Fault::Issuer,
        ErrorKind::InvalidAudience => Fault::Audience,
        ErrorKind::InvalidSignature => Fault::Signature,
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm
        | ErrorKind::InvalidKeyFormat => Fault::Algorithm,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => Fault::Claims,
        _ => Fault::Malformed,
    }
}
