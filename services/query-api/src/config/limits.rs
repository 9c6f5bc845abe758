//! How much one caller, and all of them together, may ask.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// Windows longer than this would remember callers for too long.
const MAX_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// The HTTP library keeps no more than 128 KiB of a request's head.
const MAX_HEAD: usize = 64 * 1024;

/// How much one caller, and all of them together, may ask. A rate that is not set is not limited.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// What one caller may ask for, exports excepted.
    pub reads: Option<RateConfig>,
    /// How many exports one caller may begin.
    pub exports: Option<RateConfig>,
    /// Where a proxy writes the client's address; without it the connection's other end is the client.
    pub client_address: Option<ClientAddressConfig>,
    /// Requests in hand at a time; more are answered by 503 at once. Without it, 32 for each session of the pool.
    pub requests_at_once: Option<usize>,
    /// Exports under way at a time; more are answered by 503 at once. They use half of the pool's sessions at most.
    pub exports_at_once: usize,
    /// Exports under way at a time for one caller; without it, as many as there may be at all.
    pub exports_at_once_per_caller: Option<usize>,
    /// An export whose client takes nothing for so long is broken off.
    #[serde(with = "humantime_serde")]
    pub export_stall: Duration,
    /// Connections at a time; more wait until one is closed.
    pub connections: usize,
    /// How long the head of a request may take to arrive.
    #[serde(with = "humantime_serde")]
    pub head_timeout: Duration,
    /// The most bytes of a path with its query.
    pub url_bytes: usize,
    /// The most bytes of all headers together.
    pub header_bytes: usize,
}

/// So many requests in so long, all at once or evenly.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateConfig {
    /// How many.
    pub requests: NonZeroU32,
    /// In how long.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

/// Where a proxy writes the client's address. Only for a service that nobody can reach but by that proxy: others could write what they like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientAddressConfig {
    /// The header, such as `x-forwarded-for`: addresses joined by commas, each proxy's behind those before it.
    pub header: String,
    /// How many trusted proxies write into it; the client's address is so many from the end.
    #[serde(default = "one")]
    pub proxies: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            reads: None,
            exports: None,
            client_address: None,
            requests_at_once: None,
            exports_at_once: 64,
            exports_at_once_per_caller: None,
            export_stall: Duration::from_secs(60),
            connections: 10_000,
            head_timeout: Duration::from_secs(5),
            url_bytes: 16 * 1024,
            header_bytes: 16 * 1024,
        }
    }
}

impl LimitsConfig {
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault =
            |key: &str, problem: &str| faults.push((key.to_owned(), problem.to_owned()));
        for (key, rate) in [("reads", self.reads), ("exports", self.exports)] {
            let window = rate.map_or(MAX_WINDOW, |rate| rate.window);
            if window.is_zero() || window > MAX_WINDOW {
                fault(
                    &format!("{key}.window"),
                    "must be longer than 0s and at most 24h",
                );
            }
        }
        if let Some(address) = &self.client_address {
            if address
                .header
                .parse::<reqwest::header::HeaderName>()
                .is_err()
            {
                fault("client_address.header", "must be the name of a header");
            }
            if address.proxies == 0 {
                fault("client_address.proxies", "must be at least 1");
            }
        }
        for (key, value) in [
            ("requests_at_once", self.requests_at_once),
            ("exports_at_once", Some(self.exports_at_once)),
            (
                "exports_at_once_per_caller",
                self.exports_at_once_per_caller,
            ),
            ("connections", Some(self.connections)),
        ] {
            if value == Some(0) {
                fault(key, "must be at least 1");
            }
        }
        for (key, value) in [
            ("export_stall", self.export_stall),
            ("head_timeout", self.head_timeout),
        ] {
            if value.is_zero() {
                fault(key, "must be longer than 0s");
            }
        }
        for (key, value) in [
            ("url_bytes", self.url_bytes),
            ("header_bytes", self.header_bytes),
        ] {
            if !(1_024..=MAX_HEAD).contains(&value) {
                fault(key, "must be 1024 to 65536");
            }
        }
        faults
    }
}

fn one() -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_would_let_nothing_through_is_a_fault() {
        for (text, key) in [
            ("reads = { requests = 5, window = '0s' }", "reads.window"),
            (
                "exports = { requests = 5, window = '48h' }",
                "exports.window",
            ),
            ("requests_at_once = 0", "requests_at_once"),
            ("url_bytes = 10", "url_bytes"),
            (
                "client_address = { header = 'a b' }",
                "client_address.header",
            ),
            (
                "client_address = { header = 'x', proxies = 0 }",
                "client_address.proxies",
            ),
        ] {
            let config: LimitsConfig = toml::from_str(text).unwrap();
            assert_eq!(config.faults()[0].0, key, "{text}");
        }
        assert!(LimitsConfig::default().faults().is_empty());
    }
}
