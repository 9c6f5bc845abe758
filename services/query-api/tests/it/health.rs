//! Readiness with and without a database, metrics, and the end of the process.

use std::time::Duration;

use serde_json::Value;
use test_support::TestDatabase;

use crate::http::send;
use crate::seed;
use crate::server::TestServer;

/// Asks for readiness until it is as expected.
async fn wait_for(server: &TestServer, status: u16) -> Value {
    for _ in 0..100 {
        let answer = server.get("/health/ready").await;
        if answer.status == status {
            return answer.json();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!(
        "/health/ready did not become {status}: {:?}",
        server.health.readiness()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_the_database_answers_and_its_schema_is_current() {
    let (server, _database) = TestServer::start().await;
    let ready = wait_for(&server, 200).await;
    assert_eq!(ready["checks"]["database"]["status"], "ready");
    assert_eq!(ready["checks"]["schema"]["status"], "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_lacks_is_told_with_the_remedy() {
    let database = TestDatabase::without_schema().await;
    let server = TestServer::over(&database.url()).await;
    let mut reason = String::new();
    for _ in 0..100 {
        let body = server.get("/health/ready").await.json();
        reason = body["checks"]["schema"]["reason"].to_string();
        if reason.contains("migrate") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_it_listens_is_not_ready_and_answers_503() {
    let server = TestServer::over("postgres://nobody:hunter2@127.0.0.1:1/none").await;
    assert_eq!(server.get("/health/live").await.status, 200);
    let mut ready = wait_for(&server, 503).await;
    for _ in 0..100 {
        if ready["status"] == "broken" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        ready = wait_for(&server, 503).await;
    }
    let reason = ready["checks"]["database"]["reason"].as_str().unwrap();
    assert!(reason.contains("127.0.0.1:1/none as nobody"), "{reason}");
    assert!(!ready.to_string().contains("hunter2"));

    for target in ["/v1/games/x", "/v1/players/x/games"] {
        let answer = server.get(target).await;
        answer.problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert!(!answer.body.contains("127.0.0.1"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_server_cut_cost_no_request() {
    let (server, database) = TestServer::start().await;
    for _ in 0..4 {
        server
            .get("/v1/games/x")
            .await
            .problem(404, "game-not-found");
    }
    let client = seed::client(&database.url()).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'game-history'";
    let cut = client.query(cut, &[]).await.unwrap();
    assert!(!cut.is_empty(), "there were sessions to cut");
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..4 {
        server
            .get("/v1/games/x")
            .await
            .problem(404, "game-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_measured_by_the_routes_template() {
    let (server, _database) = TestServer::start().await;
    server.get("/v1/games/measured-id").await;
    server.get("/no/such/route").await;
    let metrics = server.get("/metrics").await;
    for line in [
        r#"http_request_duration_seconds_count{method="GET",route="/v1/games/{id}",status="404"}"#,
        r#"http_request_duration_seconds_count{method="GET",route="unknown",status="404"}"#,
    ] {
        assert!(metrics.body.contains(line), "{line} in {}", metrics.body);
    }
    assert!(!metrics.body.contains("measured-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_comes_back_and_is_made_when_there_is_none() {
    let (server, _database) = TestServer::start().await;
    let given = send(
        server.address,
        "GET",
        "/health/live",
        &[("x-request-id", "r-1")],
    )
    .await;
    assert_eq!(given.header("x-request-id"), Some("r-1"));
    let made = server.get("/health/live").await;
    assert_eq!(made.header("x-request-id").unwrap().len(), 36);
}
