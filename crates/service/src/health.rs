//! Whether the process is fit to work, told in named checks, and a small listener that tells it.
//!
//! The state is shared between whoever does the work and whoever asks; a lock guards it and is never held across an await.
//! `/health/live` says that the process answers, `/health/ready` whether every check is ready (else 503), `/metrics` is
//! Prometheus' text. The API mounts the same answers on its own port by [`routes`].

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Shutdown;
use crate::http::{self, observe};

/// How one check stands, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It works.
    Ready,
    /// It works and is not yet as far as it should be.
    CatchingUp,
    /// It has not worked yet.
    Starting,
    /// It does not work; the reason says why.
    Broken,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// How it stands.
    pub status: Condition,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        example = "connecting to PostgreSQL at db:5432/history as reader: connection refused"
    )]
    pub reason: Option<String>,
}

/// The answer of `/health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// The worst of the checks; `starting` while there are none.
    pub status: Condition,
    /// The checks by name.
    pub checks: BTreeMap<String, Check>,
}

/// The answer of `/health/live`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Liveness {
    /// Always `live`: a process that does not live does not answer.
    #[schema(example = "live")]
    pub status: &'static str,
}

/// Named checks of the process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct HealthState {
    checks: Arc<Mutex<BTreeMap<String, Check>>>,
}

impl HealthState {
    /// The check has not worked yet.
    pub fn starting(&self, check: &str, reason: impl Into<String>) {
        self.set(check, Condition::Starting, Some(reason.into()));
    }

    /// The check works and is not yet as far as it should be.
    pub fn catching_up(&self, check: &str, reason: impl Into<String>) {
        self.set(check, Condition::CatchingUp, Some(reason.into()));
    }

    /// The check works.
    pub fn ready(&self, check: &str) {
        self.set(check, Condition::Ready, None);
    }

    /// The check does not work.
    pub fn broken(&self, check: &str, reason: impl Into<String>) {
        self.set(check, Condition::Broken, Some(reason.into()));
    }

    /// There is no such check any more, as when a partition goes to another process.
    pub fn forget(&self, check: &str) {
        self.lock().remove(check);
    }

    /// How the process stands.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let checks = self.lock().clone();
        let worst = checks.values().map(|check| check.status).max();
        Readiness {
            status: worst.unwrap_or(Condition::Starting),
            checks,
        }
    }

    fn set(&self, check: &str, status: Condition, reason: Option<String>) {
        self.lock()
            .insert(check.to_owned(), Check { status, reason });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Check>> {
        // Nothing panics while holding it, and a map of checks is whole at any time.
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers `/health/live`.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(Liveness { status: "live" })
}

/// Answers `/health/ready`: 200 when every check is ready, else 503 with the same body.
pub async fn ready(health: web::Data<HealthState>) -> HttpResponse {
    let readiness = health.readiness();
    let mut response = match readiness.status {
        Condition::Ready => HttpResponse::Ok(),
        _ => HttpResponse::ServiceUnavailable(),
    };
    response
        .insert_header(("cache-control", "no-store"))
        .json(readiness)
}

/// Answers `/metrics`.
pub async fn metrics() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .insert_header(("content-type", "text/plain; version=0.0.4; charset=utf-8"))
        .body(telemetry::render_metrics())
}

/// Mounts the three routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(http::resource(
            "/health/live",
            web::get().to(live),
            web::head().to(live),
        ))
        .service(http::resource(
            "/health/ready",
            web::get().to(ready),
            web::head().to(ready),
        ))
        .service(http::resource(
            "/metrics",
            web::get().to(metrics),
            web::head().to(metrics),
        ));
}

/// Listens on `listen` and answers until shutdown.
///
/// # Errors
/// When the address can't be listened on; the message names it.
pub async fn serve(listen: SocketAddr, health: HealthState, shutdown: Shutdown) -> io::Result<()> {
    let listener = TcpListener::bind(listen)
        .map_err(|error| io::Error::new(error.kind(), format!("listening on {listen}: {error}")))?;
    serve_on(listener, health, shutdown)?.await
}

/// Answers on a listener that is bound already, until shutdown.
///
/// # Errors
/// When the listener can't be used.
pub fn serve_on(
    listener: TcpListener,
    health: HealthState,
    shutdown: Shutdown,
) -> io::Result<impl Future<Output = io::Result<()>> + Send> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(health.clone()))
            .wrap(actix_web::middleware::from_fn(observe))
            .configure(routes)
            .default_service(web::to(http::unknown_route))
    })
    .workers(1)
    .shutdown_timeout(5)
    .shutdown_signal(shutdown.token().cancelled_owned())
    .listen(listener)?
    .run();
    Ok(server)
}

#[cfg(test)]
mod tests;
