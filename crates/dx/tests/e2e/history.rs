//! A history of its own for each test: a topic, a database, and the services as child processes that end with it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use test_support::{TestDatabase, TestTopic};

/// How long a service may take to come alive or to get somewhere, unless `E2E_PATIENCE_S` says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

fn patience() -> Duration {
    let seconds = std::env::var("E2E_PATIENCE_S").ok();
    seconds.map_or(PATIENCE, |seconds| {
        Duration::from_secs(seconds.parse().unwrap())
    })
}

pub(crate) struct History {
    topic: TestTopic,
    database: TestDatabase,
    ingestors: Vec<Ingestor>,
    api: Child,
    api_url: String,
    files: tempfile::TempDir,
}

/// A running ingestor.
struct Ingestor {
    child: Child,
    url: String,
    log: Option<PathBuf>,
}

impl History {
    /// A topic of eight partitions, an empty database, and a query API. No ingestor runs yet.
    pub(crate) async fn begin() -> Self {
        Self::with_partitions(8).await
    }

    /// The same with another number of partitions.
    pub(crate) async fn with_partitions(partitions: i32) -> Self {
        let topic = TestTopic::create(partitions).await;
        let database = TestDatabase::create().await;
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
        let listen = free_address();
        let child = self
            .ingestor(&["run"])
            .env("INGESTOR__HEALTH__LISTEN", &listen)
            .env("INGESTOR__TELEMETRY__LOG_FILTER", "warn")
            .spawn()
            .unwrap();
        let url = format!("http://{listen}");
        let log = None;
        self.ingestors.push(Ingestor { child, url, log });
    }

    /// Starts one more ingestor with settings of its own, its log kept.
    pub(crate) fn start_ingestor_with(&mut self, settings: &[(&str, &str)]) {
        let listen = free_address();
        let name = format!("ingestor-{}.log", self.ingestors.len());
        let log = self.files.path().join(name);
        let file = std::fs::File::create(&log).unwrap();
        let child = self
            .ingestor(&["run"])
            .env("INGESTOR__HEALTH__LISTEN", &listen)
            .envs(settings.iter().copied())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let url = format!("http://{listen}");
        self.ingestors.push(Ingestor {
            child,
            url,
            log: Some(log),
        });
    }

    fn ingestor(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary("ingestor"));
        command
            .args(args)
            .env("INGESTOR__KAFKA__BROKERS", self.topic.brokers())
            .env("INGESTOR__KAFKA__TOPIC", self.topic.name())
            .env("INGESTOR__KAFKA__GROUP_ID", self.topic.name())
            .env("INGESTOR__KAFKA__SESSION_TIMEOUT_MS", "6000")
            .env("INGESTOR__DATABASE__URL", self.database.url());
        command
    }

    /// Runs another command of the ingestor, which must succeed, and returns what it printed.
    pub(crate) fn ingestor_says(&self, args: &[&str]) -> String {
        finished(args, self.ingestor(args).output().unwrap())
    }

    /// Ends the oldest ingestor as a power cut would.
    pub(crate) fn kill_ingestor(&mut self) {
        let mut ingestor = self.ingestors.remove(0).child;
        ingestor.kill().unwrap();
        ingestor.wait().unwrap();
    }

    /// Asks the oldest ingestor to end, and waits until it has.
    pub(crate) fn end_ingestor(&mut self) {
        let mut ingestor = self.ingestors.remove(0).child;
        signal(ingestor.id(), Signal::TERM);
        assert!(ingestor.wait().unwrap().success());
    }

    /// How many bytes of memory the oldest ingestor takes.
    pub(crate) fn ingestor_memory_bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.ingestors[0].child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1_024
    }

    /// What the oldest ingestor has logged, if its log is kept.
    pub(crate) fn ingestor_log(&self) -> String {
        std::fs::read_to_string(self.ingestors[0].log.as_ref().unwrap()).unwrap()
    }

    /// The sum of a metric of the oldest ingestor over its series with these labels, such as `partition="0"`; `None` when there
    /// is no such series.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let url = format!("{}/metrics", self.ingestors[0].url);
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        let series = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (series, value) = rest.rsplit_once(' ')?;
            let ours = series.is_empty() || series.starts_with('{');
            (ours && labels.iter().all(|label| series.contains(label)))
                .then(|| value.parse::<f64>().unwrap())
        });
        series.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    /// Waits until a metric of the oldest ingestor is as wanted.
    pub(crate) async fn until_metric(
        &self,
        name: &str,
        labels: &[&str],
        wanted: impl Fn(f64) -> bool,
    ) {
        let deadline = Instant::now() + patience();
        loop {
            let found = self.metric(name, labels).await;
            if found.is_some_and(&wanted) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{name} {labels:?} stays {found:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a query's number is as wanted.
    pub(crate) async fn until_count(&self, query: &str, wanted: i64) {
        let deadline = Instant::now() + patience();
        loop {
            let found = self.count(query).await;
            if found == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{query}: {found}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What the oldest ingestor says of its health: status code and body.
    pub(crate) async fn health(&self) -> (u16, String) {
        let url = format!("{}/health/ready", self.ingestors[0].url);
        let answer = reqwest::get(url).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The API's URL, without a slash at its end.
    pub(crate) fn api_url(&self) -> &str {
        &self.api_url
    }

    pub(crate) fn topic(&self) -> &TestTopic {
        &self.topic
    }

    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
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

    /// An answer as it is.
    pub(crate) async fn text(&self, path: &str) -> String {
        let response = reqwest::get(format!("{}{path}", self.api_url))
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        response.text().await.unwrap()
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

    /// Changes the database behind everybody's back.
    pub(crate) async fn execute(&self, statements: &str) {
        let (client, connection) =
            tokio_postgres::connect(&self.database.url(), tokio_postgres::NoTls)
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(statements).await.unwrap();
        connection.abort();
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
        let deadline = Instant::now() + patience();
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
    #[expect(clippy::print_stdout, reason = "what a failing test has to say")]
    fn drop(&mut self) {
        let ingestors = self
            .ingestors
            .iter_mut()
            .map(|ingestor| &mut ingestor.child);
        for child in ingestors.chain([&mut self.api]) {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let logs = self
                .ingestors
                .iter()
                .filter_map(|ingestor| ingestor.log.as_ref());
            for log in logs.filter_map(|log| std::fs::read_to_string(log).ok()) {
                println!("{log}");
            }
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

/// Sends a signal to a process that a test may signal.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A binary of the workspace, which stands beside the one under test.
pub(crate) fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_dx")).with_file_name(name);
    assert!(
        path.exists(),
        "{} is not built: run through `cargo dx test`",
        path.display()
    );
    path
}

/// An address nobody listens on.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}
