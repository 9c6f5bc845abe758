//! How much one caller, and all of them together, may ask: rates, requests in hand, exports under way, and the size of a request's head.
//!
//! All are refused before a database session is asked for. Shared by all workers; a rate's memory is bounded however many callers there are.

mod address;
mod exports;
mod head;
mod rate;

use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use service::Problem;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::access::Scope;
use crate::config::{ClientAddressConfig, Config};
use rate::Rate;

pub(crate) use exports::{ExportSlot, Exports};
pub(crate) use rate::{Key, Standing};

/// So many requests may wait for one database session.
const REQUESTS_PER_SESSION: usize = 32;

/// The limits of the process.
#[derive(Debug)]
pub struct Limits {
    reads: Option<Rate>,
    exporting: Option<Rate>,
    client_address: Option<ClientAddressConfig>,
    in_hand: Semaphore,
    url_bytes: usize,
    header_bytes: usize,
    pub(crate) exports: Exports,
}

impl Limits {
    /// The limits of these settings.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let limits = &config.limits;
        let sessions = usize::try_from(config.database.pool.max_size).unwrap_or(1);
        let at_once = limits.requests_at_once;
        Self {
            reads: limits.reads.map(|rate| Rate::new("reads", rate)),
            exporting: limits.exports.map(|rate| Rate::new("exports", rate)),
            client_address: limits.client_address.clone(),
            in_hand: Semaphore::new(at_once.unwrap_or(REQUESTS_PER_SESSION * sessions)),
            url_bytes: limits.url_bytes,
            header_bytes: limits.header_bytes,
            exports: Exports::new(limits),
        }
    }

    /// Refuses a request whose head is too large.
    pub(crate) fn head(&self, request: &ServiceRequest) -> Result<(), Problem> {
        head::check(request, self.url_bytes, self.header_bytes)
    }

    /// A place among the requests in hand, for as long as it is held.
    pub(crate) fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let place = self.in_hand.try_acquire();
        place.map_err(|_full| overloaded("requests", "requests in hand"))
    }

    /// Who a caller without a token is for the rates: its address.
    pub(crate) fn stranger(&self, request: &ServiceRequest) -> Key {
        let peer = request.peer_addr().map(|peer| peer.ip());
        Key::Address(address::of(
            request.headers(),
            peer,
            self.client_address.as_ref(),
        ))
    }

    /// Counts a request, and tells how its caller stands; `None` where there is no limit.
    pub(crate) fn count(&self, scope: Scope, key: &Key) -> Option<Standing> {
        let rate = match scope {
            Scope::Export => self.exporting.as_ref(),
            Scope::Read | Scope::Admin => self.reads.as_ref(),
        };
        rate.map(|rate| rate.count(key))
    }
}

/// 503: there is more to do than can be done.
fn overloaded(cause: &'static str, what: &str) -> Problem {
    metrics::counter!("requests_shed_total", "cause" => cause).increment(1);
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "The service has too much to do",
    )
    .with_detail(format!("there are as many {what} as there may be"))
    .with_retry_after(Duration::from_secs(1))
    .with_cause(format!("too many {what}"))
}

/// 429: this caller has asked for too much.
pub(crate) fn too_many(standing: &Standing) -> Problem {
    let (code, title) = match standing.bucket {
        "exports" => ("too-many-exports", "Too many exports"),
        _ => ("too-many-reads", "Too many requests"),
    };
    metrics::counter!("rate_limited_total", "bucket" => standing.bucket).increment(1);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, code, title)
        .with_detail(format!(
            "{} are allowed in {} seconds",
            standing.requests, standing.window_s
        ))
        .with_retry_after(standing.wait)
}
