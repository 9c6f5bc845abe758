//! Sets the process's log, metrics and traces up, in that order, once.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::{LogFormat, TelemetryConfig};

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter can't be read.
    #[error("reading the log filter: {reason}")]
    Filter {
        /// What is wrong with it.
        reason: String,
    },
    /// The exporter of traces can't be made.
    #[error("setting up the export of traces to {endpoint}: {reason}")]
    Export {
        /// Where traces were to go.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
    /// A log subscriber is already there.
    #[error("installing the log: {reason}")]
    Log {
        /// What is wrong.
        reason: String,
    },
    /// A metrics recorder is already there.
    #[error("installing the metrics recorder: {reason}")]
    Metrics {
        /// What is wrong.
        reason: String,
    },
}

/// Flushes what is not exported yet when dropped.
#[derive(Debug)]
#[must_use = "dropping the guard ends the export of traces"]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.traces.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

/// Sets up log, metrics and traces for the process. Call it inside the runtime: the exporter needs one.
///
/// # Errors
/// [`TelemetryError`] with the part that failed; also when called twice.
pub fn init(service_name: &'static str, config: &TelemetryConfig) -> Result<Guard, TelemetryError> {
    crate::install_metrics()?;
    let traces = match &config.otlp_endpoint {
        Some(endpoint) => Some(tracer_provider(service_name, endpoint)?),
        None => None,
    };
    let export = traces
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(service_name)));
    tracing_subscriber::registry()
        .with(export.map(|layer| layer.with_filter(tracing::level_filters::LevelFilter::INFO)))
        .with(log_layer(config)?)
        .try_init()
        .map_err(|error| TelemetryError::Log {
            reason: error.to_string(),
        })?;
    Ok(Guard { traces })
}

fn log_layer<S>(config: &TelemetryConfig) -> Result<Box<dyn Layer<S> + Send + Sync>, TelemetryError>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    let directives = std::env::var("RUST_LOG").unwrap_or_default();
    let directives = if directives.is_empty() {
        &config.log_filter
    } else {
        &directives
    };
    let filter = EnvFilter::try_new(directives).map_err(|error| TelemetryError::Filter {
        reason: error.to_string(),
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    Ok(match config.log_format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
        LogFormat::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_filter(filter)
            .boxed(),
    })
}

fn tracer_provider(
    service_name: &'static str,
    endpoint: &str,
) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| TelemetryError::Export {
            endpoint: endpoint.to_owned(),
            reason: error.to_string(),
        })?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name(service_name).build())
        .build())
}
