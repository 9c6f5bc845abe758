//! Cross-origin requests (the Fetch standard): which pages may read an answer, and what of it.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::config::CorsConfig;

/// What a page may send besides what every page may.
const SENT: &str = "authorization, content-type, if-none-match, if-modified-since, x-request-id, traceparent, tracestate";
/// What a page may read besides what every page may.
const READ: &str = "etag, link, retry-after, ratelimit, ratelimit-policy, x-request-id, x-projection-lag-ms, x-data-source, \
    traceparent, content-disposition, www-authenticate, vary";
const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// Which origins may read.
#[derive(Debug, Clone)]
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
    all: bool,
    max_age: HeaderValue,
}

/// What a request is to the rules.
#[derive(Debug, Default)]
pub(super) struct Asked {
    origin: Option<HeaderValue>,
    preflight: bool,
}

impl Asked {
    pub(super) fn of(request: &ServiceRequest) -> Self {
        let headers = request.headers();
        Self {
            origin: headers.get(header::ORIGIN).cloned(),
            preflight: request.method() == Method::OPTIONS
                && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        }
    }
}

impl Cors {
    pub(crate) fn new(config: &CorsConfig) -> Self {
        let origins = config.origins.iter();
        Self {
            // The configuration's check takes origins alone, which are values.
            origins: origins
                .filter_map(|o| HeaderValue::from_str(o).ok())
                .collect(),
            all: config.origins.iter().any(|origin| origin == "*"),
            max_age: HeaderValue::from(config.max_age.as_secs()),
        }
    }

    /// Whether answers differ by who asks.
    pub(super) fn varies(&self) -> bool {
        !self.all && !self.origins.is_empty()
    }

    pub(super) fn stamp(&self, asked: &Asked, headers: &mut HeaderMap) {
        let allowed = match &asked.origin {
            Some(_) if self.all => HeaderValue::from_static("*"),
            Some(origin) if self.origins.contains(origin) => origin.clone(),
            _ => return,
        };
        let mut put = |name: HeaderName, value: HeaderValue| headers.insert(name, value);
        put(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if asked.preflight {
            put(
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(METHODS),
            );
            put(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(SENT),
            );
            put(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        } else {
            put(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(READ),
            );
        }
    }
}
