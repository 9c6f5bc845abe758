//! Statements put together out of fixed text and bound values. No value that a caller chose ever becomes text, but for a time, and
//! that in statements that are planned each time: seeing it, Postgres plans for the few partitions it allows instead of for all.
//!
//! diesel's own builder can't say `FROM (SELECT … LIMIT …)`, and its `sql_query` is planned anew every time. This one is kept as
//! a prepared statement unless it is told that it is rare.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text, Timestamptz, Untyped};

/// A value of a statement.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Texts(Vec<String>),
    Time(DateTime<Utc>),
    Times(Vec<DateTime<Utc>>),
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

/// The columns of a table that a row is read from: their names joined by commas, and their types.
macro_rules! columns {
    ($table:ident: $first:ident $(, $column:ident)* $(,)?) => {
        const COLUMNS: &'static str = concat!(stringify!($first) $(, ", ", stringify!($column))*);
        type Types = diesel::dsl::SqlTypeOf<($table::$first, $($table::$column,)*)>;
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
