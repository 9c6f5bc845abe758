//! A proxy before an S3 server, with bad weather on demand: refusals, slow answers, silence, cut connections, lost answers.
//!
//! It knows as much of HTTP/1.1 as it needs: a request is read whole before any of it goes on, so that what is refused was never
//! carried out and what is carried out late is carried out whole. Every exchange has a connection of its own on both sides
//! (`Connection: close`), so an answer ends where its connection does. Bodies are held in memory. Signatures stay good: the `Host`
//! that was signed is passed on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The longest head of a request.
const MOST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 96;

/// What a store answers instead of working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 500: its own fault.
    InternalError,
    /// 503: too much at once.
    SlowDown,
    /// 429: the same, as other servers say it.
    TooManyRequests,
    /// 403: the keys are known and may not.
    AccessDenied,
    /// 400: temporary keys whose time is over, as AWS says it.
    ExpiredToken,
}

impl Refusal {
    /// Status, reason and S3's code.
    fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InternalError => (500, "Internal Server Error", "InternalError"),
            Self::SlowDown => (503, "Service Unavailable", "SlowDown"),
            Self::TooManyRequests => (429, "Too Many Requests", "TooManyRequests"),
            Self::AccessDenied => (403, "Forbidden", "AccessDenied"),
            Self::ExpiredToken => (400, "Bad Request", "ExpiredToken"),
        }
    }

    /// The status code.
    #[must_use]
    pub fn status(self) -> u16 {
        self.words().0
    }

    fn answer(self) -> Vec<u8> {
        let (status, reason, code) = self.words();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>the weather is bad</Message></Error>"
        );
        format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// What was done to requests, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreFaults {
    /// Refused, and never carried out.
    pub refused: u64,
    /// Creates that the server carried out and whose sender never heard of it.
    pub answers_lost: u64,
    /// Answered late.
    pub slowed: u64,
    /// Held back by a stall.
    pub stalled: u64,
    /// Connections cut by order.
    pub cut: u64,
}

impl StoreFaults {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.refused + self.answers_lost + self.slowed + self.stalled + self.cut
    }
}

#[derive(Debug, Clone, Copy)]
struct Orders {
    refuse_until: Option<(Refusal, Instant)>,
    refuse_next: Option<(Refusal, u64)>,
    slow_until: Option<(Duration, Instant)>,
}

const NO_ORDERS: Orders = Orders {
    refuse_until: None,
    refuse_next: None,
    slow_until: None,
};

#[derive(Debug)]
struct Weather {
    upstream: SocketAddr,
    orders: Mutex<Orders>,
    answers_to_lose: AtomicU64,
    calm_at: watch::Sender<Instant>,
    cuts: watch::Sender<u64>,
    refused: AtomicU64,
    answers_lost: AtomicU64,
    slowed: AtomicU64,
    stalled: AtomicU64,
    cut: AtomicU64,
}

/// A listening proxy. It ends when dropped.
#[derive(Debug)]
pub struct StoreProxy {
    weather: Arc<Weather>,
    port: u16,
    task: JoinHandle<()>,
}

impl StoreProxy {
    /// Listens on a port of its own and forwards to the server at `endpoint`, `http://address:port`.
    ///
    /// # Errors
    /// The endpoint is no such address, or no port is to be had.
    pub async fn listen(endpoint: &str) -> io::Result<Self> {
        let address = endpoint
            .strip_prefix("http://")
            .and_then(|address| address.trim_end_matches('/').parse().ok());
        let upstream = address.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{endpoint} is not http://address:port"),
            )
        })?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let weather = Arc::new(Weather {
            upstream,
            orders: Mutex::new(NO_ORDERS),
            answers_to_lose: AtomicU64::new(0),
            calm_at: watch::Sender::new(Instant::now()),
            cuts: watch::Sender::new(0),
            refused: AtomicU64::new(0),
            answers_lost: AtomicU64::new(0),
            slowed: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&weather)));
        Ok(Self {
            weather,
            port,
            task,
        })
    }

    /// Where clients reach the server through it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Refuses every request for so long.
    pub fn refuse(&self, refusal: Refusal, time: Duration) {
        self.order(|orders| orders.refuse_until = Some((refusal, Instant::now() + time)));
    }

    /// Refuses the next requests.
    pub fn refuse_next(&self, refusal: Refusal, count: u64) {
        self.order(|orders| orders.refuse_next = Some((refusal, count)));
    }

    /// Takes so much longer over each request, for so long.
    pub fn slow(&self, each: Duration, time: Duration) {
        self.order(|orders| orders.slow_until = Some((each, Instant::now() + time)));
    }

    /// Says nothing for so long: what comes in meanwhile is carried out afterwards, whoever still waits for it.
    pub fn stall(&self, time: Duration) {
        self.weather.calm_at.send_replace(Instant::now() + time);
    }

    /// Loses the answers to the next creates (`If-None-Match`) that the server carries out: one in two connections just ends, the
    /// others say 503.
    pub fn lose_answers(&self, count: u64) {
        self.weather
            .answers_to_lose
            .fetch_add(count, Ordering::Relaxed);
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.weather.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Forgets every order that was not carried out yet.
    pub fn clear(&self) {
        self.order(|orders| *orders = NO_ORDERS);
        self.weather.answers_to_lose.store(0, Ordering::Relaxed);
        self.weather.calm_at.send_replace(Instant::now());
    }

    /// What was done so far.
    #[must_use]
    pub fn faults(&self) -> StoreFaults {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StoreFaults {
            refused: count(&self.weather.refused),
            answers_lost: count(&self.weather.answers_lost),
            slowed: count(&self.weather.slowed),
            stalled: count(&self.weather.stalled),
            cut: count(&self.weather.cut),
        }
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.weather.lock());
    }
}

