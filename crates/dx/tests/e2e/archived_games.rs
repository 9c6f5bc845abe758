//! Games whose month has left PostgreSQL, read out of the archive: as they were before, from a directory and from S3.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use serde_json::Value;
use test_support::TestBucket;

use crate::history::{History, binary, free_address};

/// Two games of a month long ago: one with clocks, ratings and an opening, one that was drawn.
const GAMES: &str = r#"[Event "Club evening"]
[Site "https://example.com/first"]
[Date "2025.01.05"]
[UTCDate "2025.01.05"]
[UTCTime "10:00:00"]
[White "Ann"]
[Black "Bob"]
[Result "1-0"]
[WhiteElo "1500"]
[BlackElo "1432"]
[TimeControl "180+2"]
[ECO "C20"]
[Termination "Ann won by checkmate"]

1. e4 {[%clk 0:03:00]} e5 {[%clk 0:02:59.5]} 2. Qh5 {[%clk 0:02:58]} Nc6 {[%clk 0:02:57]} 3. Bc4 {[%clk 0:02:57]} Nf6 {[%clk 0:02:50]} 4. Qxf7# {[%clk 0:02:55]} 1-0

[Event "Club evening"]
[Site "https://example.com/second"]
[Date "2025.01.31"]
[UTCDate "2025.01.31"]
[UTCTime "22:10:00"]
[White "Bob"]
[Black "Cyd"]
[Result "1/2-1/2"]
[TimeControl "60"]
[Termination "Game drawn by agreement"]

1. Nf3 d5 2. g3 1/2-1/2
"#;

/// A service of a test, ended with it.
struct Service {
    child: Child,
    url: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn start(program: &str, prefix: &str, listen: &str, settings: &[(String, String)]) -> Self {
        let address = free_address();
        let child = Command::new(binary(program))
            .arg("run")
            .env(format!("{prefix}__{listen}"), &address)
            .env(format!("{prefix}__TELEMETRY__LOG_FILTER"), "warn")
            .envs(
                settings
                    .iter()
                    .map(|(key, value)| (format!("{prefix}__{key}"), value)),
            )
            .spawn()
            .unwrap();
        let url = format!("http://{address}");
        Self { child, url }
    }

    /// An archiver that writes closed days, and drops old months if `drops` is set.
    fn archiver(history: &History, store: &[(String, String)], drops: bool) -> Self {
        let mut settings = under("STORE", store);
        settings.extend(owned(&[
            ("RAW__ENABLED", "false"),
            ("DATABASE__URL", &history.database().url()),
            ("SUMMARIES__ENABLED", "true"),
            ("SUMMARIES__EVERY", "1s"),
            ("RETENTION__ENABLED", if drops { "true" } else { "false" }),
            ("RETENTION__EVERY", "1s"),
            ("RETENTION__HOT_MONTHS", "1"),
        ]));
        Self::start("archiver", "ARCHIVER", "HEALTH__LISTEN", &settings)
    }

    /// A query API over this archive; over none if it has no keys.
    async fn api(history: &History, store: &[(String, String)]) -> Self {
        let mut settings = under("ARCHIVE__STORE", store);
        if !store.is_empty() {
            settings.extend(owned(&[("ARCHIVE__TIMEOUT", "3s")]));
        }
        settings.extend(owned(&[
            ("DATABASE__URL", &history.database().url()),
            ("CURSOR__SECRET", "a secret of the tests"),
        ]));
        let api = Self::start("query-api", "QUERY_API", "LISTEN", &settings);
        api.until("/health/ready", |_| true).await;
        api
    }

