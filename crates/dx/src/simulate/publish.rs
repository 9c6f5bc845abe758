//! Sends the stream: one task, one producer, records in the stream's order, each one's delivery looked at.
//!
//! Order within a game rests on that one task. What is on its way is bounded, and answered in the order of sending; ends whose
//! visibility is measured are answered by tasks of their own, so that the moment of their acknowledgement is not guessed.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::FutureExt;
use indicatif::{ProgressBar, ProgressStyle};
use publisher::{Delivery, GamePublisher, Pending, PublishError, PublisherConfig, RawRecord};

use super::ledger::{Ledger, Totals};
use super::pace::Pace;
use super::play::{Fault, HeaderRoom, Play, Role, Sent, Settings, Step};
use super::visibility::{Seen, Visibility};
use crate::stack::Endpoints;

/// How many records may be on their way at a time.
const MAX_IN_FLIGHT: usize = 50_000;
/// Answers, the bar and the time are looked at every so many records.
const LOOK_EVERY: u64 = 256;
/// How long the last records may take to arrive.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// What to send, and how.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) play: Settings,
    /// Events a second; as fast as it goes if unset.
    pub(crate) rate: Option<u64>,
    /// When to stop; at the end of the stream if unset.
    pub(crate) time: Option<Duration>,
    pub(crate) ledger: PathBuf,
    /// How many games are watched at a time, to see when they are readable; none if zero.
    pub(crate) watched: usize,
}

/// Plays, publishes and keeps the ledger, until the stream or its time is over or the user interrupts it.
///
/// # Errors
/// A broker or an API that does not answer, a record that is not delivered, a ledger that can't be written.
pub(crate) async fn publish(
    options: &Options,
    endpoints: &Endpoints,
) -> anyhow::Result<(Totals, Option<Seen>)> {
    let visibility = match options.watched {
        0 => None,
        watched => Some(Visibility::new(&endpoints.api, watched).await?),
    };
    let mut config = PublisherConfig::new(&endpoints.kafka, &endpoints.topic);
    config.client_id = "dx-simulate".to_owned();
    let publisher = GamePublisher::connect(config).await?;
    let ledger = Ledger::create(&options.ledger, &options.play, &endpoints.topic)?;
    let play = Play::new(options.play.clone());
    let mut sending = Sending {
        publisher: &publisher,
        visibility,
        ledger,
        in_flight: VecDeque::new(),
        room: HeaderRoom::default(),
        handed_over: 0,
        bar: bar(options),
    };
    let started = Instant::now();
    sending.stream(play, options).await?;
    sending.answer(0).await?;
    let took = started.elapsed();
    sending.bar.finish_and_clear();
    let seen = match sending.visibility {
        Some(visibility) => Some(visibility.finish().await?),
        None => None,
    };
    if let Some(seen) = &seen {
        // Their ends were answered by the tasks that looked for them.
        sending.ledger.totals.records += seen.acknowledged;
        sending.ledger.totals.applied += seen.acknowledged;
    }
    let totals = sending.ledger.close(took)?;
    publisher.shutdown(FLUSH_TIMEOUT).await?;
    Ok((totals, seen))
}

struct Sending<'a> {
    publisher: &'a GamePublisher,
    visibility: Option<Visibility>,
    ledger: Ledger,
    in_flight: VecDeque<(Pending, Option<Box<Fault>>)>,
    room: HeaderRoom,
    handed_over: u64,
    bar: ProgressBar,
}

impl Sending<'_> {
    async fn stream(&mut self, mut play: Play, options: &Options) -> anyhow::Result<()> {
        let interrupted = interrupted();
        let until = options.time.map(|time| Instant::now() + time);
        let mut pace = Pace::new(options.rate);
        let mut over = false;
        while !(over && play.is_settled()) {
            match play.next() {
                None => return Ok(()),
                Some(Step::Over(note)) => {
                    self.ledger.game(&note)?;
                    self.bar.inc(u64::from(options.time.is_none()));
                }
                Some(Step::Send(sent)) => {
                    if let Some(wait) = pace.next() {
                        tokio::time::sleep(wait).await;
                        self.look().await?;
                    }
                    self.send(sent).await?;
                    if self.handed_over.is_multiple_of(LOOK_EVERY) {
                        self.look().await?;
                    }
                    let late = until.is_some_and(|until| Instant::now() >= until);
                    over = late || interrupted.load(Ordering::Relaxed);
                }
            }
        }
        for note in play.cut_off() {
            self.ledger.game(&note)?;
        }
        Ok(())
    }

    async fn send(&mut self, sent: Sent) -> anyhow::Result<()> {
        let headers = sent.record.headers(&mut self.room);
        let record = RawRecord {
            key: sent.record.key.as_deref(),
            value: sent.record.value.as_deref(),
            headers: &headers,
        };
        let pending = self
            .publisher
            .send_raw(record)
            .await
            .with_context(|| self.place())?;
        self.handed_over += 1;
        let (pending, fault) = match (sent.role, &mut self.visibility) {
            (Role::Fault(fault), _) => (pending, Some(fault)),
            (Role::End { game_id }, Some(visibility)) => {
                match visibility.sample(&game_id, pending) {
                    None => return Ok(()),
                    Some(pending) => (pending, None),
                }
            }
            (Role::Plain | Role::End { .. }, _) => (pending, None),
        };
        self.in_flight.push_back((pending, fault));
        Ok(())
    }

    /// Takes the answers that are there, and waits for some when too many are missing.
    async fn look(&mut self) -> anyhow::Result<()> {
        while let Some((pending, _)) = self.in_flight.front_mut() {
            let Some(answer) = pending.now_or_never() else {
                break;
            };
            if let Some((_, fault)) = self.in_flight.pop_front() {
                self.answered(fault, answer)?;
            }
        }
        self.answer(MAX_IN_FLIGHT).await?;
        self.bar.set_message(format!("{} events", self.handed_over));
        Ok(())
    }

    /// Waits until no more than `most` records are on their way.
    async fn answer(&mut self, most: usize) -> anyhow::Result<()> {
        while self.in_flight.len() > most {
            if let Some((pending, fault)) = self.in_flight.pop_front() {
                let answer = pending.await;
                self.answered(fault, answer)?;
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        fault: Option<Box<Fault>>,
        answer: Result<Delivery, PublishError>,
    ) -> anyhow::Result<()> {
        let delivery = answer.with_context(|| self.place())?;
        match fault {
            Some(fault) => self.ledger.fault(&fault, delivery)?,
            None => self.ledger.applied(),
        }
        Ok(())
    }

    fn place(&self) -> String {
        format!("after {} records", self.ledger.totals.records)
    }
}

/// Becomes true at the first Ctrl-C; the second one ends the process.
fn interrupted() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            set.store(true, Ordering::Relaxed);
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        }
    });
    flag
}

fn bar(options: &Options) -> ProgressBar {
    let (bar, template) = match options.play.games {
        Some(games) => (
            ProgressBar::new(games),
            "{prefix} [{bar:40}] {pos}/{len} games, {msg} {elapsed}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{prefix} {spinner} {msg} {elapsed}",
        ),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_prefix("simulate")
}
