//! Jobs that are killed: in this process at each of their requests to the store, and as processes by SIGKILL where it hurts most.
//! Whoever comes next finishes the work, and at no moment did anything lack.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::compaction::Compactions;
use archive::log::{LogReader, NoTail, Stretch};
use archive::summaries::{GameRow, PlayerRow, Summaries};
use archive::verify::{Depth, verify_chain};
use archive::{ArchiveStore, Chain, FileFormat, ObjectKey, ReadLimits};
use archiver::compact::{CompactConfig, pass};
use archiver::retention::RetentionConfig;
use archiver::summaries::{SummariesConfig, once};
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use test_support::{StoreProxy, TestBucket};

use crate::chain::{self, Said, said};
use crate::dying::{Death, DyingStore};
use crate::history::{History, won_game};
use crate::places::Place;
use crate::summaries::{day, new_pass, rows};

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Two closed days of two regions.
async fn closed_days(store: &ArchiveStore) -> Vec<Said> {
    let links = [
        vec![
            said(0, "2026-11-18T09:00:00Z", "eu", "g-1"),
            said(1, "2026-11-18T10:00:00Z", "us", "g-2"),
        ],
        vec![said(2, "2026-11-18T11:00:00Z", "eu", "g-1")],
        vec![said(3, "2026-11-19T11:00:00Z", "eu", "g-1")],
    ];
    for link in &links {
        chain::append(store, FileFormat::Parquet, link).await;
    }
    links.concat()
}

/// Everything that a reader of the log gets.
async fn read_all(store: &ArchiveStore) -> Vec<(i64, Vec<u8>)> {
    let chain = Chain::new(store.clone(), chain::id());
    let mut reader = LogReader::new(chain, NoTail, 0, ReadLimits::default());
    let mut found = Vec::new();
    while let Some(stretch) = reader.next().await.unwrap() {
        let Stretch::Records(records) = stretch else {
            panic!("nothing was given up");
        };
        found.extend(
            records
                .records()
                .map(|record| (record.offset, record.value.unwrap().to_vec())),
        );
    }
    found
}

async fn keys(store: &ArchiveStore, folder: &str) -> Vec<ObjectKey> {
    let folder = ObjectKey::parse(folder).unwrap();
    let listed: Vec<_> = store.list(&folder).try_collect().await.unwrap();
    let mut keys: Vec<ObjectKey> = listed.into_iter().map(|object| object.key).collect();
    keys.sort();
    keys
}

/// What is in a folder once the last request of somebody dead has arrived: the proxy holds each for a tenth of a second.
async fn settled(store: &ArchiveStore, folder: &str) -> Vec<ObjectKey> {
    let mut found = keys(store, folder).await;
    loop {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let now = keys(store, folder).await;
        if now == found {
            return now;
        }
        found = now;
    }
}

/// Compacts, and removes what was replaced once it may go.
async fn compact(store: &ArchiveStore) {
    let config = CompactConfig::default();
    let topic = chain::id().topic;
    for now in [noon(), noon() + TimeDelta::days(8)] {
        pass(&config, store, &topic, now).await.unwrap();
    }
}

