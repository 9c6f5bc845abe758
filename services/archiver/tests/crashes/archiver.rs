//! The archiver's process, configured by its environment as a deployment does it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use archive::{ArchiveStore, ObjectKey, StoreSettings};
use futures::TryStreamExt as _;
use test_support::{StoreProxy, TestBucket, TestTopic};

/// How long anything may take, also on a disk that is still busy with what a compiler has written.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What the archivers of a test share.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) topic: TestTopic,
    pub(crate) format: &'static str,
    folder: tempfile::TempDir,
    /// Instead of the directory.
    bucket: Option<TestBucket>,
    /// The way to the bucket, where it can be broken.
    proxy: Option<StoreProxy>,
}

impl Setup {
    pub(crate) async fn new(partitions: i32, format: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            topic: TestTopic::create(partitions).await,
            format,
            folder,
            bucket: None,
            proxy: None,
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

    /// The same with a bucket whose way can be broken.
    pub(crate) async fn in_bad_weather(partitions: i32, format: &'static str) -> Self {
        let setup = Self::in_s3(partitions, format).await;
        let endpoint = setup.bucket.as_ref().map(TestBucket::endpoint).unwrap();
        let proxy = Some(StoreProxy::listen(endpoint).await.unwrap());
        Self { proxy, ..setup }
    }

    /// The way to the bucket.
    pub(crate) fn weather(&self) -> &StoreProxy {
        self.proxy.as_ref().unwrap()
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
        if let Some(proxy) = &self.proxy {
            command
                .env("ARCHIVER__STORE__ENDPOINT", proxy.endpoint())
                .env("ARCHIVER__STORE__REQUEST_TIMEOUT", "2s")
                .env("ARCHIVER__STORE__RETRY_TIMEOUT", "500ms");
        }
        command
    }

    /// Starts an archiver. Each `group` is a group of its own, so that one that was killed holds no partitions back, and two may
    /// have the same partition at the same time.
    pub(crate) fn start(&self, group: &str) -> Archiver {
        self.start_with(group, &[])
    }

    /// The same with other values of some variables.
    pub(crate) fn start_with(&self, group: &str, others: &[(&str, &str)]) -> Archiver {
        let health = free_address();
        let mut command = Command::new("sh");
        // A file that grows beyond its limit is an error to it, not its end.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" run"]);
        let archiver = self.command(group);
        command.arg(archiver.get_program());
        let set = archiver.get_envs();
        command.envs(set.filter_map(|(name, value)| Some((name, value?))));
        let child = command
            .env("ARCHIVER__HEALTH__LISTEN", health.to_string())
            .envs(others.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        // Not into a file: that may have a limit.
        let (mut lines, heard) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let listener = std::thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(read @ 1..) = lines.read(&mut piece) {
                heard.lock().unwrap().extend_from_slice(&piece[..read]);
            }
        });
        Archiver {
            child,
            health,
            log,
            listener,
        }
    }

    /// The bucket's objects as files of a directory, for readers that know no S3.
    pub(crate) async fn copy_of_bucket(&self) -> tempfile::TempDir {
        let bucket = self.bucket.as_ref().unwrap();
        let store = ArchiveStore::open(&StoreSettings {
            endpoint: Some(bucket.endpoint().to_owned()),
            region: Some(bucket.region().to_owned()),
            access_key_id: Some(bucket.access_key().to_owned()),
            secret_access_key: Some(bucket.secret_key().to_owned().into()),
            allow_http: true,
            ..StoreSettings::at(bucket.url())
        });
        let store = store.unwrap();
        let copy = tempfile::tempdir().unwrap();
        for folder in ["_manifests", "raw"] {
            let folder = ObjectKey::parse(folder).unwrap();
            let listed: Vec<_> = store.list(&folder).try_collect().await.unwrap();
            for object in listed {
                // A loser may have taken its file back since.
                let Ok(bytes) = store.get(&object.key, 1 << 30).await else {
                    continue;
                };
                let file = copy.path().join(object.key.as_str());
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, bytes).unwrap();
            }
        }
        copy
    }

    /// Runs a command of the archiver.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command("commands");
        command.args(arguments).output().unwrap()
    }
}

/// A running archiver. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Archiver {
    child: Child,
    health: SocketAddr,
    /// What it has said.
    log: Arc<Mutex<Vec<u8>>>,
    /// Who listens to it, until it has ended.
    listener: JoinHandle<()>,
}

impl Archiver {
    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// Whether it says that it is ready, and everything that it says about it.
    pub(crate) fn readiness(&self) -> (bool, String) {
        let mut told = String::new();
        let asked = TcpStream::connect(self.health).and_then(|mut stream| {
            stream
                .write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
            stream.read_to_string(&mut told)
        });
        (asked.is_ok() && told.starts_with("HTTP/1.1 200"), told)
    }

    /// Lets none of its files grow beyond so many bytes; `None` lifts the limit.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let limit = rustix::process::Rlimit {
            current: bytes,
            maximum: None,
        };
        rustix::process::prlimit(Some(pid), rustix::process::Resource::Fsize, limit).unwrap();
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success(), "{name}");
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// How long an archiver may take to see that it can't start: less than it waits for a store that is only out of reach.
const START_IN_VAIN: Duration = Duration::from_secs(30);

impl Archiver {
    /// Waits until it has given up by itself, and gives what it said.
    pub(crate) fn gave_up(mut self) -> String {
        let deadline = Instant::now() + START_IN_VAIN;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it runs: {}", self.said()),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        // The last words may still be in the pipe.
        while !self.listener.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(status.code(), Some(1), "{}", self.said());
        self.said()
    }
}

impl Drop for Archiver {
    fn drop(&mut self) {
        // One that has ended already needs nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine that nobody listens on.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
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
