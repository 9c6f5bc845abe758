//! A player's games, newest first.
//!
//! Most pages are of recent games, so the last two months before the page's upper end are asked first: that prunes to the
//! partitions of those months. Only when they do not fill the page is the rest of time asked.

use chrono::{DateTime, Datelike, Months, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{GameId, PlayerId};

use super::{GameFilter, Place};
use crate::StoreError;
use crate::schema::player_games;

const OPERATION: &str = "read a player's games";

/// One game in a player's list.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = player_games, check_for_backend(diesel::pg::Pg))]
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
        let game_id = GameId::parse(&self.game_id).map_err(|error| StoreError::Damaged {
            operation: OPERATION,
            detail: format!("player_games.game_id: {error}"),
        })?;
        Ok(Place {
            ended_at: self.ended_at,
            game_id,
        })
    }
}

/// Reads up to `limit` games of a player that match the filter, newest first, beginning behind `after`. `now` only tells
/// which months to ask first.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn player_games(
    connection: &mut AsyncPgConnection,
    player: &PlayerId,
    filter: &GameFilter,
    after: Option<&Place>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Vec<PlayerGame>, StoreError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let since = filter.since.map(domain::EventTime::to_datetime);
    let recent = recent_months(filter, after, now).filter(|recent| since < Some(*recent));
    let mut rows = page(connection, player, filter, after, recent.or(since), limit).await?;
    if recent.is_some() && rows.len() < limit {
        let reached = rows.last().map(PlayerGame::place).transpose()?;
        let after = reached.as_ref().or(after);
        let rest = limit - rows.len();
        rows.extend(page(connection, player, filter, after, since, rest).await?);
    }
    Ok(rows)
}

/// The first instant of the month before the one that the page's upper end lies in.
fn recent_months(
    filter: &GameFilter,
    after: Option<&Place>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let until = filter.until.map(domain::EventTime::to_datetime);
    let upper = [Some(now), until, after.map(|place| place.ended_at)]
        .into_iter()
        .flatten()
        .min()?;
    let month = upper.date_naive().with_day(1)? - Months::new(1);
    Some(month.and_time(chrono::NaiveTime::MIN).and_utc())
}

async fn page(
    connection: &mut AsyncPgConnection,
    player: &PlayerId,
    filter: &GameFilter,
    after: Option<&Place>,
    since: Option<DateTime<Utc>>,
    limit: usize,
) -> Result<Vec<PlayerGame>, StoreError> {
    let mut query = matching(player, filter)
        .order((player_games::ended_at.desc(), player_games::game_id.desc()))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX));
    if let Some(since) = since {
        query = query.filter(player_games::ended_at.ge(since));
    }
    if let Some(place) = after {
        // Not a comparison of rows: by the first term Postgres also chooses the partitions.
        query = query
            .filter(player_games::ended_at.le(place.ended_at))
            .filter(
                player_games::ended_at
                    .lt(place.ended_at)
                    .or(player_games::game_id.lt(place.game_id.as_str().to_owned())),
            );
    }
    query
        .select(PlayerGame::as_select())
        .load(connection)
        .await
        .map_err(StoreError::query(OPERATION))
}

/// The player's games that match everything of the filter but its lower bound.
fn matching(player: &PlayerId, filter: &GameFilter) -> player_games::BoxedQuery<'static, Pg> {
    let mut query = player_games::table
        .filter(player_games::player_id.eq(player.as_str().to_owned()))
        .into_boxed();
    if let Some(mode) = &filter.mode {
        query = query.filter(player_games::mode.eq(mode.as_str().to_owned()));
    }
    if let Some(variant) = &filter.variant {
        query = query.filter(player_games::variant.eq(variant.as_str().to_owned()));
    }
    if let Some(time_control) = &filter.time_control {
        query = query.filter(player_games::time_control.eq(time_control.as_str().to_owned()));
    }
    if let Some(result) = filter.result {
        query = query.filter(player_games::result.eq(result.as_str()));
    }
    if let Some(opponent) = &filter.opponent {
        let opponent = vec![opponent.as_str().to_owned()];
        query = query.filter(player_games::opponents.contains(opponent));
    }
    if let Some(until) = filter.until {
        query = query.filter(player_games::ended_at.lt(until.to_datetime()));
    }
    query
}

#[cfg(test)]
mod tests {
    use domain::EventTime;

    use super::*;

    #[test]
    fn the_recent_months_begin_a_month_before_the_pages_upper_end() {
        let now = "2026-03-31T10:00:00Z".parse().unwrap();
        let of = |filter: &GameFilter, after: Option<&Place>| {
            recent_months(filter, after, now).unwrap().to_rfc3339()
        };
        let mut filter = GameFilter::default();
        assert_eq!(of(&filter, None), "2026-02-01T00:00:00+00:00");
        filter.until =
            Some(EventTime::from_datetime("2026-01-01T00:00:00Z".parse().unwrap()).unwrap());
        assert_eq!(of(&filter, None), "2025-12-01T00:00:00+00:00");
        let after = Place {
            ended_at: "2024-02-29T00:00:00Z".parse().unwrap(),
            game_id: GameId::parse("g").unwrap(),
        };
        assert_eq!(of(&filter, Some(&after)), "2024-01-01T00:00:00+00:00");
    }
}
