//! How a list is walked: in which order, over which months, and the statements for a part of it.

use chrono::{DateTime, Utc};

use super::driver::Driver;
use super::{COVERED, Listed};
use crate::partitions::Month;
use crate::read::filter::{Budget, Edge, GameList, Order, Place};
use crate::read::predicates;
use crate::read::sql::{Sql, Value};

/// A game that needs a look-up in another table costs as much as so many that do not.
const JOIN_COST: u32 = 10;
/// Statements with more conditions than this are sent by few, and planned each time.
const COMMON_CONDITIONS: usize = 1;

/// The part of a list that a statement reads.
#[derive(Default)]
pub(super) struct Part<'p> {
    /// It begins here.
    pub(super) edge: Option<&'p Edge>,
    /// It goes no further than where this month begins.
    pub(super) near: Option<Month>,
    /// It goes no further than this game, which belongs to it.
    pub(super) last: Option<&'p Place>,
}

/// A list and the way it is walked.
pub(super) struct Walk<'a> {
    list: &'a GameList,
    driver: Driver<'a>,
    conditions: Sql,
    condition_count: usize,
    pub(super) backward: bool,
    descending: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(list: &'a GameList, from: Option<&Edge>) -> Self {
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
    pub(super) fn beyond(&self, place: Place) -> Edge {
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

    /// The same of the keys that a joining walk finds.
    fn key_order(&self) -> &'static str {
        match self.descending {
            true => " ORDER BY k.ended_at DESC, k.game_id DESC",
            false => " ORDER BY k.ended_at, k.game_id",
        }
    }

    /// Closes the part that finds keys and looks up the row of each, in their order: `) k CROSS JOIN LATERAL (…) g`.
    fn look_up(&self, sql: &mut Sql, sieved: bool, also: Option<&'static str>) {
        sql.text(") k CROSS JOIN LATERAL (")
            .append(self.driver.row_of_key());
        // That the walked player took part is known already, and the conditions say it once more.
        if sieved && !self.conditions.is_empty() {
            sql.text(" AND ").append(self.conditions.clone());
        }
        if let Some(also) = also {
            sql.text(" AND ").text(also);
        }
        sql.text(" LIMIT 1) g");
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
        for (comparison, time) in self.times(part) {
            and(&mut sql);
            sql.text(comparison).bind(time);
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

    /// What a part asks of the time of the end, but for the games at its edges.
    fn times(&self, part: &Part<'_>) -> Vec<(&'static str, Value)> {
        let (since, until) = predicates::window(&self.list.filter);
        let (mut least, mut limit) = (since.map(Value::Time), until.map(Value::Time));
        if let Some(near) = part.near {
            // Callers choose a window, and what else they choose comes in many combinations: each by each month would be a text of
            // its own.
            let plain = since.is_none() && until.is_none() && self.conditions.is_empty();
            let near_end = match plain {
                true => Value::Month(near),
                false => Value::Time(near.start()),
            };
            let edge = part.edge.filter(|_| plain);
            let edge = edge.map(|edge| Month::of_datetime(edge.place.ended_at));
            if self.descending {
                least = Some(near_end);
                limit = edge
                    .and_then(|month| month.moved(1))
                    .map(Value::Month)
                    .or(limit);
            } else {
                limit = Some(near_end);
                least = edge.map(Value::Month).or(least);
            }
        }
        let least = least.map(|time| ("ended_at >= ", time));
        let limit = limit.map(|time| ("ended_at < ", time));
        least.into_iter().chain(limit).collect()
    }

    /// The same in the walk's order.
    fn inner(&self, columns: &str, part: &Part<'_>) -> Sql {
        let (mut sql, _) = self.select(columns, part);
        sql.text(self.order());
        sql
    }

    /// Everything of the list that matches the filter, in order, for a statement over all of it.
    pub(super) fn matching(&self, columns: &str, also: Option<&'static str>) -> Sql {
        if self.driver.joins() {
            let columns = match columns {
                "*" => "g.*".to_owned(),
                some => columns_of("g", some),
            };
            let mut sql = Sql::new(&format!("SELECT {columns} FROM ("));
            sql.append(self.inner(self.driver.key(), &Part::default()));
            self.look_up(&mut sql, true, also);
            self.driver.sieve(&mut sql);
            sql.text(self.key_order());
            sql.set_rare(self.condition_count > COMMON_CONDITIONS);
            return sql;
        }
        let (mut sql, mut joined) = self.select(columns, &Part::default());
        let mut and = |sql: &mut Sql| {
            sql.text(if joined { " AND " } else { " WHERE " });
            joined = true;
        };
        if !self.conditions.is_empty() {
            and(&mut sql);
            sql.append(self.conditions.clone());
        }
        if let Some(also) = also {
            and(&mut sql);
            sql.text(also);
        }
        sql.text(self.order());
        sql.set_rare(self.condition_count > COMMON_CONDITIONS);
        sql
    }

    /// Counts what of the first `most` games matches: `SELECT … AS looked, … AS matched`.
    pub(super) fn counting(&self, most: u32) -> (Sql, i64) {
        let most = i64::from(match self.driver.joins() {
            true => most / JOIN_COST,
            false => most,
        });
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
            self.look_up(&mut sql, false, None);
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
        (sql, most)
    }

    /// The statement of a page: up to `wanted` rows.
    pub(super) fn statement<T: Listed>(&self, part: &Part<'_>, wanted: usize) -> Sql {
        let wanted = Value::BigInt(i64::try_from(wanted).unwrap_or(i64::MAX));
        if self.driver.joins() {
            let columns = columns_of("g", T::COLUMNS);
            let mut sql = Sql::new(&format!("SELECT {columns} FROM ("));
            sql.append(self.inner(self.driver.key(), part));
            self.limit(&mut sql, part);
            self.look_up(&mut sql, true, None);
            self.driver.sieve(&mut sql);
            sql.text(self.key_order()).text(" LIMIT ").bind(wanted);
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
        self.limit(&mut sql, part);
        sql.text(") s WHERE ").append(self.conditions.clone());
        sql.text(self.order()).text(" LIMIT ").bind(wanted);
        sql.set_rare(self.condition_count > COMMON_CONDITIONS);
        sql
    }

    /// Holds the part at the edge to its budget. The part behind it ends at a place instead, or with the list: counted from
    /// the edge once more, a game that arrives just now would push out the last one.
    fn limit(&self, sql: &mut Sql, part: &Part<'_>) {
        if part.near.is_some() {
            sql.text(" LIMIT ").bind(Value::BigInt(self.budget()));
        }
    }

    /// The place of the last game that the budget allows to look at, where there may be more behind it; `None` where a page
    /// needs no budget.
    pub(super) fn reached(&self, edge: Option<&Edge>) -> Option<Sql> {
        let needless = self.conditions.is_empty() && !self.driver.joins();
        if needless || self.list.budget == Budget::UNBOUNDED {
            return None;
        }
        let part = Part {
            edge,
            ..Part::default()
        };
        let mut sql = self.inner("ended_at, game_id", &part);
        sql.text(" LIMIT 1 OFFSET ")
            .bind(Value::BigInt(self.budget() - 1));
        Some(sql)
    }

    /// How many months beyond that of the page's edge are asked before the rest of time, one after the other.
    pub(super) fn steps(&self) -> &'static [i32] {
        match self.condition_count > COMMON_CONDITIONS {
            true => &[1, 13],
            false => &[1],
        }
    }

    /// The far end of so many months beyond that of the page's edge, where that is known and leaves out anything.
    pub(super) fn near_bound(
        &self,
        edge: Option<&Edge>,
        now: DateTime<Utc>,
        months: i32,
    ) -> Option<Month> {
        let (least, limit) = predicates::window(&self.list.filter);
        let at_edge = edge.map(|edge| edge.place.ended_at);
        if self.descending {
            let upper = [Some(now), limit, at_edge].into_iter().flatten().min()?;
            let bound = Month::of_datetime(upper).moved(-months)?;
            (least < Some(bound.start())).then_some(bound)
        } else {
            let lower = at_edge.max(least)?;
            let bound = Month::of_datetime(lower).moved(months + 1)?;
            limit
                .is_none_or(|limit| limit > bound.start())
                .then_some(bound)
        }
    }
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
    use diesel::debug_query;
    use diesel::pg::Pg;
    use domain::{EventTime, GameId};

    use super::*;
    use crate::read::filter::{GameFilter, Scope};
    use crate::read::player_games::PlayerGame;

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
                .near_bound(from, now, 1)
                .unwrap()
                .to_string()
        };
        assert_eq!(of(None, None), "2026-02");
        let until = Some("2026-01-01T00:00:00Z");
        assert_eq!(of(until, None), "2025-12");
        let place = Place {
            ended_at: "2024-02-29T00:00:00Z".parse().unwrap(),
            game_id: GameId::parse("g").unwrap(),
        };
        let behind = Edge::behind(place.clone());
        assert_eq!(of(until, Some(&behind)), "2024-01");
        // Backward from there, the walk goes up: the edge's month and the one after it.
        let before = Edge::before(place);
        assert_eq!(of(None, Some(&before)), "2024-04");
    }

    #[test]
    fn a_plain_page_names_its_months_and_one_with_a_window_does_not() {
        let text = |since: Option<&str>, edge: Edge| {
            let since = since.map(|t| EventTime::from_datetime(t.parse().unwrap()).unwrap());
            let list = GameList {
                filter: GameFilter {
                    since,
                    ..GameFilter::default()
                },
                ..GameList::of(Scope::Everybody)
            };
            let walk = Walk::new(&list, Some(&edge));
            let part = Part {
                near: walk.near_bound(Some(&edge), Utc::now(), 1),
                edge: Some(&edge),
                last: None,
            };
            let statement = walk.statement::<PlayerGame>(&part, 51);
            let text = debug_query::<Pg, _>(&statement).to_string();
            // Without the values that are bound.
            text.split(" -- ").next().unwrap().to_owned()
        };
        let place = || Place {
            ended_at: "2024-02-29T23:59:59Z".parse().unwrap(),
            game_id: GameId::parse("g").unwrap(),
        };
        let down = text(None, Edge::behind(place()));
        let months = "WHERE ended_at >= '2024-01-01T00:00:00Z'::timestamptz AND ended_at < '2024-03-01T00:00:00Z'::timestamptz";
        assert!(down.contains(months), "{down}");
        let up = text(None, Edge::before(place()));
        let months = "WHERE ended_at >= '2024-02-01T00:00:00Z'::timestamptz AND ended_at < '2024-04-01T00:00:00Z'::timestamptz";
        assert!(up.contains(months), "{up}");
        let window = text(Some("2020-01-01T00:00:00Z"), Edge::behind(place()));
        assert!(!window.contains("timestamptz"), "{window}");
    }
}
