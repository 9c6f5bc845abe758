//! Clean games on a topic, at the least cost for the machine that the measured ones share.
//!
//! The simulator plays; this sends, from one thread, so that each game's records stay in order. A stream at a rate is played
//! beforehand and waits in memory: what it costs to make up games is no part of what is measured.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use chrono::Utc;
use publisher::Compression;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::console::Step as Progress;
use crate::simulate::{Faults, HeaderRoom, Play, Role, Seen, Sent, Settings, Step, Visibility};
use crate::stack::{self, Endpoints};

/// How many records a game has on average.
const RECORDS_A_GAME: u64 = 61;
/// How many lines of play the games share.
const BOOK_LINES: usize = 400;
const PLAYERS: usize = 20_000;
/// How far back the games are dated: all end before now.
const BEFORE_NOW_MS: i64 = 3 * 3_600 * 1_000;
/// How often a stream at a rate looks at the clock.
const TICK: Duration = Duration::from_millis(2);
/// How records are packed: as they were where the aims come from.
pub(super) const CODEC: Compression = Compression::Lz4;
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// What is played.
#[derive(Debug, Clone, Copy)]
pub(super) struct Games {
    pub(super) seed: u64,
    /// Games in all; without end if unset.
    pub(super) games: Option<u64>,
    /// After so many records the stream ends, whatever is live then.
    pub(super) most_records: Option<u64>,
    /// Games live at a time.
    pub(super) live: usize,
}

/// What was published.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published {
    pub(super) records: u64,
    pub(super) took: Duration,
}

impl Published {
    pub(super) fn per_second(&self) -> f64 {
        self.records as f64 / self.took.as_secs_f64().max(1e-3)
    }
}

impl Games {
    fn records(self) -> impl Iterator<Item = Sent> {
        let play = Play::new(Settings {
            seed: self.seed,
            games: self.games,
            live: self.live,
            players: PLAYERS,
            start_ms: Utc::now().timestamp_millis() - BEFORE_NOW_MS,
            book_lines: BOOK_LINES,
            faults: Faults::default(),
        });
        let sent = play.filter_map(|step| match step {
            Step::Send(sent) => Some(sent),
            Step::Over(_) => None,
        });
        sent.take(
            self.most_records
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(usize::MAX),
        )
    }

    /// Publishes as fast as it goes.
    ///
    /// # Errors
    /// A record is not delivered.
    pub(super) fn flat_out(self, endpoints: &Endpoints) -> anyhow::Result<Published> {
        let mut publisher = Publisher::new(endpoints)?;
        let began = Instant::now();
        for sent in self.records() {
            publisher.send(&sent, None)?;
        }
        publisher.finish(began)
    }

    /// Plays the stream into memory.
    pub(super) fn prepare(self) -> Vec<Sent> {
        self.records().collect()
    }
}

/// Publishes about so many records of whole games, `live` of them interleaved.
///
/// # Errors
/// The topic is there already, or a record is not delivered.
pub(super) async fn backlog(
    endpoints: &Endpoints,
    partitions: i32,
    seed: u64,
    records: u64,
    live: usize,
) -> anyhow::Result<()> {
    let step = Progress::start(
        "publish",
        &format!("{records} records to {}", endpoints.topic),
    );
    stack::new_topic(&endpoints.kafka, &endpoints.topic, partitions).await?;
    let games = Games {
        seed,
        games: Some(records / RECORDS_A_GAME + 1),
        most_records: None,
        live,
    };
    let published = tokio::task::block_in_place(|| games.flat_out(endpoints))?;
    step.done(format_args!(
        "{} records, {:.0} a second",
        published.records,
        published.per_second()
    ));
    Ok(())
}

/// Publishes a prepared stream at a rate and watches some of its games. To be called on a thread that may block.
///
/// # Errors
/// A record is not delivered, or the API does not answer.
pub(super) fn at_rate(
    stream: &[Sent],
    rate: u64,
    endpoints: &Endpoints,
    watched: usize,
    runtime: &Handle,
) -> anyhow::Result<(Published, Seen)> {
    let mut visibility = runtime.block_on(Visibility::new(&endpoints.api, watched))?;
    let _spawning = runtime.enter();
    let mut publisher = Publisher::new(endpoints)?;
    let (began, mut sent) = (Instant::now(), 0_usize);
    while sent < stream.len() {
        let due = began.elapsed().as_secs_f64() * rate as f64;
        while sent < stream.len() && (sent as f64) < due {
            let next = &stream[sent];
            let acknowledged = match &next.role {
                Role::End { game_id } => {
                    let (acknowledge, acknowledged) = oneshot::channel::<()>();
                    visibility
                        .sample(game_id, acknowledged)
                        .is_none()
                        .then_some(acknowledge)
                }
                Role::Plain | Role::Fault(_) => None,
            };
            publisher.send(next, acknowledged)?;
            sent += 1;
        }
        std::thread::sleep(TICK);
    }
    let published = publisher.finish(began)?;
    Ok((published, runtime.block_on(visibility.finish())?))
}

