//! The archiver's process, configured by its environment as a deployment does it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use test_support::{TestBucket, TestTopic};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the archivers of a test share.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) topic: TestTopic,
    pub(crate) format: &'static str,
    folder: tempfile::TempDir,
    /// Instead of the directory.
    bucket: Option<TestBucket>,
}

impl Setup {
    pub(crate) async fn new(partitions: i32, format: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            topic: TestTopic::create(partitions).await,
            format,
            folder,
            bucket: None,
        }
    }

    /// The same with a bucket of a real S3 server.
    pub(crate) async fn in_s3(partitions: i32, format: &'static str) -> Self {
        let bucket = Some(TestBucket::create().await);
        Self {
            bucket,
            ..Self::new(partitions, format).await
        }
    }

    /// The archive's directory.
    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    fn command(&self, group: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_archiver"));
        let url = format!("file://{}", self.archive().display());
        command
            .env("ARCHIVER__STORE__URL", url)
            .env("ARCHIVER__KAFKA__BROKERS", self.topic.brokers())
            .env(
                "ARCHIVER__KAFKA__GROUP_ID",
                format!("{group}-{}", self.topic.name()),
            )
            .env(
                "ARCHIVER__RAW__TOPICS",
                format!("[\"{}\"]", self.topic.name()),
            )
            .env("ARCHIVER__RAW__FORMAT", self.format)
            .env("ARCHIVER__RAW__ROTATION__ROWS", "200")
            .env("ARCHIVER__RAW__ROTATION__AGE", "300ms")
            .env("ARCHIVER__HEALTH__LISTEN", "127.0.0.1:0")
            .env("ARCHIVER__TELEMETRY__LOG_FORMAT", "text");
        if let Some(bucket) = &self.bucket {
            command
                .env("ARCHIVER__STORE__URL", bucket.url())
                .env("ARCHIVER__STORE__ENDPOINT", bucket.endpoint())
                .env("ARCHIVER__STORE__REGION", bucket.region())
                .env("ARCHIVER__STORE__ACCESS_KEY_ID", bucket.access_key())
                .env("ARCHIVER__STORE__SECRET_ACCESS_KEY", bucket.secret_key())
                .env("ARCHIVER__STORE__ALLOW_HTTP", "true");
        }
        command
    }

    /// Starts an archiver. Each `group` is a group of its own, so that one that was killed holds no partitions back, and two may
    /// have the same partition at the same time.
    pub(crate) fn start(&self, group: &str) -> Archiver {
        let log = std::fs::File::create(self.folder.path().join(format!("{group}.log"))).unwrap();
        let child = self
            .command(group)
            .arg("run")
            .stdout(log)
            .stderr(Stdio::null())
            .spawn();
        Archiver(child.unwrap())
    }

    /// Runs a command of the archiver.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command("commands");
        command.args(arguments).output().unwrap()
    }
}

/// A running archiver. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Archiver(Child);

impl Archiver {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.0.id().to_string()])
            .status();
        assert!(sent.unwrap().success(), "{name}");
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Asks it to end and waits: it has to end well.
    pub(crate) fn shut_down(mut self) {
        self.signal("-TERM");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Archiver {
    fn drop(&mut self) {
        // One that has ended already needs nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The files below a folder, by their paths from it.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder_now) = open.pop() {
        for entry in std::fs::read_dir(&folder_now)
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Waits until something is so.
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}
