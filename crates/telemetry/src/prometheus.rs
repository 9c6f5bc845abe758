//! The metrics recorder of the process and its text form.
//!
//! Installed once for the process. A thread of its own drains histograms, which would grow without bound between scrapes.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::TelemetryError;

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Buckets for everything measured in seconds: from half a millisecond, a cached read, to a minute.
const SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Buckets for histograms whose names end in `_records`, such as the records of a batch.
const COUNTS: [f64; 12] = [
    1.0, 10.0, 50.0, 100.0, 500.0, 1e3, 5e3, 1e4, 5e4, 1e5, 5e5, 1e6,
];

/// How often histograms are drained.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the process's metrics recorder; further calls do nothing. [`crate::init()`] does it for services.
///
/// # Errors
/// [`TelemetryError::Metrics`] when somebody else has installed another recorder.
pub fn install_metrics() -> Result<(), TelemetryError> {
    if RECORDER.get().is_some() {
        return Ok(());
    }
    let fault = |reason: String| TelemetryError::Metrics { reason };
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_records".to_owned()), &COUNTS)
        })
        .map_err(|e| fault(e.to_string()))?
        .build_recorder();
    let handle = recorder.handle();
    if RECORDER.set(handle.clone()).is_err() {
        return Ok(());
    }
    metrics::set_global_recorder(recorder).map_err(|e| fault(e.to_string()))?;
    std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(UPKEEP);
                handle.run_upkeep();
            }
        })
        .map_err(|e| fault(e.to_string()))?;
    Ok(())
}

/// All metrics in Prometheus' text format; empty when no recorder is installed.
#[must_use]
pub fn render_metrics() -> String {
    RECORDER
        .get()
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_duration_shows_as_a_histogram_with_our_buckets() {
        install_metrics().unwrap();
        install_metrics().unwrap();
        metrics::histogram!("test_duration_seconds").record(0.003);
        metrics::histogram!("test_batch_records").record(700.0);
        let text = render_metrics();
        assert!(
            text.contains("test_duration_seconds_bucket{le=\"0.0025\"} 0"),
            "{text}"
        );
        assert!(
            text.contains("test_duration_seconds_bucket{le=\"0.005\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("test_batch_records_bucket{le=\"1000\"} 1"),
            "{text}"
        );
    }
}
