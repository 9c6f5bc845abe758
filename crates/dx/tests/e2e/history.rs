//! A history of its own for each test: a topic, a database, and the services as child processes that end with it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use test_support::{TestDatabase, TestTopic};

/// How long a service may take to come alive.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct History {
    topic: TestTopic,
    database: TestDatabase,
    ingestors: Vec<Child>,
    api: Child,
    api_url: String,
    files: tempfile::TempDir,
}

impl History {
    /// A topic of eight partitions, an empty database, and a query API. No ingestor runs yet.
    pub(crate) async fn begin() -> Self {
        let (topic, database) = (TestTopic::create(8).await, TestDatabase::create().await);
        let listen = free_address();
        let files = tempfile::tempdir().unwrap();
        let api = Command::new(binary("query-api"))
            .arg("run")
            .env("QUERY_API__DATABASE__URL", database.url())
            .env("QUERY_API__LISTEN", &listen)
            .env("QUERY_API__CURSOR__SECRET", "a secret of the tests")
            .env("QUERY_API__TELEMETRY__LOG_FILTER", "warn")
            .spawn()
            .unwrap();
        let history = Self {
            topic,
            database,
            ingestors: Vec::new(),
            api,
            api_url: format!("http://{listen}"),
            files,
        };
        history
            .await_ok(&format!("{}/health/ready", history.api_url))
            .await;
        history
    }

    /// Starts one more ingestor.
    pub(crate) fn start_ingestor(&mut self) {
        let ingestor = Command::new(binary("ingestor"))
            .arg("run")
            .env("INGESTOR__KAFKA__BROKERS", self.topic.brokers())
            .env("INGESTOR__KAFKA__TOPIC", self.topic.name())
            .env("INGESTOR__KAFKA__GROUP_ID", self.topic.name())
            .env("INGESTOR__KAFKA__SESSION_TIMEOUT_MS", "6000")
            .env("INGESTOR__DATABASE__URL", self.database.url())
            .env("INGESTOR__HEALTH__LISTEN", free_address())
            .env("INGESTOR__TELEMETRY__LOG_FILTER", "warn")
            .spawn()
            .unwrap();
        self.ingestors.push(ingestor);
    }

    /// Ends the oldest ingestor as a power cut would.
    pub(crate) fn kill_ingestor(&mut self) {
        let mut ingestor = self.ingestors.remove(0);
        ingestor.kill().unwrap();
        ingestor.wait().unwrap();
    }

    /// Where a test may put files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn dx(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dx"));
        command
            .args([
                "--profile",
                "test",
                "--kafka",
                self.topic.brokers(),
                "--topic",
                self.topic.name(),
            ])
            .args(["--api", &self.api_url])
            .env("DX_POSTGRES", self.database.url())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command of `cargo dx` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.dx(args).output().unwrap()
    }

    /// Runs a command of `cargo dx` that must succeed, and returns what it printed.
    pub(crate) fn succeed(&self, args: &[&str]) -> String {
        finished(args, self.run(args))
    }

    /// Starts a command of `cargo dx`; [`finish`] waits for it.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.dx(args).spawn().unwrap()
    }

    /// The judge finds nothing.
    pub(crate) fn verify(&self) -> String {
        let told = self.succeed(&["verify", "--wait", "180"]);
        assert!(told.contains("0 differences"), "{told}");
        told
    }

    /// The JSON at a path of the API, and its status.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = reqwest::get(format!("{}{path}", self.api_url))
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// All pages of a list, walked by its cursors.
    pub(crate) async fn walk(&self, path: &str, limit: u32) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let (status, page) = self.get(&format!("{path}?limit={limit}{cursor}")).await;
            assert_eq!(status, 200, "{page}");
            let data = page["data"].as_array().unwrap();
            assert!(data.len() <= limit as usize);
            items.extend(data.iter().cloned());
            match page["page"]["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let (client, connection) =
            tokio_postgres::connect(&self.database.url(), tokio_postgres::NoTls)
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        let count = client.query_one(query, &[]).await.unwrap().get(0);
        connection.abort();
        count
    }

    /// The dead letters: partition, offset, reason, in this order.
    pub(crate) async fn dead_letters(&self) -> Vec<(i64, i64, String)> {
        let (client, connection) =
            tokio_postgres::connect(&self.database.url(), tokio_postgres::NoTls)
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        let query = "SELECT partition::bigint, \"offset\", reason FROM dead_letters ORDER BY 1, 2";
        let rows = client.query(query, &[]).await.unwrap();
        connection.abort();
        rows.iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    }

    async fn await_ok(&self, url: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !reqwest::get(url)
            .await
            .is_ok_and(|response| response.status().is_success())
        {
            assert!(Instant::now() < deadline, "{url} is not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        for child in self.ingestors.iter_mut().chain([&mut self.api]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for a command that [`History::start`] began and that must succeed.
pub(crate) fn finish(name: &str, child: Child) -> String {
    finished(&[name], child.wait_with_output().unwrap())
}

fn finished(args: &[&str], output: Output) -> String {
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{args:?}: {}\n{told}\n{errors}",
        output.status
    );
    told
}

/// A binary of the workspace, which stands beside the one under test.
fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_dx")).with_file_name(name);
    assert!(
        path.exists(),
        "{} is not built: run through `cargo dx test`",
        path.display()
    );
    path
}

/// An address nobody listens on.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}