/// The files that compactions name are all there is, and the raw files that they replaced are gone.
async fn is_compacted(store: &ArchiveStore) {
    let compactions = Compactions::new(store.clone(), chain::id());
    let last = compactions.last_seq().await.unwrap().unwrap();
    let mut named = Vec::new();
    for seq in 0..=last {
        let (compaction, _) = compactions.read(seq).await.unwrap();
        named.extend(compaction.files.into_iter().map(|file| file.key));
    }
    named.sort();
    assert_eq!(keys(store, "compacted").await, named);
    assert_eq!(keys(store, "raw").await, []);
    let chain = Chain::new(store.clone(), chain::id());
    let report = verify_chain(&chain, Depth::Records, ReadLimits::default(), &|_| {}).await;
    assert_eq!(report.unwrap().faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_killed_at_any_request_is_finished_by_the_next_and_never_seen_half() {
    let archive = Arc::new(InMemory::new());
    let said = closed_days(&ArchiveStore::over(archive.clone(), "memory:")).await;
    let wanted: Vec<(i64, Vec<u8>)> = said
        .iter()
        .map(|said| (said.offset, said.body.clone().into_bytes()))
        .collect();
    let whole = DyingStore::new(Arc::new(archive.fork()), None);
    compact(&whole.open()).await;
    let (requests, changes) = whole.counts();
    assert!(requests > 30 && changes > 8, "{requests} and {changes}");
    let deaths = (0..requests)
        .map(Death::BeforeRequest)
        .chain((0..changes).map(Death::AfterChange));
    for death in deaths {
        let archive = Arc::new(archive.fork());
        let dying = DyingStore::new(archive.clone(), Some(death));
        let done = dying.until_death(compact(&dying.open())).await;
        assert!(done.is_none(), "nobody dies at {death:?}");
        let store = ArchiveStore::over(archive, "memory:");
        assert_eq!(read_all(&store).await, wanted, "{death:?}");
        compact(&store).await;
        assert_eq!(read_all(&store).await, wanted, "{death:?}");
        is_compacted(&store).await;
    }
}

/// Two games of January 2025 in two regions.
async fn january() -> History {
    let mut history = History::begin().await;
    history
        .finish(vec![
            won_game("old-1", "2025-01-05T10:00:00Z", Some("eu"), "bob"),
            won_game("old-2", "2025-01-31T23:59:59Z", Some("us"), "bob"),
        ])
        .await;
    history
}

/// The game is in the database, attached or not, or in the summaries: one who looks in both finds it.
async fn is_somewhere(history: &History, store: &ArchiveStore, game: &str, day: &str) -> bool {
    let client = history.client().await;
    let table = "SELECT 1 FROM pg_class WHERE relname = 'games_y2025m01'";
    if client.query_opt(table, &[]).await.unwrap().is_some() {
        let rows = client
            .query("SELECT 1 FROM games_y2025m01 WHERE game_id = $1", &[&game])
            .await;
        if !rows.unwrap().is_empty() {
            return true;
        }
    }
    let summaries = Summaries::new(store.clone());
    let found = summaries.find_game(game, day.parse().unwrap()).await;
    found.unwrap().is_some()
}

async fn retain(history: &History, store: &ArchiveStore) {
    let config = RetentionConfig {
        hot_months: 1,
        ..RetentionConfig::default()
    };
    let summaries = Summaries::new(store.clone());
    let summing_up = SummariesConfig::default();
    let database = history.config();
    let pass = archiver::retention::pass(&config, &summing_up, &database, &summaries);
    Box::pin(pass).await.unwrap();
}

/// Lets retention go on until January is gone. The session of one that died holds its lock until the server has noticed.
async fn finish(history: &History, store: &ArchiveStore) {
    let deadline = Instant::now() + PATIENCE;
    let left = "SELECT count(*) FROM pg_class WHERE relname = 'games_y2025m01'";
    while history.count(left).await > 0 {
        assert!(Instant::now() < deadline, "January does not leave");
        retain(history, store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_killed_at_any_change_or_before_its_deletion_loses_no_game() {
    let whole = DyingStore::new(Arc::new(InMemory::new()), None);
    retain(&january().await, &whole.open()).await;
    let (requests, changes) = whole.counts();
    assert!(changes >= 6, "{changes}");
    // The last requests are those of the proof that the deletion waits for.
    let deaths = (0..changes)
        .map(Death::AfterChange)
        .chain([0, requests / 2, requests - 1].map(Death::BeforeRequest));
    for death in deaths {
        let history = january().await;
        let archive = Arc::new(InMemory::new());
        let dying = DyingStore::new(archive.clone(), Some(death));
        let done = dying.until_death(retain(&history, &dying.open())).await;
        assert!(done.is_none(), "nobody dies at {death:?}");
        let store = ArchiveStore::over(archive, "memory:");
        for (game, day) in [("old-1", "2025-01-05"), ("old-2", "2025-01-31")] {
            assert!(is_somewhere(&history, &store, game, day).await, "{death:?}");
        }
        finish(&history, &store).await;
        for (game, day) in [("old-1", "2025-01-05"), ("old-2", "2025-01-31")] {
            let summaries = Summaries::new(store.clone());
            let found = summaries.find_game(game, day.parse().unwrap()).await;
            assert!(found.unwrap().is_some(), "{death:?}");
        }
    }
}

/// An archiver process with one job and a slow way to its bucket, so that there is time to kill it in the middle.
struct Job {
    bucket: TestBucket,
    proxy: StoreProxy,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Job {
    async fn prepare() -> Self {
        let bucket = TestBucket::create().await;
        let proxy = StoreProxy::listen(bucket.endpoint()).await.unwrap();
        Self { bucket, proxy }
    }

    fn start(&self, switches: &[(&str, &str)]) -> Child {
        let child = Command::new(env!("CARGO_BIN_EXE_archiver"))
            .arg("run")
            .env("ARCHIVER__STORE__URL", self.bucket.url())
            .env("ARCHIVER__STORE__ENDPOINT", self.proxy.endpoint())
            .env("ARCHIVER__STORE__REGION", self.bucket.region())
            .env("ARCHIVER__STORE__ACCESS_KEY_ID", self.bucket.access_key())
            .env(
                "ARCHIVER__STORE__SECRET_ACCESS_KEY",
                self.bucket.secret_key(),
            )
            .env("ARCHIVER__STORE__ALLOW_HTTP", "true")
            .env("ARCHIVER__RAW__ENABLED", "false")
            .env("ARCHIVER__HEALTH__LISTEN", "127.0.0.1:0")
            .envs(switches.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let each = Duration::from_millis(100);
        self.proxy.slow(each, PATIENCE);
        child.unwrap()
    }

    fn place(self) -> Place {
        Place::Bucket(self.bucket)
    }
}

/// Kills a process as soon as something is so.
async fn kill_when(mut process: Child, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(
            Instant::now() < deadline,
            "the moment to kill it never came"
        );
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_amid_compaction_leaves_files_that_count_for_nothing_and_are_swept() {
    let job = Job::prepare().await;
    let store = Place::open_bucket(&job.bucket);
    let said = closed_days(&store).await;
    let running = job.start(&[
        ("ARCHIVER__COMPACT__ENABLED", "true"),
        ("ARCHIVER__RAW__TOPICS", "[\"game-events\"]"),
    ]);
    kill_when(running, async || {
        !keys(&store, "compacted").await.is_empty()
    })
    .await;
    assert_eq!(
        keys(&store, "_compactions").await,
        [],
        "it was killed too late"
    );
    let left = settled(&store, "compacted").await;
    assert_eq!(read_all(&store).await.len(), said.len());
    compact(&store).await;
    let place = job.place();
    is_compacted(&place.open()).await;
    let now = keys(&store, "compacted").await;
    assert!(left.iter().all(|key| !now.contains(key)), "{left:?}");
}

/// What the revisions that count say of January: each game with its termination. Every file that one names is read whole, and each
/// game has both of its player rows.
async fn summed_up(store: &ArchiveStore) -> BTreeMap<String, String> {
    let (mut games, mut player_rows) = (BTreeMap::new(), 0);
    for (date, region) in [("2025-01-05", "eu"), ("2025-01-31", "us")] {
        let summaries = Summaries::new(store.clone());
        let Some(revision) = summaries.newest(&day(date, region)).await.unwrap() else {
            continue;
        };
        let found: Vec<GameRow> = rows(store, &revision.manifest).await;
        games.extend(found.into_iter().map(|row| (row.game_id, row.termination)));
        let found: Vec<PlayerRow> = rows(store, &revision.manifest).await;
        player_rows += found.len();
    }
    assert_eq!(player_rows, 2 * games.len(), "half a revision is visible");
    games
}

/// The files of summaries that no newest revision names.
async fn left_over(store: &ArchiveStore) -> Vec<ObjectKey> {
    let mut left = [
        keys(store, "summaries/games").await,
        keys(store, "summaries/players").await,
    ]
    .concat();
    for (date, region) in [("2025-01-05", "eu"), ("2025-01-31", "us")] {
        let summaries = Summaries::new(store.clone());
        if let Some(revision) = summaries.newest(&day(date, region)).await.unwrap() {
            let named: Vec<&ObjectKey> = revision.manifest.keys().collect();
            left.retain(|key| !named.contains(&key));
        }
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_amid_summaries_leaves_no_half_revision_and_files_that_are_swept() {
    let history = january().await;
    let job = Job::prepare().await;
    let store = Place::open_bucket(&job.bucket);
    let url = history.url();
    let switches = [
        ("ARCHIVER__DATABASE__URL", url.as_str()),
        ("ARCHIVER__SUMMARIES__ENABLED", "true"),
    ];
    let all = |termination: &str| {
        let games = ["old-1", "old-2"].map(|id| (id.to_owned(), termination.to_owned()));
        BTreeMap::from(games)
    };

    // At its first file. What it has sent still arrives: none of it may be a revision that lacks a file.
    kill_when(job.start(&switches), async || {
        !keys(&store, "summaries/games").await.is_empty()
    })
    .await;
    settled(&store, "summaries").await;
    assert!(summed_up(&store).await.len() < 2, "it was killed too late");
    job.proxy.clear();
    once(&mut new_pass(&store), &history.config())
        .await
        .unwrap();
    assert_eq!(summed_up(&store).await, all("checkmate"));
    assert_eq!(left_over(&store).await, []);

    // A rebuild has changed both days: until a day's second revision is whole, readers have its first.
    let changed = "UPDATE games SET termination = 'timeout', written_at = now()";
    let client = history.client().await;
    client.execute(changed, &[]).await.unwrap();
    let second = |key: &ObjectKey| key.name().starts_with("000002");
    kill_when(job.start(&switches), async || {
        keys(&store, "summaries/games").await.iter().any(second)
    })
    .await;
    settled(&store, "summaries").await;
    let seen = summed_up(&store).await;
    assert_eq!(seen.len(), 2);
    assert_ne!(seen, all("timeout"), "it was killed too late");
    job.proxy.clear();
    once(&mut new_pass(&store), &history.config())
        .await
        .unwrap();
    assert_eq!(summed_up(&store).await, all("timeout"));
    // The files of the first revision stay a day for their readers.
    let mut left = left_over(&store).await;
    left.retain(second);
    assert_eq!(left, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_a_killed_process_left_detached_is_not_dropped_unproven() {
    let history = january().await;
    let job = Job::prepare().await;
    let store = Place::open_bucket(&job.bucket);
    once(&mut new_pass(&store), &history.config())
        .await
        .unwrap();
    let url = history.url();
    let detached = "SELECT count(*) FROM pg_class c WHERE relname = 'games_y2025m01' \
        AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid)";
    let running = job.start(&[
        ("ARCHIVER__DATABASE__URL", url.as_str()),
        ("ARCHIVER__RETENTION__ENABLED", "true"),
        ("ARCHIVER__RETENTION__HOT_MONTHS", "1"),
    ]);
    kill_when(running, async || history.count(detached).await == 1).await;
    let rows = "SELECT count(*) FROM games_y2025m01";
    assert_eq!(history.count(rows).await, 2, "it was killed too late");
    job.proxy.clear();
    // What the dead one had proven, if anything, is no proof: a file is gone by now.
    let summaries = Summaries::new(store.clone());
    let newest = summaries.newest(&day("2025-01-05", "eu")).await.unwrap();
    let file = &newest.unwrap().manifest.games[0].key;
    store.delete(file).await.unwrap();
    finish(&history, &store).await;
    assert_eq!(summed_up(&store).await.len(), 2);
    for (game, day) in [("old-1", "2025-01-05"), ("old-2", "2025-01-31")] {
        assert!(is_somewhere(&history, &store, game, day).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_shows_in_readiness_with_the_remedy() {
    let database = test_support::TestDatabase::without_schema().await;
    let job = Job::prepare().await;
    let health = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = health.local_addr().unwrap();
    drop(health);
    let (url, listen) = (database.url(), address.to_string());
    let mut running = job.start(&[
        ("ARCHIVER__DATABASE__URL", url.as_str()),
        ("ARCHIVER__SUMMARIES__ENABLED", "true"),
        ("ARCHIVER__HEALTH__LISTEN", listen.as_str()),
    ]);
    job.proxy.clear();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked = tokio::task::spawn_blocking(move || told_ready(address));
        let told = asked.await.unwrap().unwrap_or_default();
        if told.starts_with("HTTP/1.1 503") && told.contains("`ingestor migrate`") {
            break;
        }
        assert!(Instant::now() < deadline, "readiness says: {told}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.kill().unwrap();
    running.wait().unwrap();
}

/// The whole answer of `/health/ready`.
fn told_ready(address: std::net::SocketAddr) -> std::io::Result<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut told = String::new();
    stream.read_to_string(&mut told)?;
    Ok(told)
}
