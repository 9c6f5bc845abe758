//! A migrated, empty database for each test, copied from a template that the first test makes.
//!
//! The template's name holds a fingerprint of the migrations, so a changed migration makes a new one. It is made under another name
//! and renamed when it is complete, behind an advisory lock that all test processes share.

use std::path::{Path, PathBuf};

use store::DatabaseConfig;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::{finish, variable};

const SERVER: &str = "GAME_HISTORY_TEST_POSTGRES";
/// "gametmpl" in ASCII: whoever holds it may make templates.
const TEMPLATE_LOCK: i64 = 0x6761_6d65_746d_706c;

/// A database of one test. Dropping it drops the database, open connections or not.
#[derive(Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// Makes a database with the current schema and nothing in it.
    ///
    /// # Panics
    /// Outside of `cargo dx test`, or when the server fails.
    pub async fn create() -> Self {
        let server = variable(SERVER);
        let admin = connect(&server).await;
        let template = template(&admin, &server).await;
        let database = Self {
            name: format!("test_{}", Uuid::now_v7().simple()),
            server,
        };
        run(
            &admin,
            &format!("CREATE DATABASE {} TEMPLATE {template}", database.name),
        )
        .await;
        database
    }

    /// Makes an empty database without a schema.
    ///
    /// # Panics
    /// Outside of `cargo dx test`, or when the server fails.
    pub async fn without_schema() -> Self {
        let server = variable(SERVER);
        let database = Self {
            name: format!("test_{}", Uuid::now_v7().simple()),
            server,
        };
        run(
            &connect(&database.server).await,
            &format!("CREATE DATABASE {}", database.name),
        )
        .await;
        database
    }

    /// A `postgres://` URL of the database.
    #[must_use]
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// The database's name on its server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        finish(async move {
            if let Ok((client, connection)) = tokio_postgres::connect(&server, NoTls).await {
                tokio::spawn(connection);
                let _ = client
                    .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                    .await;
            }
        });
    }
}

/// The name of the migrated template, which is there when this returns.
async fn template(admin: &Client, server: &str) -> String {
    let name = format!("template_{:016x}", migrations_fingerprint());
    if exists(admin, &name).await {
        return name;
    }
    admin
        .execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK])
        .await
        .expect("the template's lock");
    if !exists(admin, &name).await {
        let draft = format!("{name}_draft");
        run(
            admin,
            &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"),
        )
        .await;
        run(admin, &format!("CREATE DATABASE {draft}")).await;
        let config = DatabaseConfig::new(with_database(server, &draft));
        store::migrate::run(&config)
            .await
            .expect("the migrations apply to an empty database");
        // A session that migrated may take a moment to leave, and a database in use can be neither renamed nor copied.
        admin
            .execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                &[&draft],
            )
            .await
            .expect("the template's sessions end");
        run(admin, &format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    admin
        .execute("SELECT pg_advisory_unlock($1)", &[&TEMPLATE_LOCK])
        .await
        .expect("the template's lock");
    name
}

async fn exists(admin: &Client, name: &str) -> bool {
    let found = admin
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
        .await;
    found.expect("pg_database can be read").is_some()
}

async fn run(admin: &Client, statement: &str) {
    if let Err(error) = admin.batch_execute(statement).await {
        panic!("`{statement}` failed: {error:?}");
    }
}

async fn connect(url: &str) -> Client {
    match tokio_postgres::connect(url, NoTls).await {
        Ok((client, connection)) => {
            tokio::spawn(connection);
            client
        }
        Err(error) => {
            panic!("the server of {SERVER} does not answer ({error}): run through `cargo dx test`")
        }
    }
}

/// The same server's URL with another database.
fn with_database(url: &str, database: &str) -> String {
    let (before, query) = url
        .split_once('?')
        .map_or((url, None), |(before, query)| (before, Some(query)));
    let authority = before.find("://").map_or(0, |at| at + 3);
    let server = before[authority..]
        .find('/')
        .map_or(before, |at| &before[..authority + at]);
    query.map_or_else(
        || format!("{server}/{database}"),
        |query| format!("{server}/{database}?{query}"),
    )
}

/// FNV-1a over every migration's path and text.
fn migrations_fingerprint() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.sort();
    let bytes = files.iter().flat_map(|file| {
        let mut bytes = file.display().to_string().into_bytes();
        bytes.extend(std::fs::read(file).expect("a migration can be read"));
        bytes
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder)
        .expect("the migrations are beside the crates")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_replaced_and_the_rest_kept() {
        assert_eq!(
            with_database("postgres://u@h:1/postgres", "x"),
            "postgres://u@h:1/x"
        );
        assert_eq!(with_database("postgres://u@h:1", "x"), "postgres://u@h:1/x");
        assert_eq!(
            with_database("postgres://u:p@h/a?sslmode=disable", "x"),
            "postgres://u:p@h/x?sslmode=disable"
        );
    }
}
