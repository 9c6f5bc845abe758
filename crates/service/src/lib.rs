//! What every binary of the project does the same way: configuration, shutdown, health, HTTP errors.
//!
//! ```text
//! let config: Config = config::load_checked("INGESTOR", file, Config::faults)?;  // every fault at once; exit code 2
//! tracing::info!(config = %redacted(&config), "configuration");                  // secrets stay secret
//! let shutdown = Shutdown::on_signals()?;                                       // SIGTERM and SIGINT
//! let health = HealthState::default();
//! health.starting("database", "connecting");   // then: .catching_up(…), .ready("database"), .broken(…)
//! tokio::spawn(health::serve(config.health.listen, health.clone(), shutdown.clone()));
//! shutdown.requested().await;                   // or shutdown.token() for select! and child tasks
//! ```
//! and in `main`: `Err(error) => { eprintln!("error: {error:#}"); service::exit_code(&error) }`.
//!
//! Configuration is read from defaults, then a TOML file, then the environment: `INGESTOR__DATABASE__URL` is `database.url`.
//! A struct gives defaults by serde (`#[serde(default)]`) and refuses strangers by `#[serde(deny_unknown_fields)]`.

pub mod config;
pub mod health;
pub mod http;
mod shutdown;

pub use config::{ConfigFaults, exit_code, redacted};
pub use health::HealthState;
pub use http::Problem;
pub use shutdown::Shutdown;
