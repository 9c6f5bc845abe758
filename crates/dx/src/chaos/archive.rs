//! The attack on archivers: as many as asked for share the topic, and reach an S3 server through a proxy that breaks it on order.
//!
//! They take their blows while the ingestors take theirs, from a schedule of their own ([`plan`]); what hits the broker hits both.
//! Every other one writes JSON Lines instead of Parquet. Afterwards [`mod@judge`] holds the archive against the topic, record by
//! record, and [`evidence`] tells what was done to them.

mod evidence;
mod found;
mod judge;
mod plan;

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;
use test_support::StoreProxy;

use super::members::{Kind, Members, SESSION_TIMEOUT_MS};
use crate::stack::{self, Endpoints, Profile, S3};
pub(super) use evidence::{Blows, Evidence};
pub(super) use judge::{Compared, judge};
pub(super) use plan::{Blow, draw};

/// What archivers are called.
pub(super) const NAME: &str = "archiver";

/// The archivers and the store that they are attacked with.
pub(super) struct Archivers<'a> {
    pub(super) members: Members<'a>,
    pub(super) proxy: StoreProxy,
    pub(super) blows: Blows,
}

/// What became of them, for the report.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) archivers: u16,
    pub(super) evidence: Evidence,
    pub(super) compared: Compared,
}

impl<'a> Archivers<'a> {
    /// Puts the proxy up; no archiver is started yet.
    ///
    /// # Errors
    /// The stack has no S3 server, or no port is to be had.
    pub(super) async fn prepare(profile: &'a Profile, program: PathBuf) -> anyhow::Result<Self> {
        let endpoints = profile.endpoints()?;
        let s3 = endpoints.archive.s3.as_ref();
        let s3 = s3.context("the attacked stack has no object store")?;
        let proxy = StoreProxy::listen(&s3.endpoint)
            .await
            .context("the store's proxy cannot listen")?;
        let kind = Kind {
            name: NAME,
            program,
            listen: "ARCHIVER__HEALTH__LISTEN",
            environment: environment(&endpoints, s3, proxy.endpoint()),
            own: |number| {
                let format = if number.is_multiple_of(2) {
                    "jsonl"
                } else {
                    "parquet"
                };
                vec![("ARCHIVER__RAW__FORMAT", format.to_owned())]
            },
        };
        Ok(Self {
            members: Members::new(profile, kind),
            proxy,
            blows: Blows::default(),
        })
    }
}

/// An archiver's configuration: small batches, so that there is a link to fight for at any time, and little patience.
fn environment(endpoints: &Endpoints, s3: &S3, endpoint: String) -> Vec<(&'static str, String)> {
    let fixed = [
        ("ARCHIVER__STORE__REQUEST_TIMEOUT", "6s"),
        ("ARCHIVER__STORE__RETRY_TIMEOUT", "3s"),
        ("ARCHIVER__RAW__ROTATION__ROWS", "20000"),
        ("ARCHIVER__RAW__ROTATION__AGE", "2s"),
        ("ARCHIVER__TELEMETRY__LOG_FORMAT", "json"),
        ("ARCHIVER__TELEMETRY__LOG_FILTER", "info"),
    ];
    let mut environment: Vec<(&'static str, String)> = fixed
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    environment.extend(stack::archiver_s3(s3, endpoint));
    environment.extend([
        ("ARCHIVER__STORE__URL", endpoints.archive.url.clone()),
        ("ARCHIVER__KAFKA__BROKERS", endpoints.kafka.clone()),
        (
            "ARCHIVER__KAFKA__SESSION_TIMEOUT_MS",
            SESSION_TIMEOUT_MS.to_string(),
        ),
        (
            "ARCHIVER__RAW__TOPICS",
            format!("[\"{}\"]", endpoints.topic),
        ),
    ]);
    environment
}