/// What became of the records, told on the producer's own thread.
#[derive(Debug, Default)]
struct Deliveries {
    arrived: AtomicU64,
    lost: AtomicU64,
    /// Who waits for a record that it has arrived; the record carries its place here, counted from 1.
    waiting: Mutex<Vec<Option<oneshot::Sender<()>>>>,
}

impl Deliveries {
    fn wait(&self, acknowledge: Option<oneshot::Sender<()>>) -> usize {
        let (Some(acknowledge), Ok(mut waiting)) = (acknowledge, self.waiting.lock()) else {
            return 0;
        };
        waiting.push(Some(acknowledge));
        waiting.len()
    }
}

struct Tell(Arc<Deliveries>);

impl ClientContext for Tell {}

impl ProducerContext for Tell {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let counter = if result.is_ok() {
            &self.0.arrived
        } else {
            &self.0.lost
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if place == 0 || result.is_err() {
            return;
        }
        let acknowledge = self
            .0
            .waiting
            .lock()
            .ok()
            .and_then(|mut waiting| waiting.get_mut(place - 1)?.take());
        if let Some(acknowledge) = acknowledge {
            // Nobody may wait any more.
            let _ = acknowledge.send(());
        }
    }
}

/// A producer with the publisher's promises and without its futures.
struct Publisher {
    producer: ThreadedProducer<Tell>,
    deliveries: Arc<Deliveries>,
    topic: String,
    room: HeaderRoom,
    sent: u64,
}

impl Publisher {
    fn new(endpoints: &Endpoints) -> anyhow::Result<Self> {
        let deliveries = Arc::new(Deliveries::default());
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &endpoints.kafka)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("compression.codec", CODEC.as_str())
            .set("linger.ms", "20")
            .set("queue.buffering.max.messages", "500000")
            .create_with_context(Tell(Arc::clone(&deliveries)))?;
        Ok(Self {
            producer,
            deliveries,
            topic: endpoints.topic.clone(),
            room: HeaderRoom::default(),
            sent: 0,
        })
    }

    fn send(
        &mut self,
        sent: &Sent,
        acknowledge: Option<oneshot::Sender<()>>,
    ) -> anyhow::Result<()> {
        let record = &sent.record;
        let (Some(key), Some(value)) = (&record.key, &record.value) else {
            bail!("a clean game has no record without key or value");
        };
        let headers = record.headers(&mut self.room);
        let headers = headers.iter().fold(
            OwnedHeaders::new_with_capacity(headers.len()),
            |all, (key, value)| all.insert(Header { key, value: *value }),
        );
        let place = self.deliveries.wait(acknowledge);
        let mut record = BaseRecord::with_opaque_to(&self.topic, place)
            .key(&**key)
            .payload(value)
            .headers(headers);
        while let Err((error, refused)) = self.producer.send(record) {
            ensure!(is_full(&error), "a record is refused: {error}");
            record = refused;
            std::thread::sleep(TICK);
        }
        self.sent += 1;
        Ok(())
    }

    fn finish(self, began: Instant) -> anyhow::Result<Published> {
        self.producer
            .flush(FLUSH_TIMEOUT)
            .context("the last records do not arrive")?;
        let took = began.elapsed();
        let (arrived, lost) = (&self.deliveries.arrived, &self.deliveries.lost);
        // The answer to the last record may be told a moment after the flush.
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        while arrived.load(Ordering::Relaxed) < self.sent && Instant::now() < deadline {
            ensure!(
                lost.load(Ordering::Relaxed) == 0,
                "a record was not delivered"
            );
            std::thread::sleep(TICK);
        }
        ensure!(
            arrived.load(Ordering::Relaxed) == self.sent,
            "some records were never answered"
        );
        Ok(Published {
            records: self.sent,
            took,
        })
    }
}

fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}
