//! Everybody's games, each from nobody's side and without its moves.

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel_async::AsyncPgConnection;
use domain::FinishedPlayer;

use super::filter::{Edge, GameList, Place};
use super::page::{self, Found, Listed};
use super::players::PlayersColumn;
use super::sql::columns;
use crate::StoreError;
use crate::schema::games;

const OPERATION: &str = "read the feed";
const KEYS: &str = "read the games of an export";

/// One game in the feed.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
#[expect(missing_docs, reason = "the columns are described in migrations/")]
pub struct GameSummary {
    pub game_id: String,
    pub ended_at: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub game: String,
    pub variant: String,
    pub mode: String,
    pub time_control: Option<String>,
    pub region: Option<String>,
    pub platform: Option<String>,
    pub tournament: Option<String>,
    pub start_position: Option<String>,
    pub result: String,
    pub winner: Option<String>,
    pub termination: String,
    pub opening_code: Option<String>,
    pub opening_name: Option<String>,
    pub move_count: i32,
    pub incomplete: bool,
    pub players: PlayersColumn,
}

impl GameSummary {
    /// Where this game stands in the list.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when its id is none.
    pub fn place(&self) -> Result<Place, StoreError> {
        page::place(OPERATION, self)
    }

    /// The players in seat order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when they can't be read.
    pub fn players(&self) -> Result<Vec<FinishedPlayer>, StoreError> {
        self.players.read(OPERATION)
    }
}

columns!(
    GameSummary = games: game_id, ended_at, started_at, game, variant, mode, time_control, region, platform, tournament,
    start_position, result, winner, termination, opening_code, opening_name, move_count, incomplete, players
);

impl Listed for GameSummary {
    fn ended_at(&self) -> DateTime<Utc> {
        self.ended_at
    }
    fn game_id(&self) -> &str {
        &self.game_id
    }
}

/// Reads up to `limit` games of the feed, beginning at `from`. `now` only tells which months to ask first.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn feed(
    connection: &mut AsyncPgConnection,
    list: &GameList,
    from: Option<&Edge>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Found<GameSummary>, StoreError> {
    page::page(connection, OPERATION, list, from, limit, now).await
}

#[derive(Queryable)]
struct Key {
    game_id: String,
    ended_at: DateTime<Utc>,
}

columns!(Key = games: game_id, ended_at);

impl Listed for Key {
    fn ended_at(&self) -> DateTime<Utc> {
        self.ended_at
    }
    fn game_id(&self) -> &str {
        &self.game_id
    }
}

/// The places of up to `limit` games of any list, beginning at `from`.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn places(
    connection: &mut AsyncPgConnection,
    list: &GameList,
    from: Option<&Edge>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Found<Place>, StoreError> {
    let found: Found<Key> = page::page(connection, KEYS, list, from, limit, now).await?;
    let rows = found.rows.iter().map(|key| page::place(KEYS, key));
    Ok(Found {
        rows: rows.collect::<Result<_, _>>()?,
        more: found.more,
    })
}
