//! Liveness, readiness and metrics: the answers of `service::health`, described for the document.

use service::health::{Liveness, Readiness};

/// Whether the process answers
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "getLiveness",
    tag = "operations",
    responses((status = 200, description = "It does", body = Liveness))
)]
#[expect(dead_code, reason = "carries the description; service::health answers")]
pub(crate) fn live() {}

/// Whether the process is fit to answer requests
///
/// Ready when the database answers and its schema has every migration that this build knows.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "getReadiness",
    tag = "operations",
    responses(
        (status = 200, description = "Every check is ready", body = Readiness),
        (status = 503, description = "A check is not; its reason says why", body = Readiness),
    )
)]
#[expect(dead_code, reason = "carries the description; service::health answers")]
pub(crate) fn ready() {}

/// Metrics in Prometheus' text format
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "operations",
    responses((status = 200, description = "All metrics", body = String, content_type = "text/plain"))
)]
#[expect(dead_code, reason = "carries the description; service::health answers")]
pub(crate) fn metrics() {}
