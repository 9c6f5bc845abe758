//! A player's games, each from the player's side.

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel_async::AsyncPgConnection;

use super::filter::{Edge, GameList, Place};
use super::page::{self, Found, Listed};
use super::sql::columns;
use crate::StoreError;
use crate::schema::player_games;

const OPERATION: &str = "read a player's games";

/// One game in a player's list.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
#[expect(missing_docs, reason = "the columns are described in migrations/")]
pub struct PlayerGame {
    pub game_id: String,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub role: String,
    pub result: String,
    pub opponents: Vec<String>,
    pub opponent_rating: Option<i32>,
    pub rating: Option<i32>,
    pub rating_after: Option<i32>,
    pub game: String,
    pub variant: String,
    pub mode: String,
    pub time_control: Option<String>,
    pub region: Option<String>,
    pub tournament: Option<String>,
    pub termination: String,
    pub opening_code: Option<String>,
    pub opening_name: Option<String>,
    pub move_count: i32,
    pub incomplete: bool,
}

impl PlayerGame {
    /// Where this game stands in the list.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when its id is none.
    pub fn place(&self) -> Result<Place, StoreError> {
        page::place(OPERATION, self)
    }
}

columns!(
    PlayerGame = player_games: game_id, started_at, ended_at, role, result, opponents, opponent_rating, rating,
    rating_after, game, variant, mode, time_control, region, tournament, termination, opening_code, opening_name,
    move_count, incomplete
);

impl Listed for PlayerGame {
    fn ended_at(&self) -> DateTime<Utc> {
        self.ended_at
    }
    fn game_id(&self) -> &str {
        &self.game_id
    }
}

/// Reads up to `limit` games of a player's list, beginning at `from`. `now` only tells which months to ask first.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn player_games(
    connection: &mut AsyncPgConnection,
    list: &GameList,
    from: Option<&Edge>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Found<PlayerGame>, StoreError> {
    page::page(connection, OPERATION, list, from, limit, now).await
}
