//! Tracing, metrics and OpenTelemetry, the same in every binary.
//!
//! ```text
//! let telemetry: TelemetryConfig = …;                        // from configuration
//! let guard = telemetry::init("ingestor", &telemetry)?;      // once, inside the tokio runtime; keep the guard to the end
//! metrics::counter!("games_finished_total").increment(1);    // anywhere
//! let text = telemetry::render_metrics();                    // Prometheus' text format, for GET /metrics
//! telemetry::continue_trace(&span, traceparent);             // a caller's W3C trace goes on in this span
//! let header = telemetry::traceparent(&span);                // the other way round, when a trace is exported
//! drop(guard);                                               // flushes what is not exported yet
//! ```
//!
//! Logs go to standard error, so that standard output stays for what a command prints.

mod config;
mod init;
mod prometheus;
mod trace_context;

pub use config::{LogFormat, TelemetryConfig};
pub use init::{Guard, TelemetryError, init};
pub use prometheus::{install_metrics, render_metrics};
pub use trace_context::{continue_trace, traceparent};
