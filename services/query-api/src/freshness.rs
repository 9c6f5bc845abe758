//! How far what can be read lags behind what has happened: asked of the database at most once a second, told with every answer.
//!
//! One request at a time asks, by the session it holds anyway; the others tell what is known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderName;
use store::pool::PooledConnection;
use store::{Pool, read};

/// How long an answer about the lag is good.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// The header that tells it.
pub(crate) const X_PROJECTION_LAG_MS: HeaderName = HeaderName::from_static("x-projection-lag-ms");

/// The last known lag. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Freshness(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    asked_at: Option<Instant>,
    lag_ms: Option<i64>,
}

impl Freshness {
    /// The headers that tell the lag; none while no game has ended.
    pub(crate) async fn headers(
        &self,
        connection: &mut PooledConnection<'_>,
    ) -> Vec<(HeaderName, String)> {
        told(self.lag_ms(connection).await)
    }

    /// The headers for an answer that needed no session: what is known, else asked by a session of its own. They are left out when there is
    /// none to be had: the answer is worth more.
    pub(crate) async fn headers_alone(&self, pool: &Pool) -> Vec<(HeaderName, String)> {
        if let Some(lag_ms) = self.known() {
            return told(lag_ms);
        }
        match pool.get().await {
            Ok(mut connection) => self.headers(&mut connection).await,
            Err(_) => Vec::new(),
        }
    }

    /// The lag, where it was asked for lately.
    fn known(&self) -> Option<Option<i64>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = known.asked_at.is_some_and(|at| at.elapsed() < GOOD_FOR);
        lately.then_some(known.lag_ms)
    }

    async fn lag_ms(&self, connection: &mut PooledConnection<'_>) -> Option<i64> {
        {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.asked_at.is_some_and(|at| at.elapsed() < GOOD_FOR) {
                return known.lag_ms;
            }
            // Others go on with what is known while this one asks.
            known.asked_at = Some(Instant::now());
        }
        // An answer is worth more than its lag: a failure here fails nothing else.
        let lag_ms = read::projection_lag_ms(connection).await.ok().flatten();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.lag_ms = lag_ms;
        lag_ms
    }
}

fn told(lag_ms: Option<i64>) -> Vec<(HeaderName, String)> {
    let header = lag_ms.map(|lag| (X_PROJECTION_LAG_MS, lag.to_string()));
    header.into_iter().collect()
}
