//! One page of any list: the one keyset path.
//!
//! ```sql
//! SELECT … FROM (SELECT … FROM t WHERE <index prefix> AND <beyond the edge> ORDER BY ended_at, game_id LIMIT <budget>) s
//! WHERE <the filter's other conditions> ORDER BY ended_at, game_id LIMIT <page>
//! ```
//!
//! The inner part walks one index in order, the outer one sieves. It stops when the page is full, or when it has looked at as
//! many games as its budget allows: a filter that nothing matches costs a page no more than any other, and the walk goes on
//! from where it stopped. So a page may hold fewer games than asked for, or none, and not be the last.
//!
//! Most pages are of recent games, so the two months at the page's edge are asked first: that prunes to the partitions of those
//! months. Only when they do not fill the page is the rest of time asked; by a statement that is planned each time the year before
//! them first, for planning it over all months costs more than running it.

mod driver;
mod walk;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::{Queryable, QueryableByName};
use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::GameId;

use self::walk::{Part, Walk};
use super::filter::{Edge, GameList, Place};
use super::sql::{Columns, Sql, Typed, columns};
use crate::StoreError;
use crate::schema::player_games;

/// The columns of `player_games` that its index holds, so that the rows need not be looked up.
pub(super) const COVERED: &str = "ended_at, game_id, started_at, role, result, opponent_rating, rating, rating_after, game, variant, mode, \
     time_control, region, termination, opening_code, move_count, incomplete";

/// A row that stands in a list.
pub(super) trait Listed: Columns + Sized + Send + 'static {
    /// When its game ended.
    fn ended_at(&self) -> DateTime<Utc>;
    /// Its game's id.
    fn game_id(&self) -> &str;
}

/// A page.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// Its games, in the list's order whichever way the page was walked.
    pub rows: Vec<T>,
    /// Where to go on in the page's own direction; `None` at the end of the list.
    pub more: Option<Edge>,
}

/// Everything of a list that matches its filter, in its order: `SELECT columns FROM …`.
pub(super) fn matching(list: &GameList, columns: &str) -> Sql {
    Walk::new(list, None).matching(columns, None)
}

/// The same, where `also` is true too: a condition on the columns of the list's table.
pub(super) fn matching_also(list: &GameList, columns: &str, also: &'static str) -> Sql {
    Walk::new(list, None).matching(columns, Some(also))
}

/// Counts what matches of the first games of a list: `looked` and `matched`. Looks at no more than `most`, or at a tenth of
/// them where each takes a look-up; that number is given too.
pub(super) fn counting(list: &GameList, most: u32) -> (Sql, i64) {
    Walk::new(list, None).counting(most)
}

/// Reads up to `limit` games of a list, beginning at `from`. `now` only tells which months to ask first.
pub(super) async fn page<T: Listed>(
    connection: &mut AsyncPgConnection,
    operation: &'static str,
    list: &GameList,
    from: Option<&Edge>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Found<T>, StoreError>
where
    Typed<T::Types>: LoadQuery<'static, AsyncPgConnection, T>,
{
    let walk = Walk::new(list, from);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    // One more than asked for tells whether there is a next page.
    let full = wanted + 1;
    let mut rows: Vec<T> = Vec::new();
    let mut edge = from.cloned();
    for months in walk.steps() {
        let Some(near) = walk.near_bound(edge.as_ref(), now, *months) else {
            break;
        };
        let statement = walk.statement::<T>(
            &Part {
                edge: edge.as_ref(),
                near: Some(near),
                last: None,
            },
            full - rows.len(),
        );
        rows.extend(load_listed::<T>(connection, operation, statement).await?);
        if let Some(row) = rows.last() {
            edge = Some(walk.beyond(place(operation, row)?));
        }
        if rows.len() >= full {
            break;
        }
    }
    let mut reached = None;
    if rows.len() < full {
        if let Some(statement) = walk.reached(edge.as_ref()) {
            let last = load_listed::<ReachedRow>(connection, operation, statement).await?;
            reached = last
                .iter()
                .map(|row| place(operation, row))
                .next()
                .transpose()?;
        }
        let part = Part {
            edge: edge.as_ref(),
            near: None,
            last: reached.as_ref(),
        };
        let statement = walk.statement::<T>(&part, full - rows.len());
        rows.extend(load_listed::<T>(connection, operation, statement).await?);
    }
    if rows.len() > wanted {
        rows.truncate(wanted);
        reached = rows.last().map(|row| place(operation, row)).transpose()?;
    }
    let more = reached.map(|place| walk.beyond(place));
    if walk.backward {
        rows.reverse();
    }
    Ok(Found { rows, more })
}

pub(super) async fn load<T: QueryableByName<Pg> + Send + 'static>(
    connection: &mut AsyncPgConnection,
    operation: &'static str,
    statement: Sql,
) -> Result<Vec<T>, StoreError> {
    statement
        .load(connection)
        .await
        .map_err(StoreError::query(operation))
}

async fn load_listed<T: Listed>(
    connection: &mut AsyncPgConnection,
    operation: &'static str,
    statement: Sql,
) -> Result<Vec<T>, StoreError>
where
    Typed<T::Types>: LoadQuery<'static, AsyncPgConnection, T>,
{
    Typed::<T::Types>::new(statement)
        .load(connection)
        .await
        .map_err(StoreError::query(operation))
}

pub(super) fn place<T: Listed>(operation: &'static str, row: &T) -> Result<Place, StoreError> {
    let game_id = GameId::parse(row.game_id()).map_err(|error| StoreError::Damaged {
        operation,
        detail: format!("game_id: {error}"),
    })?;
    Ok(Place {
        ended_at: row.ended_at(),
        game_id,
    })
}

#[derive(Queryable)]
struct ReachedRow {
    ended_at: DateTime<Utc>,
    game_id: String,
}

columns!(ReachedRow = player_games: ended_at, game_id);

impl Listed for ReachedRow {
    fn ended_at(&self) -> DateTime<Utc> {
        self.ended_at
    }
    fn game_id(&self) -> &str {
        &self.game_id
    }
}
