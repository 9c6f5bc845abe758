//! How long after its end was acknowledged a game can be read as finished, for as many games as can be watched at once.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Between two looks at a game.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// After this a game counts as not readable.
const PATIENCE: Duration = Duration::from_secs(60);

/// The watch.
#[derive(Debug)]
pub(crate) struct Visibility {
    client: reqwest::Client,
    api: String,
    permits: Arc<Semaphore>,
    watches: JoinSet<anyhow::Result<Watched>>,
}

/// A game that was watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched {
    /// When its end was acknowledged.
    pub(crate) acknowledged: Instant,
    /// How long after that it was readable; `None` when that took too long.
    pub(crate) readable_after: Option<Duration>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The games that became readable, in the order of their ends.
    pub(crate) games: Vec<(Instant, Duration)>,
    /// Games that were not readable within the patience.
    pub(crate) never: usize,
    /// Ends acknowledged.
    pub(crate) acknowledged: u64,
}

impl Visibility {
    /// Watches so many games at a time. Makes sure that the API answers.
    pub(crate) async fn new(api: &str, watched: usize) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()?;
        let health = client.get(format!("{api}/health/live")).send().await;
        let health = health.and_then(reqwest::Response::error_for_status);
        health.with_context(|| {
            format!(
                "the query API does not answer at {api}: start it with `cargo dx run query-api`"
            )
        })?;
        Ok(Self {
            client,
            api: api.to_owned(),
            permits: Arc::new(Semaphore::new(watched)),
            watches: JoinSet::new(),
        })
    }

    /// Watches a game from its end's acknowledgement on; gives the delivery back when enough are watched.
    pub(crate) fn sample<P, D, E>(&mut self, game_id: &str, end: P) -> Option<P>
    where
        P: Future<Output = Result<D, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
        D: Send,
    {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            return Some(end);
        };
        let request = self.client.get(format!("{}/v1/games/{game_id}", self.api));
        self.watches.spawn(async move {
            let _permit = permit;
            end.await?;
            Ok(watch(request).await)
        });
        None
    }

    /// Waits for the games that are watched.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Seen> {
        let mut seen = Seen::default();
        while let Some(watch) = self.watches.join_next().await {
            let watched = watch.context("a watch broke off")??;
            seen.acknowledged += 1;
            match watched.readable_after {
                Some(time) => seen.games.push((watched.acknowledged, time)),
                None => seen.never += 1,
            }
        }
        seen.games.sort_unstable();
        Ok(seen)
    }
}

/// Waits until the game is readable as finished.
async fn watch(request: reqwest::RequestBuilder) -> Watched {
    let acknowledged = Instant::now();
    let readable_after = until_finished(request, acknowledged).await;
    Watched {
        acknowledged,
        readable_after,
    }
}

async fn until_finished(
    request: reqwest::RequestBuilder,
    acknowledged: Instant,
) -> Option<Duration> {
    while acknowledged.elapsed() < PATIENCE {
        let answer = match request.try_clone() {
            Some(request) => request.send().await,
            None => return None,
        };
        if let Ok(answer) = answer
            && answer.status().is_success()
            && let Ok(game) = answer.json::<serde_json::Value>().await
            && game.get("status").and_then(serde_json::Value::as_str) == Some("finished")
        {
            return Some(acknowledged.elapsed());
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    None
}

impl Seen {
    /// How many games were measured.
    pub(crate) fn measured(&self) -> usize {
        self.games.len()
    }

    /// The 50th, 90th, 99th percentile and the longest, in milliseconds; `None` when nothing was measured.
    pub(crate) fn quantiles(&self) -> Option<[u128; 4]> {
        let mut times: Vec<Duration> = self.games.iter().map(|(_, time)| *time).collect();
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        // The smallest time that so many of a hundred do not exceed.
        let at = |percent: usize| {
            (last + 1)
                .saturating_mul(percent)
                .div_ceil(100)
                .saturating_sub(1)
        };
        let ms = |place: usize| {
            times
                .get(place)
                .map(Duration::as_millis)
                .unwrap_or_default()
        };
        Some([50, 90, 99, 100].map(|percent| ms(at(percent))))
    }

    /// # Errors
    /// When no game was measured, or some were not readable at all.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let patience_s = PATIENCE.as_secs();
        if self.never > 0 {
            bail!(
                "{} of {} watched games were not readable within {patience_s} s",
                self.never,
                self.acknowledged
            );
        }
        ensure!(
            self.measured() > 0,
            "no game ended, so no visibility was measured: play more games"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(times_ms: impl IntoIterator<Item = u64>) -> Seen {
        Seen {
            games: times_ms
                .into_iter()
                .map(|ms| (Instant::now(), Duration::from_millis(ms)))
                .collect(),
            ..Seen::default()
        }
    }

    #[test]
    fn quantiles_are_times_that_were_measured() {
        assert_eq!(seen(1..=100).quantiles(), Some([50, 90, 99, 100]));
        assert_eq!(seen(1..=1_000).quantiles(), Some([500, 900, 990, 1_000]));
        assert_eq!(seen([7]).quantiles(), Some([7; 4]));
        assert_eq!(seen([]).quantiles(), None);
    }

    #[test]
    fn nothing_measured_or_something_never_seen_is_a_failure() {
        assert!(seen([]).check().is_err());
        assert!(seen([5]).check().is_ok());
        assert!(
            Seen {
                never: 1,
                ..seen([5])
            }
            .check()
            .unwrap_err()
            .to_string()
            .contains("not readable")
        );
    }
}
