//! The life of the process, from its settings to its end.

use std::net::TcpListener;

use actix_web::HttpServer;
use anyhow::Context;
use service::{HealthState, Shutdown, redacted};

use crate::config::Config;
use crate::state::Shared;
use crate::{app, cold, monitor};

/// Serves the API until a signal ends it.
///
/// # Errors
/// When the log, the runtime or the listener can't be set up. A missing database is no error: the process waits for it.
pub fn run(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let _telemetry = telemetry::init("query-api", &config.telemetry)?;
    crate::metrics::describe();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = redacted(&config),
        "starting"
    );
    let listener = TcpListener::bind(config.listen)
        .with_context(|| format!("listening on {}", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, "listening");

    if config.limits.reads.is_none() {
        tracing::warn!(
            "limits.reads is not set: one caller may ask as often as it likes; docs/API.md#limits"
        );
    }

    let shutdown = Shutdown::on_signals().context("listening to signals")?;
    let health = HealthState::default();
    let mut shared = Shared::new(&config);
    shared.cold = cold::of(config.archive.as_ref())?;
    let (pools, auth) = (shared.pools.clone(), shared.auth.clone());
    let server = start(listener, &config, shared, health.clone(), &shutdown)?;
    let monitor = tokio::spawn(monitor::watch(pools, health, shutdown.clone()));
    let keys = tokio::spawn(auth.watch(shutdown.clone()));
    server.await?;
    monitor.await?;
    keys.await?;
    tracing::info!("ended");
    Ok(())
}

/// Starts the server on a listener that is bound already; it ends with `shutdown`, after the requests in hand.
///
/// # Errors
/// When the listener can't be used.
pub fn start(
    listener: TcpListener,
    config: &Config,
    shared: Shared,
    health: HealthState,
    shutdown: &Shutdown,
) -> std::io::Result<actix_web::dev::Server> {
    let routes = app::Routes::new(shared, health);
    let workers = config.workers();
    let limits = &config.limits;
    let server = HttpServer::new(move || app::app(&routes))
        .workers(workers)
        .max_connections(limits.connections.div_ceil(workers))
        .client_request_timeout(limits.head_timeout)
        .shutdown_timeout(config.shutdown_timeout.as_secs())
        .shutdown_signal(shutdown.token().cancelled_owned());
    Ok(server.listen(listener)?.run())
}
