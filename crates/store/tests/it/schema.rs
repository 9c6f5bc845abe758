//! `src/schema.rs` against the tables that the migrations make.

use std::collections::BTreeSet;

use test_support::TestDatabase;
use tokio_postgres::NoTls;

/// `table.column type`, with `?` behind a type that may be null.
fn declared() -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    for table in include_str!("../../src/schema.rs")
        .split("diesel::table! {")
        .skip(1)
    {
        let name = table.trim_start().split([' ', '(']).next().unwrap();
        let lines = table
            .lines()
            .filter_map(|line| line.trim().split_once(" -> "));
        for (column, kind) in lines {
            let kind = kind.trim_end_matches(',');
            let (kind, null) = match kind.strip_prefix("Nullable<") {
                Some(inner) => (inner.trim_end_matches('>'), "?"),
                None => (kind, ""),
            };
            let kind = match kind {
                "Array<Text>" => "_text".to_owned(),
                other => other.to_lowercase(),
            };
            columns.insert(format!("{name}.{column} {kind}{null}"));
        }
    }
    columns
}

async fn migrated() -> BTreeSet<String> {
    let database = TestDatabase::create().await;
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let rows = client
        .query(
            "SELECT c.relname || '.' || a.attname || ' ' || t.typname || CASE WHEN a.attnotnull THEN '' ELSE '?' END \
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid \
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
             AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> '__diesel_schema_migrations'",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_table_is_declared_as_it_is() {
    let (declared, migrated) = (declared(), migrated().await);
    let missing: Vec<_> = migrated.difference(&declared).collect();
    let wrong: Vec<_> = declared.difference(&migrated).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "not declared: {missing:?}, declared: {wrong:?}"
    );
    assert!(declared.len() > 50, "{}", declared.len());
}
