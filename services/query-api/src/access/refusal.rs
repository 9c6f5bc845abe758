//! The refusals of those who may not, with the challenge that RFC 6750 asks for.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use service::Problem;

use super::Scope;

/// The realm of the challenge.
const REALM: &str = "game-history";

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no `Bearer` token, or there are two.
    Header,
    /// It can't be read.
    Malformed,
    /// It is signed in another way than tokens are here.
    Algorithm,
    /// Nobody knows its key.
    Key,
    /// Its signature is another one's.
    Signature,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    Immature,
    /// Somebody else issued it.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It lacks a claim, or has one that can't be read.
    Claims,
    /// No token is taken here.
    NotTaken,
}

impl Fault {
    /// The fault as metrics name it, and in words that continue `the token …`.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Header => (
                "header",
                "has to be sent once, as `Authorization: Bearer …`",
            ),
            Self::Malformed => ("malformed", "can't be read"),
            Self::Algorithm => ("algorithm", "is signed in a way that is not taken here"),
            Self::Key => ("key", "is signed by a key that nobody knows here"),
            Self::Signature => ("signature", "has a signature that does not hold"),
            Self::Expired => ("expired", "has expired"),
            Self::Immature => ("immature", "is not valid yet"),
            Self::Issuer => ("issuer", "was issued by somebody else"),
            Self::Audience => ("audience", "is for somebody else"),
            Self::Claims => (
                "claims",
                "lacks a claim: iss, aud, exp and sub are required",
            ),
            Self::NotTaken => ("not_taken", "can't be checked: this service takes none"),
        }
    }
}

/// 401: the token is refused.
pub(super) fn invalid_token(fault: Fault) -> Problem {
    let (reason, words) = fault.names();
    count(reason);
    let challenge = format!(
        "Bearer realm=\"{REALM}\", error=\"invalid_token\", error_description=\"the token {words}\""
    );
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "invalid-token",
        "The token is refused",
    );
    challenged(problem, &challenge).with_detail(format!("the token {words}"))
}

/// 401: without a token this can't be asked for.
pub(super) fn authentication_required(scope: Scope) -> Problem {
    count("missing");
    let challenge = format!("Bearer realm=\"{REALM}\", scope=\"{}\"", scope.name());
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "authentication-required",
        "A token is required",
    );
    challenged(problem, &challenge).with_detail(format!(
        "send `Authorization: Bearer …` with a token of scope {}",
        scope.name()
    ))
}

/// 403: the token is good, and not for this.
pub(super) fn insufficient_scope(scope: Scope) -> Problem {
    count("scope");
    let name = scope.name();
    let challenge =
        format!("Bearer realm=\"{REALM}\", error=\"insufficient_scope\", scope=\"{name}\"");
    let problem = Problem::new(
        StatusCode::FORBIDDEN,
        "insufficient-scope",
        "The token does not allow this",
    );
    challenged(problem, &challenge).with_detail(format!("the token lacks the scope {name}"))
}

/// 503: the keys to check tokens by can't be had now.
pub(super) fn keys_unavailable(cause: impl std::fmt::Display) -> Problem {
    count("keys_unavailable");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "keys-unavailable",
        "Tokens can't be checked now",
    )
    .with_detail("the issuer's keys can't be had; what needs no token is answered")
    .with_retry_after(Duration::from_secs(5))
    .with_cause(cause)
}

fn challenged(problem: Problem, challenge: &str) -> Problem {
    // Made of words of this file, all of them visible ASCII.
    match HeaderValue::from_str(challenge) {
        Ok(value) => problem.with_header(WWW_AUTHENTICATE, value),
        Err(_) => problem,
    }
}

fn count(reason: &'static str) {
    metrics::counter!("auth_refusals_total", "reason" => reason).increment(1);
}
