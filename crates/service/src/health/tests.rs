//! The listener over a real socket: what it says while checks come and go, and that its errors are problems.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

struct Running {
    address: SocketAddr,
    health: HealthState,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

fn start() -> Running {
    telemetry::install_metrics().unwrap();
    let (health, shutdown) = (HealthState::default(), Shutdown::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve_on(listener, health.clone(), shutdown.clone()).unwrap();
    Running {
        address,
        health,
        shutdown,
        task: tokio::spawn(server),
    }
}

/// Sends one request; gives status line and headers, and the body.
async fn request(address: SocketAddr, line: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text =
        format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: r-1\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn it_is_ready_when_every_check_is_and_says_why_not() {
    let running = start();
    let (head, body) = request(running.address, "GET /health/ready").await;
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert_eq!(body, r#"{"status":"starting","checks":{}}"#);

    running.health.ready("kafka");
    running.health.broken("database", "connection refused");
    let (head, body) = request(running.address, "GET /health/ready").await;
    assert!(head.starts_with("http/1.1 503"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["status"], "broken");
    assert_eq!(body["checks"]["database"]["reason"], "connection refused");
    assert_eq!(body["checks"]["kafka"]["status"], "ready");

    running.health.catching_up("database", "3 records behind");
    let (_, body) = request(running.address, "GET /health/ready").await;
    assert!(body.starts_with(r#"{"status":"catching_up""#), "{body}");

    running.health.ready("database");
    let (head, _) = request(running.address, "GET /health/ready").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
}

#[tokio::test]
async fn it_lives_whatever_the_checks_say() {
    let running = start();
    running.health.broken("database", "gone");
    let (head, body) = request(running.address, "GET /health/live").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, r#"{"status":"live"}"#);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let running = start();
    let (head, body) = request(running.address, "GET /nothing").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    assert!(
        head.contains("content-type: application/problem+json"),
        "{head}"
    );
    assert!(head.contains("x-request-id: r-1"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["code"], "unknown-route");
    assert_eq!(body["instance"], "/nothing");
    assert_eq!(body["request_id"], "r-1");

    let (head, body) = request(running.address, "POST /health/live").await;
    assert!(head.starts_with("http/1.1 405"), "{head}");
    assert!(head.contains("allow: get, head"), "{head}");
    assert!(body.contains("method-not-allowed"), "{body}");

    let (head, body) = request(running.address, "HEAD /health/live").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, "");
}

#[tokio::test]
async fn requests_are_measured_by_route_and_status() {
    let running = start();
    request(running.address, "GET /health/live").await;
    let (head, body) = request(running.address, "GET /metrics").await;
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    let line =
        r#"http_request_duration_seconds_count{method="GET",route="/health/live",status="200"}"#;
    assert!(body.contains(line), "{body}");
}

#[tokio::test]
async fn it_ends_with_the_process() {
    let running = start();
    request(running.address, "GET /health/live").await;
    running.shutdown.request("test");
    tokio::time::timeout(std::time::Duration::from_secs(10), running.task)
        .await
        .expect("it ends")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let running = start();
    let error = serve(running.address, HealthState::default(), Shutdown::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains(&running.address.to_string()),
        "{error}"
    );
}
