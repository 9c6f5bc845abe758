//! Publishes game events to Kafka, for any service that runs games.
//!
//! # What it promises
//!
//! - **The contract is kept.** An event is checked against [`events`] before it leaves: what is published can be read. The key
//!   is the game's id, the headers repeat `event_type`, `event_id`, `schema_version` and `region`, and carry the caller's W3C
//!   `traceparent`.
//! - **Delivered means stored.** `acks=all`, and [`GamePublisher::publish`] returns only once the broker has said where the
//!   record stands.
//! - **Order.** The events of one game arrive in the order in which one task hands them over: the producer is idempotent, so a
//!   retry neither swaps nor doubles records. Two tasks that publish the same game have no order between them.
//! - **Nothing is dropped.** A full queue is waited out. What can't be delivered within the delivery timeout is an error
//!   that names the broker and the remedy, never a log line.
//! - **One partition for one game, whatever the language.** `partitioner=murmur2_random` is the default of the Java client.
//!
//! # Which call
//!
//! [`GamePublisher::publish`] waits for each event: a few hundred a second and task, and the simplest thing that is right.
//! [`GamePublisher::send`] returns a [`Pending`] at once, to be awaited later: tens of thousands a second from one task. Keep
//! the handles until they have answered; one that is dropped unawaited is still sent, but nobody learns whether it arrived.
//!
//! # Example
//!
//! ```no_run
//! use domain::EventTime;
//! use events::wire::MoveMade;
//! use events::{Event, EventId, Payload};
//! use publisher::{GamePublisher, PublisherConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let publisher = GamePublisher::connect(PublisherConfig::new("127.0.0.1:9092", "game-events")).await?;
//! let event = Event {
//!     event_id: EventId::new(),
//!     game_id: "q7ZvsdUF".into(),
//!     occurred_at: EventTime::from_ms(1_795_255_200_000)?,
//!     region: Some("eu".into()),
//!     payload: Payload::MoveMade(MoveMade {
//!         move_number: 1,
//!         player_id: "p-7".into(),
//!         text: "e2e4".into(),
//!         clock_ms: Some(180_000),
//!     }),
//! };
//! let delivery = publisher.publish(&event, None).await?;
//! assert!(delivery.offset >= 0);
//! publisher.shutdown(std::time::Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Security
//!
//! TLS and SASL are librdkafka's own properties: put `security.protocol`, `sasl.mechanisms`, `sasl.username`, `sasl.password`,
//! `ssl.ca.location` and the like into [`PublisherConfig::properties`]. Their values are never printed or logged.

mod config;
mod error;
mod publisher;

pub use config::{Compression, PublisherConfig};
pub use error::PublishError;
pub use publisher::{Delivery, GamePublisher, Pending, RawRecord};
