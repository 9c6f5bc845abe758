//! Load on one route: so many connections, each asking again as soon as it is answered, for a fixed time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::task::JoinSet;

use super::client::Client;

/// Answers in this time are not counted: sessions are opened and statements prepared in it.
pub(super) const WARM_UP: Duration = Duration::from_millis(700);

/// What to ask: a target for each number, counted over all connections and all measurements of a route.
#[derive(Clone)]
pub(super) struct Targets {
    next: Arc<AtomicU64>,
    target: Arc<dyn Fn(u64) -> String + Send + Sync>,
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Targets").finish_non_exhaustive()
    }
}

impl Targets {
    pub(super) fn new(target: impl Fn(u64) -> String + Send + Sync + 'static) -> Self {
        Self {
            next: Arc::default(),
            target: Arc::new(target),
        }
    }

    fn next(&self) -> String {
        (self.target)(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measure {
    pub(super) connections: usize,
    /// Answers a second, refusals left out.
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    /// Answers that were no success.
    pub(super) refused: u64,
}

/// Asks.
///
/// # Errors
/// A connection breaks, or nothing is answered with success.
pub(super) async fn measure(
    address: SocketAddr,
    targets: &Targets,
    connections: usize,
    lasting: Duration,
) -> anyhow::Result<Measure> {
    let counted_from = Instant::now() + WARM_UP;
    let until = counted_from + lasting;
    let mut asking = JoinSet::new();
    for _ in 0..connections {
        asking.spawn(ask(address, targets.clone(), counted_from, until));
    }
    let (mut took, mut refused, mut status) = (Vec::new(), 0, None);
    while let Some(asked) = asking.join_next().await {
        let asked = asked.context("a connection's task broke off")??;
        took.extend(asked.took_us);
        refused += asked.refused;
        status = asked.refusal.or(status);
    }
    if took.is_empty() {
        bail!(
            "{} has no answer with success; the last was {status:?}",
            targets.next()
        );
    }
    took.sort_unstable();
    // A place in a list that is not empty.
    let quantile = |percent: usize| f64::from(took[(took.len() - 1) * percent / 100]) / 1e3;
    Ok(Measure {
        connections,
        per_second: took.len() as f64 / lasting.as_secs_f64(),
        p50_ms: quantile(50),
        p95_ms: quantile(95),
        p99_ms: quantile(99),
        refused,
    })
}

#[derive(Default)]
struct Asked {
    /// Answers with success, in microseconds.
    took_us: Vec<u32>,
    refused: u64,
    refusal: Option<u16>,
}

async fn ask(
    address: SocketAddr,
    targets: Targets,
    counted_from: Instant,
    until: Instant,
) -> anyhow::Result<Asked> {
    let (mut client, mut asked) = (Client::new(address), Asked::default());
    loop {
        let target = targets.next();
        let began = Instant::now();
        let status = client
            .get(&target, |_| {})
            .await
            .with_context(|| format!("{target} is not answered"))?;
        let now = Instant::now();
        if now >= until {
            return Ok(asked);
        }
        if now < counted_from {
            continue;
        }
        if status == 200 {
            let took = u32::try_from((now - began).as_micros()).unwrap_or(u32::MAX);
            asked.took_us.push(took);
        } else {
            asked.refused += 1;
            asked.refusal = Some(status);
        }
    }
}
