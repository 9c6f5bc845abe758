//! The proxy that ingestors reach PostgreSQL through, with bad weather on demand: connections cut or stalled, COMMITs and their
//! replies lost.
//!
//! Two pumps a connection, both in one task; when either ends, both sides are closed. The client's side is forwarded message by
//! message, so that a COMMIT is recognised before any of it goes out. A reply counts as lost only when the server had said COMMIT.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::wire::{Frames, Transactions};

/// What a COMMIT was done to, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Losses {
    /// Committed by the server, and the client never heard.
    pub(super) replies_lost: u64,
    /// Never reached the server.
    pub(super) commits_lost: u64,
    /// Connections cut by order.
    pub(super) connections_cut: u64,
}

#[derive(Debug)]
struct Weather {
    upstream: SocketAddr,
    replies_to_lose: AtomicU64,
    commits_to_lose: AtomicU64,
    replies_lost: AtomicU64,
    commits_lost: AtomicU64,
    connections_cut: AtomicU64,
    cuts: watch::Sender<u64>,
    calm_at: watch::Sender<Instant>,
}

/// A listening proxy. It ends when dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    weather: Arc<Weather>,
    port: u16,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a port of its own and forwards to `upstream` on the loopback address.
    ///
    /// # Errors
    /// No port is to be had.
    pub(super) async fn listen(upstream: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("the proxy cannot listen")?;
        let port = listener.local_addr()?.port();
        let weather = Arc::new(Weather {
            upstream: (Ipv4Addr::LOCALHOST, upstream).into(),
            replies_to_lose: AtomicU64::new(0),
            commits_to_lose: AtomicU64::new(0),
            replies_lost: AtomicU64::new(0),
            commits_lost: AtomicU64::new(0),
            connections_cut: AtomicU64::new(0),
            cuts: watch::Sender::new(0),
            calm_at: watch::Sender::new(Instant::now()),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&weather)));
        Ok(Self {
            weather,
            port,
            task,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection.
    pub(super) fn cut(&self) {
        self.weather.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Lets nothing pass for so long.
    pub(super) fn stall(&self, time: Duration) {
        self.weather.calm_at.send_replace(Instant::now() + time);
    }

    /// Loses the replies to the next COMMITs of batches.
    pub(super) fn lose_replies(&self, count: u32) {
        self.weather
            .replies_to_lose
            .fetch_add(count.into(), Ordering::Relaxed);
    }

    /// Loses the next COMMITs of batches.
    pub(super) fn lose_commits(&self, count: u32) {
        self.weather
            .commits_to_lose
            .fetch_add(count.into(), Ordering::Relaxed);
    }

    /// Forgets every order that was not carried out yet.
    pub(super) fn clear(&self) {
        self.weather.replies_to_lose.store(0, Ordering::Relaxed);
        self.weather.commits_to_lose.store(0, Ordering::Relaxed);
        self.weather.calm_at.send_replace(Instant::now());
    }

    pub(super) fn losses(&self) -> Losses {
        Losses {
            replies_lost: self.weather.replies_lost.load(Ordering::Relaxed),
            commits_lost: self.weather.commits_lost.load(Ordering::Relaxed),
            connections_cut: self.weather.connections_cut.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, weather: Arc<Weather>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(connection(client, Arc::clone(&weather)));
            }
            Err(_out_of_files) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(client: TcpStream, weather: Arc<Weather>) {
    let mut cuts = weather.cuts.subscribe();
    weather.calm().await;
    // A server that is down refuses: dropping the client tells it so.
    let Ok(server) = TcpStream::connect(weather.upstream).await else {
        return;
    };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let swallow = AtomicBool::new(false);
    tokio::select! {
        () = upward(from_client, to_server, &weather, &swallow) => {}
        () = downward(from_server, to_client, &weather, &swallow) => {}
        _ = cuts.changed() => {
            weather.connections_cut.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Client to server, until either closes or a COMMIT is to be lost.
async fn upward(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    weather: &Weather,
    swallow: &AtomicBool,
) {
    let (mut frames, mut transactions) = (Frames::default(), Transactions::default());
    let mut chunk = vec![0; 64 << 10];
    while let Ok(read @ 1..) = client.read(&mut chunk).await {
        weather.calm().await;
        frames.push(&chunk[..read]);
        loop {
            let frame = match frames.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_garbled) => return,
            };
            if transactions.is_batch_commit(frame) {
                if take(&weather.commits_to_lose) {
                    weather.commits_lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                if take(&weather.replies_to_lose) {
                    swallow.store(true, Ordering::Relaxed);
                }
            }
            if server.write_all(frame).await.is_err() {
                return;
            }
        }
    }
}

/// Server to client, until either closes or a COMMIT's reply is lost.
async fn downward(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    weather: &Weather,
    swallow: &AtomicBool,
) {
    let (mut chunk, mut swallowed) = (vec![0; 64 << 10], Vec::new());
    while let Ok(read @ 1..) = server.read(&mut chunk).await {
        weather.calm().await;
        if swallow.load(Ordering::Relaxed) {
            // Answers to what the client closed before its COMMIT may come first.
            swallowed.extend_from_slice(&chunk[..read]);
            if holds(&swallowed, b"COMMIT\0") {
                weather.replies_lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if holds(&swallowed, b"ROLLBACK\0") {
                return;
            }
            continue;
        }
        if client.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

impl Weather {
    /// Waits while connections are stalled.
    async fn calm(&self) {
        let mut calm_at = self.calm_at.subscribe();
        loop {
            let at = *calm_at.borrow_and_update();
            if at <= Instant::now() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                _ = calm_at.changed() => {}
            }
        }
    }
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|found| found == wanted)
}

/// Takes one from a count that has one.
fn take(count: &AtomicU64) -> bool {
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            count.checked_sub(1)
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::{Losses, Proxy};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn begun_batch() -> Vec<u8> {
        let startup = [&8_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes()].concat();
        let advance = b"s\0UPDATE stream_checkpoints SET next_offset = $1\0\0\0";
        [
            startup,
            message(b'P', advance),
            message(b'B', b"\0s\0"),
            message(b'S', b""),
        ]
        .concat()
    }

    /// A client in the middle of a batch, the server's end of its connection, and the proxy between.
    async fn batch() -> (TcpStream, TcpStream, Proxy) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::listen(listener.local_addr().unwrap().port())
            .await
            .unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let sent = begun_batch();
        client.write_all(&sent).await.unwrap();
        let mut received = vec![0; sent.len()];
        server.read_exact(&mut received).await.unwrap();
        assert_eq!(received, sent);
        (client, server, proxy)
    }

    #[tokio::test]
    async fn a_lost_reply_is_one_to_a_commit_that_the_server_carried_out() {
        let (mut client, mut server, proxy) = batch().await;
        proxy.lose_replies(1);
        client.write_all(&message(b'Q', b"COMMIT\0")).await.unwrap();
        let mut commit = [0; 12];
        server.read_exact(&mut commit).await.unwrap();
        // The answer to an earlier message comes first.
        server.write_all(&message(b'3', b"")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.write_all(&message(b'C', b"COMMIT\0")).await.unwrap();
        assert_eq!(client.read(&mut [0; 64]).await.unwrap_or(0), 0);
        let expected = Losses {
            replies_lost: 1,
            ..Losses::default()
        };
        assert_eq!(proxy.losses(), expected);
    }

    #[tokio::test]
    async fn a_lost_commit_never_reaches_the_server() {
        let (mut client, mut server, proxy) = batch().await;
        proxy.lose_commits(1);
        client.write_all(&message(b'Q', b"COMMIT\0")).await.unwrap();
        assert_eq!(server.read(&mut [0; 64]).await.unwrap_or(0), 0);
        assert_eq!(client.read(&mut [0; 64]).await.unwrap_or(0), 0);
        assert_eq!(proxy.losses().commits_lost, 1);
    }

    #[tokio::test]
    async fn a_stall_holds_bytes_back_and_a_cut_ends_the_connection() {
        let (mut client, mut server, proxy) = batch().await;
        proxy.stall(Duration::from_millis(300));
        let began = Instant::now();
        server.write_all(b"late").await.unwrap();
        let mut late = [0; 4];
        client.read_exact(&mut late).await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(300));
        proxy.cut();
        assert_eq!(client.read(&mut [0; 64]).await.unwrap_or(0), 0);
    }
}
