//! Finished games in memory, those that are asked for most, each with its answer as it goes over the wire.
//!
//! A game is answered unasked for `fresh_for`; then one request asks the directory whether the game still is the edition that is kept (one
//! look-up by the primary key), while the others go on with it. A correction is therefore seen after `fresh_for` at the latest, in every
//! replica, without anybody telling them; an operator can have games forgotten at once. Why so: docs/adr/0009. Many who miss the same
//! game at a time wait for one reading of it. Bounded in bytes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{FinishedGame, GameId};
use service::Problem;
use store::read::{Edition, StoredGame};

use crate::conditional;
use crate::config::CacheConfig;
use crate::views;

/// What a kept game takes besides its answer and its moves: players, labels and the cache's own books, roughly.
const OVERHEAD: usize = 2_048;

/// A finished game with its answer.
#[derive(Debug)]
pub(crate) struct CachedGame {
    pub(crate) game: Arc<FinishedGame>,
    pub(crate) revision: i32,
    pub(crate) written_at: DateTime<Utc>,
    pub(crate) answer: Rendered,
    /// When the directory was asked last, in milliseconds of the cache's clock.
    checked_at: AtomicU64,
}

/// An answer as it goes over the wire, with its digest.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    pub(crate) body: Bytes,
    pub(crate) digest: Arc<str>,
}

/// What the cache has of a game.
pub(crate) enum Kept {
    /// The game, which may be answered as it is.
    Fresh(Arc<CachedGame>),
    /// The game; the directory has to be asked.
    Unsure(Arc<CachedGame>),
    /// Nothing.
    Nothing,
}

/// Finished games in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct GameCache {
    games: Option<moka::future::Cache<GameId, Arc<CachedGame>>>,
    fresh_for: Duration,
    clock: Instant,
}

impl GameCache {
    /// A cache of these settings, empty.
    #[must_use]
    pub fn new(config: &CacheConfig) -> Self {
        let games = moka::future::Cache::builder()
            .max_capacity(config.bytes)
            .weigher(|id: &GameId, game: &Arc<CachedGame>| weight(id, game))
            .time_to_live(config.keep_for);
        Self {
            games: (config.bytes > 0).then(|| games.build()),
            fresh_for: config.fresh_for,
            clock: Instant::now(),
        }
    }

    /// What there is of a game. Of those who meet a game that is no longer fresh, one is told that it is unsure.
    pub(crate) async fn kept(&self, id: &GameId) -> Kept {
        let Some(game) = self.of(id).await else {
            return Kept::Nothing;
        };
        let (now, checked) = (self.now(), game.checked_at.load(Ordering::Relaxed));
        let fresh_ms = u64::try_from(self.fresh_for.as_millis()).unwrap_or(u64::MAX);
        if now.saturating_sub(checked) < fresh_ms {
            return Kept::Fresh(game);
        }
        let claimed =
            game.checked_at
                .compare_exchange(checked, now, Ordering::Relaxed, Ordering::Relaxed);
        match claimed {
            // Somebody else asks already.
            Err(_) if fresh_ms > 0 => Kept::Fresh(game),
            _ => Kept::Unsure(game),
        }
    }

    async fn of(&self, id: &GameId) -> Option<Arc<CachedGame>> {
        self.games.as_ref()?.get(id).await
    }

    /// Whether a game that was unsure is the edition that the directory has now; else it is forgotten.
    pub(crate) async fn holds(
        &self,
        id: &GameId,
        game: &CachedGame,
        edition: Option<Edition>,
    ) -> bool {
        let kept = Edition {
            ended_at: game.game.ended_at.to_datetime(),
            revision: game.revision,
        };
        let same = edition == Some(kept);
        if !same {
            self.forget(id).await;
        }
        same
    }

    /// The directory could not be asked: the next one shall.
    pub(crate) fn unasked(&self, game: &CachedGame) {
        game.checked_at.store(0, Ordering::Relaxed);
    }