    /// Asks until the answer is 200 with a body as wanted.
    async fn until(&self, path: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(answer) = reqwest::get(format!("{}{path}", self.url)).await
                && answer.status().is_success()
                && wanted(&answer.text().await.unwrap())
            {
                return;
            }
            assert!(Instant::now() < deadline, "{}{path}", self.url);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn get(&self, path: &str) -> Response {
        reqwest::get(format!("{}{path}", self.url)).await.unwrap()
    }

    async fn problem(&self, path: &str) -> (StatusCode, String) {
        let answer = self.get(path).await;
        let status = answer.status();
        let problem: Value = answer.json().await.unwrap();
        (status, problem["code"].as_str().unwrap().to_owned())
    }
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let settings = settings.iter();
    settings
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn under(section: &str, settings: &[(String, String)]) -> Vec<(String, String)> {
    let settings = settings.iter();
    settings
        .map(|(key, value)| (format!("{section}__{key}"), value.clone()))
        .collect()
}

/// The keys of a store on this server.
fn bucket(bucket: &TestBucket, endpoint: &str) -> Vec<(String, String)> {
    owned(&[
        ("URL", &bucket.url()),
        ("ENDPOINT", endpoint),
        ("REGION", bucket.region()),
        ("ACCESS_KEY_ID", bucket.access_key()),
        ("SECRET_ACCESS_KEY", bucket.secret_key()),
        ("ALLOW_HTTP", "true"),
    ])
}

/// Everything that is asked about a game: as JSON, as PGN, and its position after some plies.
fn questions(id: &str) -> [String; 3] {
    [
        format!("/v1/games/{id}"),
        format!("/v1/games/{id}?format=pgn"),
        format!("/v1/games/{id}/moves?at=2"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_whose_month_has_left_is_answered_out_of_the_archive_as_before() {
    let mut history = History::begin().await;
    history.start_ingestor();
    let pgn = history.file("games.pgn");
    std::fs::write(&pgn, GAMES).unwrap();
    history.succeed(&["import-pgn", "--strict", pgn.to_str().unwrap()]);
    history.verify();
    let games = history.walk("/v1/games", 10).await;
    let ids: Vec<&str> = games
        .iter()
        .map(|game| game["game_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2);
    let mut before = Vec::new();
    for question in ids.iter().flat_map(|id| questions(id)) {
        before.push((question.clone(), history.text(&question).await));
    }

    let folder = history.file("archive");
    let directory = owned(&[("URL", &format!("file://{}", folder.display()))]);
    let s3 = TestBucket::create().await;
    let in_s3 = bucket(&s3, s3.endpoint());
    let archiver = Service::archiver(&history, &in_s3, false);
    let summed_up = |metrics: &str| metrics.contains("archive_summary_games_total 2");
    archiver.until("/metrics", summed_up).await;
    drop(archiver);
    let archiver = Service::archiver(&history, &directory, true);
    history.until_count("SELECT count(*) FROM games", 0).await;
    drop(archiver);

    // One that was not asked before: whoever has the games in memory answers for a while.
    let api = Service::api(&history, &[]).await;
    for id in &ids {
        let (status, code) = api.problem(&format!("/v1/games/{id}")).await;
        assert_eq!((status.as_u16(), code.as_str()), (410, "past-retention"));
    }
    drop(api);
    for store in [&directory, &in_s3] {
        let api = Service::api(&history, store).await;
        for (question, before) in &before {
            let answer = api.get(question).await;
            assert_eq!(answer.status(), StatusCode::OK, "{question}");
            assert_eq!(answer.headers()["x-data-source"], "archive", "{question}");
            assert_eq!(&answer.text().await.unwrap(), before, "{question}");
        }
    }

    // Out of reach for now, and damaged for good, are not the same.
    let question = format!("/v1/games/{}", ids[0]);
    let nowhere = bucket(&s3, &format!("http://{}", free_address()));
    let api = Service::api(&history, &nowhere).await;
    let (status, code) = api.problem(&question).await;
    assert_eq!((status.as_u16(), code.as_str()), (503, "unavailable"));
    let api = Service::api(&history, &directory).await;
    std::fs::remove_dir_all(folder.join("summaries/games")).unwrap();
    let (status, code) = api.problem(&question).await;
    assert_eq!((status.as_u16(), code.as_str()), (500, "internal"));
}
