//! Statements put together out of fixed text and bound values. No value that a caller chose ever becomes text, but for times: seeing
//! them, Postgres plans for the few partitions they allow, and at each run locks those instead of all. A month becomes text wherever
//! it stands, as there are only so many; any other time only in statements that are planned each time.
//!
//! diesel's own builder can't say `FROM (SELECT … LIMIT …)`, and its `sql_query` is planned anew every time. This one is kept as
//! a prepared statement unless it is told that it is rare.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text, Timestamptz, Untyped};

use crate::partitions::Month;

/// A value of a statement.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Texts(Vec<String>),
    Time(DateTime<Utc>),
    Times(Vec<DateTime<Utc>>),
    /// The first instant of a month that the database has. Each makes a text of its own, which every session keeps.
    Month(Month),
    Int(i32),
    BigInt(i64),
    Bool(bool),
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Value(Value),
}

/// A statement, or a part of one.
#[derive(Debug, Clone, Default)]
pub(super) struct Sql {
    pieces: Vec<Piece>,
    rare: bool,
}

impl Sql {
    pub(super) fn new(text: &str) -> Self {
        let mut sql = Self::default();
        sql.text(text);
        sql
    }

    /// Adds text. It must be the program's own.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
        self
    }

    /// Adds a value.
    pub(super) fn bind(&mut self, value: Value) -> &mut Self {
        self.pieces.push(Piece::Value(value));
        self
    }

    /// Adds another part.
    pub(super) fn append(&mut self, other: Self) -> &mut Self {
        self.rare |= other.rare;
        for piece in other.pieces {
            match piece {
                Piece::Text(text) => {
                    self.text(&text);
                }
                Piece::Value(value) => self.pieces.push(Piece::Value(value)),
            }
        }
        self
    }

    /// Whether nothing was added yet.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Says that few callers send this very text: it is then planned each time, instead of filling every session's memory.
    pub(super) fn set_rare(&mut self, rare: bool) -> &mut Self {
        self.rare |= rare;
        self
    }
}

/// A statement whose columns are of the types `ST`, read by their places. To look for each column of each row by its name costs more
/// than to read it.
pub(super) struct Typed<ST>(Sql, PhantomData<fn() -> ST>);

impl<ST> Typed<ST> {
    pub(super) fn new(sql: Sql) -> Self {
        Self(sql, PhantomData)
    }
}

impl<ST> QueryFragment<Pg> for Typed<ST> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

impl<ST> QueryId for Typed<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST> Query for Typed<ST> {
    type SqlType = ST;
}

/// A row that is read from some columns of a table.
pub(super) trait Columns {
    /// Their names, joined by commas, in the order of its fields.
    const COLUMNS: &'static str;
    /// Their types.
    type Types: 'static;
}

/// Says from which columns of a table a row is read.
macro_rules! columns {
    ($row:ty = $table:ident: $first:ident $(, $column:ident)* $(,)?) => {
        impl $crate::read::sql::Columns for $row {
            const COLUMNS: &'static str = concat!(stringify!($first) $(, ", ", stringify!($column))*);
            type Types = diesel::dsl::SqlTypeOf<($table::$first, $($table::$column,)*)>;
        }
    };
}
pub(super) use columns;

impl QueryFragment<Pg> for Sql {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if self.rare {
            out.unsafe_to_cache_prepared();
        }
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_sql(text),
                Piece::Value(Value::Text(v)) => out.push_bind_param::<Text, _>(v)?,
                Piece::Value(Value::Texts(v)) => out.push_bind_param::<Array<Text>, _>(v)?,
                Piece::Value(Value::Time(v)) if self.rare => {
                    out.push_sql(&format!(
                        "'{}'::timestamptz",
                        v.format("%Y-%m-%dT%H:%M:%S%.6fZ")
                    ));
                }
                Piece::Value(Value::Month(month)) => {
                    out.push_sql(&format!("'{}T00:00:00Z'::timestamptz", month.first_day()));
                }
                Piece::Value(Value::Time(v)) => out.push_bind_param::<Timestamptz, _>(v)?,
                Piece::Value(Value::Times(v)) => out.push_bind_param::<Array<Timestamptz>, _>(v)?,
                Piece::Value(Value::Int(v)) => out.push_bind_param::<Integer, _>(v)?,
                Piece::Value(Value::BigInt(v)) => out.push_bind_param::<BigInt, _>(v)?,
                Piece::Value(Value::Bool(v)) => out.push_bind_param::<Bool, _>(v)?,
            }
        }
        Ok(())
    }
}

impl QueryId for Sql {
    type QueryId = ();
    // The text identifies it.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Sql {
    type SqlType = Untyped;
}
