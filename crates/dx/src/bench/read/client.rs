//! A lean HTTP/1.1 client for load: one connection kept open, no allocation a header, bodies counted or handed on piece by piece.
//!
//! The machine's cores are shared with what is measured, so every microsecond spent here is missing there. It understands what
//! the query API answers with: a length, or chunks.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const BUFFER_BYTES: usize = 64 * 1_024;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    line: Vec<u8>,
}

/// What the head of an answer says.
#[derive(Debug, Default)]
struct Head {
    status: u16,
    length: Option<u64>,
    chunked: bool,
    closes: bool,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            line: Vec::new(),
        }
    }

    /// Sends a GET and reads the answer to its end, each piece of its body given to `take`. Gives the status.
    ///
    /// # Errors
    /// The connection breaks, or what comes is no HTTP.
    pub(super) async fn get(
        &mut self,
        target: &str,
        take: impl FnMut(&[u8]),
    ) -> std::io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                BufReader::with_capacity(BUFFER_BYTES, stream)
            }
        };
        let request = format!("GET {target} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut stream, &mut self.line).await?;
        read_body(&mut stream, &mut self.line, &head, take).await?;
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(head.status)
    }

    /// The same, with the whole body.
    ///
    /// # Errors
    /// As [`Self::get`], and when the answer is not a success.
    pub(super) async fn json(&mut self, target: &str) -> anyhow::Result<serde_json::Value> {
        let mut body = Vec::new();
        let status = self
            .get(target, |piece| body.extend_from_slice(piece))
            .await?;
        anyhow::ensure!(
            status == 200,
            "{target} is answered by {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(serde_json::from_slice(&body)?)
    }
}

async fn read_line<'l>(
    stream: &mut BufReader<TcpStream>,
    line: &'l mut Vec<u8>,
) -> std::io::Result<&'l [u8]> {
    line.clear();
    if stream.read_until(b'\n', line).await? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_ascii_end())
}

async fn read_head(stream: &mut BufReader<TcpStream>, line: &mut Vec<u8>) -> std::io::Result<Head> {
    let first = read_line(stream, line).await?;
    let mut head = Head {
        status: number(first.get(9..12), 10).and_then(|status| {
            u16::try_from(status).map_err(|error| Error::new(ErrorKind::InvalidData, error))
        })?,
        ..Head::default()
    };
    loop {
        let header = read_line(stream, line).await?;
        if header.is_empty() {
            return Ok(head);
        }
        let Some(colon) = header.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&header[..colon], header[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            head.length = Some(number(Some(value), 10)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            head.chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(b"connection") {
            head.closes = value.eq_ignore_ascii_case(b"close");
        }
    }
}

async fn read_body(
    stream: &mut BufReader<TcpStream>,
    line: &mut Vec<u8>,
    head: &Head,
    mut take: impl FnMut(&[u8]),
) -> std::io::Result<()> {
    if !head.chunked {
        return read_bytes(stream, head.length.unwrap_or(0), &mut take).await;
    }
    loop {
        let length = number(Some(read_line(stream, line).await?), 16)?;
        read_bytes(stream, length, &mut take).await?;
        // A line's end behind each chunk, and behind the last one's the end of the trailers, of which there are none.
        read_line(stream, line).await?;
        if length == 0 {
            return Ok(());
        }
    }
}

async fn read_bytes(
    stream: &mut BufReader<TcpStream>,
    mut left: u64,
    take: &mut impl FnMut(&[u8]),
) -> std::io::Result<()> {
    while left > 0 {
        let there = stream.fill_buf().await?;
        if there.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(left).map_or(there.len(), |left| left.min(there.len()));
        take(&there[..length]);
        stream.consume(length);
        left -= length as u64;
    }
    Ok(())
}

fn number(text: Option<&[u8]>, radix: u32) -> std::io::Result<u64> {
    text.and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| u64::from_str_radix(text, radix).ok())
        .ok_or_else(|| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each request with the next of these, on one connection.
    async fn server(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            for answer in answers {
                assert!(stream.read(&mut request).await.unwrap() > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn answers_with_a_length_and_in_chunks_follow_each_other_on_one_connection() {
        let address = server(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
        ])
        .await;
        let mut client = Client::new(address);
        for (status, body) in [(200, "hello"), (200, "abc0123456789"), (404, "no")] {
            let mut said = Vec::new();
            let got = client.get("/", |piece| said.extend_from_slice(piece)).await;
            assert_eq!((got.unwrap(), said.as_slice()), (status, body.as_bytes()));
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_is_a_failure() {
        let address = server(&["HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"]).await;
        let error = Client::new(address).get("/", |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
