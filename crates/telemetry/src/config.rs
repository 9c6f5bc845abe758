//! What is logged, in which form, and where traces go.

use serde::Deserialize;

/// What is logged, in which form, and where traces go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// `text` for people, `json` for machines.
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as `info,store=debug`. `RUST_LOG` overrides it when set.
    pub log_filter: String,
    /// Where traces are sent by OTLP over gRPC, such as `http://collector:4317`. Without it none are recorded.
    pub otlp_endpoint: Option<String>,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Json,
            log_filter: "info".to_owned(),
            otlp_endpoint: None,
        }
    }
}

impl TelemetryConfig {
    /// What is wrong with the values, as pairs of a key and a sentence. Empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log_filter) {
            faults.push(("log_filter", error.to_string()));
        }
        let endpoint = self.otlp_endpoint.as_deref().unwrap_or("http://unset");
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            faults.push((
                "otlp_endpoint",
                "must begin with http:// or https://".to_owned(),
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_and_an_endpoint_that_mean_nothing_are_both_named() {
        let config = TelemetryConfig {
            log_filter: "store=loud".to_owned(),
            otlp_endpoint: Some("collector:4317".to_owned()),
            ..TelemetryConfig::default()
        };
        let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["log_filter", "otlp_endpoint"]);
        assert!(TelemetryConfig::default().faults().is_empty());
    }
}