    /// The game that `read` gives, read once for all who ask meanwhile, and kept. What is no finished game comes back as the error.
    pub(crate) async fn read<E: Send + Sync + 'static>(
        &self,
        id: &GameId,
        read: impl Future<Output = Result<StoredGame, E>>,
        failed: impl FnOnce(Problem) -> E,
    ) -> Result<Arc<CachedGame>, Arc<E>> {
        let cached = async {
            let stored = read.await?;
            self.cached(stored).map(Arc::new).map_err(failed)
        };
        let Some(games) = &self.games else {
            return cached.await.map_err(Arc::new);
        };
        let game = games.try_get_with_by_ref(id, cached).await;
        self.measure();
        game
    }

    /// Keeps a game that was read with others.
    pub(crate) async fn keep(
        &self,
        id: &GameId,
        stored: StoredGame,
    ) -> Result<Arc<CachedGame>, Problem> {
        let game = Arc::new(self.cached(stored)?);
        if let Some(games) = &self.games {
            games.insert(id.clone(), game.clone()).await;
            self.measure();
        }
        Ok(game)
    }

    fn cached(&self, stored: StoredGame) -> Result<CachedGame, Problem> {
        let body =
            serde_json::to_vec(&views::finished(&stored.game)?).map_err(Problem::internal)?;
        let digest = conditional::digest(&[&body]);
        Ok(CachedGame {
            game: Arc::new(stored.game),
            revision: stored.revision,
            written_at: stored.written_at,
            answer: Rendered {
                body: body.into(),
                digest: digest.into(),
            },
            checked_at: AtomicU64::new(self.now()),
        })
    }

    /// Forgets a game; whether there was one.
    pub(crate) async fn forget(&self, id: &GameId) -> bool {
        match &self.games {
            Some(games) => games.remove(id).await.is_some(),
            None => false,
        }
    }

    /// Forgets everything, and says about how many games that were.
    pub(crate) async fn forget_all(&self) -> u64 {
        let Some(games) = &self.games else {
            return 0;
        };
        games.run_pending_tasks().await;
        let count = games.entry_count();
        games.invalidate_all();
        games.run_pending_tasks().await;
        self.measure();
        count
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "bytes and games are far below 2^52"
    )]
    fn measure(&self) {
        if let Some(games) = &self.games {
            metrics::gauge!("game_cache_bytes").set(games.weighted_size() as f64);
            metrics::gauge!("game_cache_games").set(games.entry_count() as f64);
        }
    }

    fn now(&self) -> u64 {
        // From 1 on: zero is before everything.
        u64::try_from(self.clock.elapsed().as_millis()).map_or(u64::MAX, |ms| ms.saturating_add(1))
    }
}

fn weight(id: &GameId, game: &CachedGame) -> u32 {
    let moves = game.game.moves.capacity();
    let bytes = OVERHEAD + 2 * id.as_str().len() + moves + game.answer.body.len();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Counts how a game was found.
pub(crate) fn count(outcome: &'static str) {
    metrics::counter!("game_cache_requests_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use domain::{EventTime, NewGame, PackedMoves, Slug};

    use super::*;

    fn stored(id: &str) -> StoredGame {
        let slug = |text: &str| Slug::parse(text).unwrap();
        let time = EventTime::from_ms(1_700_000_000_000).unwrap();
        let created = NewGame {
            players: Vec::new(),
            game: slug("go"),
            variant: slug("standard"),
            mode: slug("rated"),
            time_control: None,
            region: None,
            platform: None,
            tournament: None,
            start_position: None,
        };
        StoredGame {
            game: FinishedGame {
                id: GameId::parse(id).unwrap(),
                created,
                started_at: time,
                ended_at: time,
                winner: None,
                drawn: true,
                termination: slug("agreement"),
                move_count: 0,
                incomplete: false,
                moves: PackedMoves::default(),
                opening: None,
                players: Vec::new(),
                end_fingerprint: String::new(),
            },
            revision: 1,
            written_at: DateTime::UNIX_EPOCH,
        }
    }

    async fn read(cache: &GameCache, id: &str) -> Arc<CachedGame> {
        let id = GameId::parse(id).unwrap();
        let stored = async { Ok::<_, String>(stored(id.as_str())) };
        let failed = |problem: Problem| problem.to_string();
        cache.read(&id, stored, failed).await.unwrap()
    }

    #[tokio::test]
    async fn memory_holds_no_more_bytes_than_it_may() {
        let cache = GameCache::new(&CacheConfig {
            bytes: 100_000,
            ..CacheConfig::default()
        });
        for n in 0..500 {
            read(&cache, &format!("g-{n}")).await;
        }
        let games = cache.games.as_ref().unwrap();
        games.run_pending_tasks().await;
        assert!(
            games.weighted_size() <= 100_000,
            "{}",
            games.weighted_size()
        );
        assert!(
            (10..=50).contains(&games.entry_count()),
            "{}",
            games.entry_count()
        );
    }

    #[tokio::test]
    async fn of_those_who_meet_a_game_that_is_no_longer_fresh_one_asks() {
        let cache = GameCache::new(&CacheConfig {
            fresh_for: Duration::from_millis(30),
            ..CacheConfig::default()
        });
        read(&cache, "g").await;
        let id = GameId::parse("g").unwrap();
        assert!(matches!(cache.kept(&id).await, Kept::Fresh(_)));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Kept::Unsure(game) = cache.kept(&id).await else {
            panic!("it is still fresh");
        };
        assert!(matches!(cache.kept(&id).await, Kept::Fresh(_)));
        cache.unasked(&game);
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert!(matches!(cache.kept(&id).await, Kept::Unsure(_)));
        assert!(!cache.holds(&id, &game, None).await);
        assert!(matches!(cache.kept(&id).await, Kept::Nothing));
    }
}
