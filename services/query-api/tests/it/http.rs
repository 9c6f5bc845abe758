//! A client that sends what it is told, byte for byte: other clients tidy a URL up before they send it.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Checks that this is a problem, complete and consistent, and gives it.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], status, "{self:?}");
        assert_eq!(problem["code"], code, "{self:?}");
        assert_eq!(problem["type"], format!("urn:game-history:problem:{code}"));
        assert!(problem["title"].is_string(), "{self:?}");
        assert_eq!(
            problem["request_id"].as_str(),
            self.header("x-request-id"),
            "{self:?}"
        );
        problem
    }
}

/// Sends one request: the method, the target and the headers as they are.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Answer {
    send_with(address, method, target, headers, "").await
}

/// Sends a body as JSON.
pub(crate) async fn post(address: SocketAddr, target: &str, body: &str) -> Answer {
    let length = body.len().to_string();
    let headers = [
        ("content-type", "application/json"),
        ("content-length", length.as_str()),
    ];
    send_with(address, "POST", target, &headers, body).await
}

/// Sends one request with a body as it is.
pub(crate) async fn send_with(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let raw = exchange(address, method, target, headers, body.as_bytes()).await;
    Answer {
        status: raw.status,
        headers: raw.headers,
        body: String::from_utf8(raw.body).unwrap(),
    }
}

/// An answer as bytes.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends one request and reads the answer as bytes.
pub(crate) async fn exchange(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Raw {
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    parse(&send_bytes(address, &[text.as_bytes(), body].concat()).await).expect("an answer")
}

/// Sends bytes as they are, and reads until the server ends the connection.
pub(crate) async fn send_bytes(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that refuses a request need not read it: what counts is its answer.
    let _refused = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer).await;
    answer
}

/// The first answer in these bytes, if there is one.
pub(crate) fn parse(answer: &[u8]) -> Option<Raw> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let body = &answer[end + 4..];
    let chunked = head
        .to_lowercase()
        .contains("\r\ntransfer-encoding: chunked");
    let body = if chunked {
        unchunk(body)
    } else {
        body.to_vec()
    };
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?;
    Some(Raw {
        status: status.parse().ok()?,
        headers: lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect(),
        body,
    })
}

/// The body of chunks, as far as it goes.
fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let after = &rest[end + 2..];
        if size == 0 || after.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&after[..size]);
        rest = &after[size + 2..];
    }
    body
}