impl Drop for StoreProxy {
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

async fn connection(mut client: TcpStream, weather: Arc<Weather>) {
    let mut cuts = weather.cuts.subscribe();
    tokio::select! {
        // A side that goes away in the middle is weather too.
        _ended = exchange(&mut client, &weather) => {}
        _ = cuts.changed() => {
            weather.cut.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn exchange(client: &mut TcpStream, weather: &Weather) -> io::Result<()> {
    let Some(request) = Request::read(client).await? else {
        return Ok(());
    };
    if weather.calm().await {
        weather.stalled.fetch_add(1, Ordering::Relaxed);
    }
    if let Some(refusal) = weather.refusal() {
        weather.refused.fetch_add(1, Ordering::Relaxed);
        client.write_all(&refusal.answer()).await?;
        return client.shutdown().await;
    }
    if let Some(each) = weather.slowness() {
        weather.slowed.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(each).await;
    }
    let mut server = TcpStream::connect(weather.upstream).await?;
    server.write_all(&request.bytes).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    if request.creates && has_created(&answer) && take(&weather.answers_to_lose) {
        let lost = weather.answers_lost.fetch_add(1, Ordering::Relaxed);
        if lost.is_multiple_of(2) {
            return Ok(());
        }
        answer = Refusal::SlowDown.answer();
    }
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// A request, ready to be passed on.
struct Request {
    bytes: Vec<u8>,
    /// Whether it creates an object only if there is none.
    creates: bool,
}

impl Request {
    /// Reads one to its end; none where the client has nothing to say.
    async fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let head = loop {
            if client.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
            if let Some(head) = Head::parse(&bytes)? {
                break head;
            }
        };
        while bytes.len() < head.came_in + head.body {
            if client.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        }
        let mut whole = head.passed_on;
        whole.extend_from_slice(&bytes[head.came_in..head.came_in + head.body]);
        Ok(Some(Self {
            bytes: whole,
            creates: head.creates,
        }))
    }
}

/// What stands before a request's body.
struct Head {
    /// The same for a connection that ends with the answer.
    passed_on: Vec<u8>,
    /// Its length as it came in.
    came_in: usize,
    /// The length of the body.
    body: usize,
    creates: bool,
}

impl Head {
    /// Reads a head; none where its end has not come in yet.
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(bytes);
        let came_in = match parsed.map_err(|error| wrong(error.to_string()))? {
            httparse::Status::Complete(end) => end,
            httparse::Status::Partial if bytes.len() < MOST_HEAD => return Ok(None),
            httparse::Status::Partial => return Err(wrong("a head without an end".to_owned())),
        };
        let (method, path) = (
            request.method.unwrap_or_default(),
            request.path.unwrap_or("/"),
        );
        let mut passed_on = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
        let (mut body, mut creates) = (0, false);
        for header in request.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("connection") {
                continue;
            }
            if is("transfer-encoding") {
                return Err(wrong(
                    "a body of unknown length is not passed on".to_owned(),
                ));
            }
            if is("content-length") {
                let text = std::str::from_utf8(header.value).unwrap_or_default();
                let length = text.trim().parse();
                body = length.map_err(|_none| wrong(format!("{text:?} is no length")))?;
            }
            creates |= is("if-none-match") && method == "PUT";
            passed_on.extend_from_slice(header.name.as_bytes());
            passed_on.extend_from_slice(b": ");
            passed_on.extend_from_slice(header.value);
            passed_on.extend_from_slice(b"\r\n");
        }
        passed_on.extend_from_slice(b"Connection: close\r\n\r\n");
        Ok(Some(Self {
            passed_on,
            came_in,
            body,
            creates,
        }))
    }
}

/// Whether an answer says 200.
fn has_created(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 200")
}

impl Weather {
    fn lock(&self) -> std::sync::MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while nothing is answered; whether there was a wait.
    async fn calm(&self) -> bool {
        let mut calm_at = self.calm_at.subscribe();
        let mut waited = false;
        loop {
            let at = *calm_at.borrow_and_update();
            if at <= Instant::now() {
                return waited;
            }
            waited = true;
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                _ = calm_at.changed() => {}
            }
        }
    }

    fn refusal(&self) -> Option<Refusal> {
        let mut orders = self.lock();
        if let Some((refusal, left)) = &mut orders.refuse_next
            && *left > 0
        {
            *left -= 1;
            return Some(*refusal);
        }
        let (refusal, until) = orders.refuse_until?;
        (Instant::now() < until).then_some(refusal)
    }

    fn slowness(&self) -> Option<Duration> {
        let (each, until) = self.lock().slow_until?;
        (Instant::now() < until).then_some(each)
    }
}

/// Takes one from a count that has one.
fn take(count: &AtomicU64) -> bool {
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            count.checked_sub(1)
        })
        .is_ok()
}
