//! Asks Kafka, now and then, what its client is not told: whether the topic is still the same one, and how far partitions grow
//! that nothing is fetched from.
//!
//! The client takes a topic that was deleted and made again for the old one, and hears of a partition's new records only with
//! those it fetches: a stopped or paused partition would seem to stand still.

use std::sync::Arc;
use std::time::Duration;

use stream::{Consumer, TopicIdentity, TopicProbe};
use tokio::sync::mpsc::WeakUnboundedSender;

use crate::worker::{Phase, Progress, WorkerEvent};

/// How often to ask.
const EVERY: Duration = Duration::from_secs(5);

/// Asks for ever. What can't be answered is asked again. Its hold on the inboxes is weak: they close with the poll thread.
pub(crate) async fn run(
    probe: Arc<TopicProbe>,
    consumer: Arc<Consumer>,
    progress: Arc<Progress>,
    inboxes: Vec<WeakUnboundedSender<WorkerEvent>>,
) {
    let mut known: Option<TopicIdentity> = None;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(now) = ask(&probe, "the topic's identity", TopicProbe::identity).await {
            let before = known.replace(now.clone());
            if let Some(before) = before.filter(|before| *before != now) {
                tracing::warn!(
                    ?before,
                    ?now,
                    "the topic has changed: every partition is claimed again"
                );
                for inbox in inboxes.iter().filter_map(WeakUnboundedSender::upgrade) {
                    // A worker that has ended at shutdown takes no more.
                    let _ = inbox.send(WorkerEvent::TopicChanged);
                }
            }
        }
        let pauses = consumer.pauses();
        for (partition, told) in progress.all() {
            let paused = pauses
                .get(&partition)
                .is_some_and(|paused| paused.since.is_some());
            if told.phase == Phase::Live && !paused {
                continue;
            }
            let marks = ask(&probe, "a high watermark", move |probe| {
                probe.watermarks(partition)
            });
            let Some((_, high)) = marks.await else {
                break;
            };
            consumer.heard_high_watermark(partition, high);
        }
    }
}

/// Runs a blocking question off the runtime's threads.
async fn ask<T: Send + 'static>(
    probe: &Arc<TopicProbe>,
    what: &'static str,
    question: impl FnOnce(&TopicProbe) -> Result<T, stream::StreamError> + Send + 'static,
) -> Option<T> {
    let probe = Arc::clone(probe);
    match tokio::task::spawn_blocking(move || question(&probe)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(what, %error, "not answered");
            None
        }
        Err(ended) => {
            tracing::debug!(what, %ended, "not answered");
            None
        }
    }
}
