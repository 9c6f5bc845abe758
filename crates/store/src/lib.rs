//! The history in Postgres: configuration, sessions, schema, and the statements that write and read it.
//!
//! ```text
//! let config: DatabaseConfig = …;                          // from configuration, the URL is a secret
//! let mut session = connect::establish(&config).await?;    // one session of one's own: the ingestor's writer
//! let pool = Pool::new(&config);                           // many readers; connects when first asked
//! let game = read::game(&mut *pool.get().await?, &id).await?;
//! migrate::run(&config).await?;                            // pending migrations, under an advisory lock
//! if !migrate::is_current(&mut session).await? { … }       // every migration this build knows is applied
//! rows.load(&mut session).await.map_err(StoreError::query("reading a game"))?;
//! if error.is_connection() { … }                           // new session, try again; else what was asked is wrong
//! ```
//!
//! This crate knows neither Kafka nor the wire format of events. Tables are described in [`schema`]; what they mean, in
//! `migrations/`.

mod config;
pub mod connect;
pub mod dead_letters;
mod error;
pub mod ingest;
mod kept;
pub mod live;
pub mod migrate;
pub mod partitions;
pub mod pool;
pub mod read;
pub mod retention;
pub mod schema;
pub mod summaries;

pub use config::{DatabaseConfig, PoolConfig};
pub use error::{ConnectFailure, StoreError};
pub use pool::{Pool, Pools};
