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
//! months. Only when they do not fill the page is the rest of time asked.

use chrono::{DateTime, Datelike, Months, NaiveTime, Utc};
use diesel::QueryableByName;
use diesel::pg::Pg;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{GameId, PlayerId};

use super::filter::{Edge, GameList, Order, Perspective, Place, Scope};
use super::predicates;
use super::sql::{Sql, Value};
use crate::StoreError;

/// A game that needs a look-up in another table costs as much as so many that do not.
const JOIN_COST: u32 = 10;
/// Statements with more conditions than this are sent by few, and planned each time.
const COMMON_CONDITIONS: usize = 1;

/// The columns of `player_games` that its index holds, so that the rows need not be looked up.
pub(super) const COVERED: &str = "ended_at, game_id, started_at, role, result, opponent_rating, rating, rating_after, game, variant, mode, \
     time_control, region, termination, opening_code, move_count, incomplete";
/// A game's row by the whole key of an outer `k`.
const GAME_OF_KEY: &str =
    "SELECT * FROM games WHERE games.game_id = k.game_id AND games.ended_at = k.ended_at";

/// A row that stands in a list.
pub(super) trait Listed: QueryableByName<Pg> + Send + 'static {
    /// The columns it is read from.
    const COLUMNS: &'static str;
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
    Walk::new(list, None).matching(columns)
}

/// Counts what matches of the first games of a list: `looked` and `matched`. Looks at no more than `most`, or at a tenth of
/// them where each takes a look-up; that number is given too.
pub(super) fn counting(list: &GameList, most: u32) -> (Sql, i64) {
    let walk = Walk::new(list, None);
    let most = i64::from(match walk.driver.joins() {
        true => most / JOIN_COST,
        false => most,
    });
    (walk.counting(most), most)
}

