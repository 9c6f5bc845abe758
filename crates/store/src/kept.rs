//! Statements that a session prepares once.
//!
//! diesel can't know whether the text of an `sql_query` is put together anew for each call, so it prepares and plans such a
//! statement every time it is run. Those of ingestion are the same thousands of times a minute.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Untyped;

/// A statement that stays prepared in its session, by its text.
#[derive(Debug)]
pub(crate) struct Kept<Q>(Q);

/// Says of a statement that its text is one of few.
pub(crate) trait Keep: Sized {
    /// The statement, to be prepared once a session.
    fn kept(self) -> Kept<Self>;
}

impl<Q: QueryFragment<Pg>> Keep for Q {
    fn kept(self) -> Kept<Self> {
        Kept(self)
    }
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Kept<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Kept<Q> {
    type QueryId = ();
    // The text identifies it.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q> Query for Kept<Q> {
    type SqlType = Untyped;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_of_fixed_text_is_prepared_once() {
        let statement = diesel::sql_query("SELECT 1");
        assert!(!statement.is_safe_to_cache_prepared(&Pg).unwrap());
        assert!(statement.kept().is_safe_to_cache_prepared(&Pg).unwrap());
    }
}
