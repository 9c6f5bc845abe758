//! Which pages of other origins may read answers in a browser.

use std::time::Duration;

use serde::Deserialize;

/// Which pages of other origins may read answers in a browser. None by default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// Origins such as `https://play.example`, or `*` alone for all. Cookies are never allowed; a token is sent by the page itself.
    pub origins: Vec<String>,
    /// How long a browser may remember what it was told.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
}

impl Default for CorsConfig {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            max_age: Duration::from_secs(60 * 60),
        }
    }
}

impl CorsConfig {
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault = |problem: String| faults.push(("origins".to_owned(), problem));
        for origin in &self.origins {
            if origin == "*" && self.origins.len() > 1 {
                fault("must have `*` alone, or none".to_owned());
            }
            if origin != "*" && !is_origin(origin) {
                fault(format!(
                    "has {origin:?}, which is no origin such as https://play.example"
                ));
            }
        }
        faults
    }
}

/// Whether a text is an origin as browsers send it.
fn is_origin(text: &str) -> bool {
    let url = reqwest::Url::parse(text);
    url.is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_browser_sends_is_a_fault() {
        for (origins, faults) in [
            ("[]", 0),
            ("['*']", 0),
            ("['https://play.example', 'http://localhost:3000']", 0),
            ("['https://play.example/']", 1),
            ("['play.example']", 1),
            ("['null']", 1),
            ("['https://Play.example']", 1),
            ("['*', 'https://play.example']", 1),
        ] {
            let config: CorsConfig = toml::from_str(&format!("origins = {origins}")).unwrap();
            assert_eq!(config.faults().len(), faults, "{origins}");
        }
    }
}