/// Reads up to `limit` games of a list, beginning at `from`. `now` only tells which months to ask first.
pub(super) async fn page<T: Listed>(
    connection: &mut AsyncPgConnection,
    operation: &'static str,
    list: &GameList,
    from: Option<&Edge>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Found<T>, StoreError> {
    let walk = Walk::new(list, from);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    // One more than asked for tells whether there is a next page.
    let full = wanted + 1;
    let mut rows: Vec<T> = Vec::new();
    let mut edge = from.cloned();
    if let Some(near) = walk.near_bound(edge.as_ref(), now) {
        let statement = walk.statement::<T>(
            &Part {
                edge: edge.as_ref(),
                near: Some(near),
                last: None,
            },
            full,
        );
        rows = load(connection, operation, statement).await?;
        if let Some(row) = rows.last() {
            edge = Some(walk.beyond(place(operation, row)?));
        }
    }
    let mut reached = None;
    if rows.len() < full {
        reached = walk.reached(connection, operation, edge.as_ref()).await?;
        let part = Part {
            edge: edge.as_ref(),
            near: None,
            last: reached.as_ref(),
        };
        let statement = walk.statement::<T>(&part, full - rows.len());
        rows.extend(load::<T>(connection, operation, statement).await?);
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

#[derive(QueryableByName)]
struct ReachedRow {
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    ended_at: DateTime<Utc>,
    #[diesel(sql_type = diesel::sql_types::Text)]
    game_id: String,
}

impl Listed for ReachedRow {
    const COLUMNS: &'static str = "ended_at, game_id";
    fn ended_at(&self) -> DateTime<Utc> {
        self.ended_at
    }
    fn game_id(&self) -> &str {
        &self.game_id
    }
}

/// Whose index is walked.
enum Driver<'a> {
    /// One player's rows.
    Player(&'a PlayerId),
    /// The games one player took part in.
    GamesOfPlayer(&'a PlayerId),
    /// One tournament's games.
    Tournament(&'a str),
    /// All games.
    Everybody,
}

impl<'a> Driver<'a> {
    fn of(list: &'a GameList) -> Self {
        match (&list.scope, &list.filter.of) {
            (Scope::Player(player), _) => Self::Player(player),
            (Scope::Everybody, Perspective::Everybody(asked)) if !asked.players.is_empty() => {
                Self::GamesOfPlayer(&asked.players[0])
            }
            (Scope::Everybody, _) => match &list.filter.tournament {
                Some(tournament) => Self::Tournament(tournament.as_str()),
                None => Self::Everybody,
            },
        }
    }

    /// The table that is walked, its prefix of the index, and whether anything of the prefix has been written.
    fn table(&self) -> (Sql, bool) {
        let mut sql = Sql::default();
        match self {
            Self::Player(player) | Self::GamesOfPlayer(player) => {
                sql.text("player_games WHERE player_id = ")
                    .bind(Value::Text(player.to_string()));
                (sql, true)
            }
            Self::Tournament(tournament) => {
                sql.text("games WHERE tournament = ")
                    .bind(Value::Text((*tournament).to_owned()));
                (sql, true)
            }
            Self::Everybody => {
                sql.text("games");
                (sql, false)
            }
        }
    }

    fn joins(&self) -> bool {
        matches!(self, Self::GamesOfPlayer(_))
    }
}

/// The part of a list that a statement reads.
#[derive(Default)]
struct Part<'p> {
    /// It begins here.
    edge: Option<&'p Edge>,
    /// It goes no further than this time.
    near: Option<DateTime<Utc>>,
    /// It goes no further than this game, which belongs to it.
    last: Option<&'p Place>,
}

/// A list and the way it is walked.
struct Walk<'a> {
    list: &'a GameList,
    driver: Driver<'a>,
    conditions: Sql,
    condition_count: usize,
    backward: bool,
    descending: bool,
}

impl<'a> Walk<'a> {
    fn new(list: &'a GameList, from: Option<&Edge>) -> Self {
        let driver = Driver::of(list);
        let tournament_is_indexed = matches!(driver, Driver::Tournament(_));
        let (conditions, condition_count) =
            predicates::conditions(&list.filter, tournament_is_indexed);
        let backward = from.is_some_and(|edge| edge.backward);
        Self {
            driver,
            conditions,
            condition_count,
            backward,
            descending: (list.order == Order::NewestFirst) != backward,
            list,
        }
    }

    /// The edge that goes on behind a place, in this walk's direction.
    fn beyond(&self, place: Place) -> Edge {
        Edge {
            place,
            inclusive: false,
            backward: self.backward,
        }
    }

    fn order(&self) -> &'static str {
        match self.descending {
            true => " ORDER BY ended_at DESC, game_id DESC",
            false => " ORDER BY ended_at, game_id",
        }
    }

    fn budget(&self) -> i64 {
        let games = self.list.budget.games;
        i64::from(match self.driver.joins() {
            true => (games / JOIN_COST).max(1),
            false => games.max(1),
        })
    }

    /// `SELECT … FROM t WHERE prefix AND window AND part`, and whether there is a WHERE: what an index finds.
    fn select(&self, columns: &str, part: &Part<'_>) -> (Sql, bool) {
        let (table, mut joined) = self.driver.table();
        let mut sql = Sql::new(&format!("SELECT {columns} FROM "));
        sql.append(table);
        let mut and = |sql: &mut Sql| {
            sql.text(if joined { " AND " } else { " WHERE " });
            joined = true;
        };
        let (mut least, mut limit) = predicates::window(&self.list.filter);
        match (part.near, self.descending) {
            (Some(bound), true) => least = least.max(Some(bound)),
            (Some(bound), false) => limit = Some(limit.map_or(bound, |limit| limit.min(bound))),
            (None, _) => {}
        }
        if let Some(least) = least {
            and(&mut sql);
            sql.text("ended_at >= ").bind(Value::Time(least));
        }
        if let Some(limit) = limit {
            and(&mut sql);
            sql.text("ended_at < ").bind(Value::Time(limit));
        }
        if let Some(edge) = part.edge {
            and(&mut sql);
            beyond(&mut sql, &edge.place, self.descending, edge.inclusive);
        }
        if let Some(last) = part.last {
            and(&mut sql);
            beyond(&mut sql, last, !self.descending, true);
        }
        if let Some(stop) = &self.list.until_place {
            and(&mut sql);
            // The list ends before this game, whichever way it is walked.
            beyond(&mut sql, stop, self.list.order == Order::OldestFirst, false);
        }
        (sql, joined)
    }

    /// The same in the walk's order.
    fn inner(&self, columns: &str, part: &Part<'_>) -> Sql {
        let (mut sql, _) = self.select(columns, part);
        sql.text(self.order());
        sql
    }

    /// Everything of the list that matches the filter, in order, for a statement over all of it.
    fn matching(&self, columns: &str) -> Sql {
        let (mut sql, joined) = self.select(columns, &Part::default());
        if !self.conditions.is_empty() {
            sql.text(if joined { " AND " } else { " WHERE " });
            sql.append(self.conditions.clone());
        }
        sql.text(self.order());
        sql.set_rare(self.condition_count > COMMON_CONDITIONS);
        sql
    }

    /// Counts what of the first `most` games matches: `SELECT … AS looked, … AS matched`.
    fn counting(&self, most: i64) -> Sql {
        let mut sql = Sql::new("SELECT count(*) AS looked, count(*) FILTER (WHERE ");
        match self.conditions.is_empty() {
            true => sql.text("true"),
            false => sql.append(self.conditions.clone()),
        };
        sql.text(") AS matched FROM (");
        if self.driver.joins() {
            sql.text("SELECT g.* FROM (");
            sql.append(self.inner("ended_at, game_id", &Part::default()));
            sql.text(" LIMIT ").bind(Value::BigInt(most));
            sql.text(") k CROSS JOIN LATERAL (")
                .text(GAME_OF_KEY)
                .text(" LIMIT 1) g");
        } else {
            let columns = match &self.driver {
                _ if self.conditions.is_empty() => "ended_at",
                Driver::Player(_) if predicates::covered(&self.list.filter) => COVERED,
                _ => "*",
            };
            sql.append(self.inner(columns, &Part::default()));
            sql.text(" LIMIT ").bind(Value::BigInt(most));
        }
        sql.text(") s");
        sql.set_rare(self.condition_count > COMMON_CONDITIONS);
        sql
    }

    /// The statement of a page: up to `wanted` rows.
    fn statement<T: Listed>(&self, part: &Part<'_>, wanted: usize) -> Sql {
        let wanted = Value::BigInt(i64::try_from(wanted).unwrap_or(i64::MAX));
        if self.driver.joins() {
            let columns = columns_of("g", T::COLUMNS);
            let mut sql = Sql::new(&format!("SELECT {columns} FROM ("));
            sql.append(self.inner("ended_at, game_id", part));
            sql.text(" LIMIT ").bind(Value::BigInt(self.budget()));
            // LATERAL: one look-up a game, in the order of the inner part.
            sql.text(") k CROSS JOIN LATERAL (").text(GAME_OF_KEY);
            // The first player's rows were walked already, which the condition on all of them says once more.
            if !self.conditions.is_empty() {
                sql.text(" AND ").append(self.conditions.clone());
            }
            sql.text(" LIMIT 1) g");
            sql.text(match self.descending {
                true => " ORDER BY k.ended_at DESC, k.game_id DESC LIMIT ",
                false => " ORDER BY k.ended_at, k.game_id LIMIT ",
            });
            sql.bind(wanted);
            sql.set_rare(self.condition_count > COMMON_CONDITIONS);
            return sql;
        }
        if self.conditions.is_empty() {
            let mut sql = self.inner(T::COLUMNS, part);
            sql.text(" LIMIT ").bind(wanted);
            return sql;
        }
        let mut sql = Sql::new(&format!("SELECT {} FROM (", T::COLUMNS));
        sql.append(self.inner("*", part));
        sql.text(" LIMIT ").bind(Value::BigInt(self.budget()));
        sql.text(") s WHERE ").append(self.conditions.clone());
        sql.text(self.order()).text(" LIMIT ").bind(wanted);
        sql.set_rare(self.condition_count > COMMON_CONDITIONS);
        sql
    }

    /// The last game that the budget allows to look at, where there may be more behind it.
    async fn reached(
        &self,
        connection: &mut AsyncPgConnection,
        operation: &'static str,
        edge: Option<&Edge>,
    ) -> Result<Option<Place>, StoreError> {
        if self.conditions.is_empty() && !self.driver.joins() {
            return Ok(None);
        }
        let part = Part {
            edge,
            near: None,
            last: None,
        };
        let mut sql = self.inner(ReachedRow::COLUMNS, &part);
        sql.text(" LIMIT 1 OFFSET ")
            .bind(Value::BigInt(self.budget() - 1));
        let rows: Vec<ReachedRow> = load(connection, operation, sql).await?;
        let last = rows.iter().next();
        last.map(|row| place(operation, row)).transpose()
    }

    /// The far end of the two months at the page's edge, where that is known and leaves out anything.
    fn near_bound(&self, edge: Option<&Edge>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (least, limit) = predicates::window(&self.list.filter);
        let at_edge = edge.map(|edge| edge.place.ended_at);
        if self.descending {
            let upper = [Some(now), limit, at_edge].into_iter().flatten().min()?;
            let bound = month_start(upper, -1)?;
            (least < Some(bound)).then_some(bound)
        } else {
            let lower = at_edge.max(least)?;
            let bound = month_start(lower, 2)?;
            limit.is_none_or(|limit| limit > bound).then_some(bound)
        }
    }
}

/// The first instant of the month that lies so many after that of `time`.
fn month_start(time: DateTime<Utc>, months: i32) -> Option<DateTime<Utc>> {
    let first = time.date_naive().with_day(1)?;
    let by = Months::new(months.unsigned_abs());
    let month = match months < 0 {
        true => first.checked_sub_months(by)?,
        false => first.checked_add_months(by)?,
    };
    Some(month.and_time(NaiveTime::MIN).and_utc())
}

/// The columns with a table's name before each.
fn columns_of(table: &str, columns: &str) -> String {
    let columns: Vec<String> = columns
        .split(", ")
        .map(|column| format!("{table}.{column}"))
        .collect();
    columns.join(", ")
}

/// Not a comparison of rows: by the first term Postgres also chooses the partitions.
fn beyond(sql: &mut Sql, place: &Place, descending: bool, inclusive: bool) {
    let (at, id) = (
        Value::Time(place.ended_at),
        Value::Text(place.game_id.to_string()),
    );
    let beyond = if descending { "<" } else { ">" };
    let or_equal = if inclusive { "=" } else { "" };
    sql.text(&format!("ended_at {beyond}= "))
        .bind(at.clone())
        .text(&format!(" AND (ended_at {beyond} "))
        .bind(at)
        .text(&format!(" OR game_id {beyond}{or_equal} "))
        .bind(id)
        .text(")");
}

#[cfg(test)]
mod tests {
    use domain::EventTime;

    use super::super::filter::GameFilter;
    use super::*;

    #[test]
    fn the_recent_months_begin_a_month_before_the_pages_upper_end() {
        let now = "2026-03-31T10:00:00Z".parse().unwrap();
        let of = |until: Option<&str>, from: Option<&Edge>| {
            let until = until.map(|t| EventTime::from_datetime(t.parse().unwrap()).unwrap());
            let list = GameList {
                filter: GameFilter {
                    until,
                    ..GameFilter::default()
                },
                ..GameList::of(Scope::Everybody)
            };
            Walk::new(&list, from)
                .near_bound(from, now)
                .unwrap()
                .to_rfc3339()
        };
        assert_eq!(of(None, None), "2026-02-01T00:00:00+00:00");
        let until = Some("2026-01-01T00:00:00Z");
        assert_eq!(of(until, None), "2025-12-01T00:00:00+00:00");
        let place = Place {
            ended_at: "2024-02-29T00:00:00Z".parse().unwrap(),
            game_id: GameId::parse("g").unwrap(),
        };
        let behind = Edge::behind(place.clone());
        assert_eq!(of(until, Some(&behind)), "2024-01-01T00:00:00+00:00");
        // Backward from there, the walk goes up: the edge's month and the one after it.
        let before = Edge::before(place);
        assert_eq!(of(None, Some(&before)), "2024-04-01T00:00:00+00:00");
    }
}
