//! What every answer has in common, put on outside of everything else, so that refusals, time-outs and panics have it too.
//!
//! An answer leaves the inner layers as a response, or as an error with a whole response inside. Both are stamped here.

mod coding;
mod cors;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};

use crate::access::Scope;
use crate::config::Config;
use crate::limits::Standing;
use crate::state::AppState;
use coding::Coding;
use cors::{Asked, Cors};

pub(crate) use coding::plain;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What inner layers note for the stamp; in the request's extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Rc<Cell<Option<Standing>>>);

impl Notes {
    /// Notes how the request's caller stands.
    pub(crate) fn standing(&self, standing: Standing) {
        self.0.set(Some(standing));
    }
}

/// What answers have in common by configuration.
#[derive(Debug)]
pub struct Conventions {
    cors: Cors,
    /// Whether an answer may be given to another one than who asked.
    shared: bool,
}

impl Conventions {
    /// The conventions of these settings.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            cors: Cors::new(&config.cors),
            shared: config.auth.anonymous_scopes.contains(&Scope::Read),
        }
    }
}

/// Stamps one answer. Wrap it around everything else.
pub(crate) async fn convey(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let exchange = Exchange::begin(&mut request);
    match next.call(request).await {
        Ok(mut response) => {
            exchange.stamp(response.headers_mut());
            Ok(response.map_into_boxed_body())
        }
        Err(error) => {
            let mut response = error.error_response();
            exchange.stamp(response.headers_mut());
            Err(InternalError::from_response(error.to_string(), response).into())
        }
    }
}

/// What is remembered of a request.
struct Exchange {
    conventions: Option<Arc<Conventions>>,
    notes: Notes,
    coding: Coding,
    asked: Asked,
}

impl Exchange {
    fn begin(request: &mut ServiceRequest) -> Self {
        let notes = Notes::default();
        request.extensions_mut().insert(notes.clone());
        // The pages of the documentation are mounted for GET alone. The body is left out where the request is read.
        if request.method() == Method::HEAD && request.path().starts_with("/docs/") {
            request.head_mut().method = Method::GET;
        }
        let state = request.app_data::<web::Data<AppState>>();
        Self {
            conventions: state.map(|state| state.conventions.clone()),
            notes,
            coding: Coding::settle(request),
            asked: Asked::of(request),
        }
    }

    fn stamp(&self, headers: &mut HeaderMap) {
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        coding::stamp(self.coding, headers);
        if let Some(standing) = self.notes.0.get() {
            rate(&standing, headers);
        }
        if let Some(allow) = headers
            .get(header::ALLOW)
            .and_then(|allow| allow.to_str().ok())
        {
            // Every route can be asked what it takes.
            if let (false, Ok(value)) = (
                allow.contains("OPTIONS"),
                HeaderValue::from_str(&format!("{allow}, OPTIONS")),
            ) {
                headers.insert(header::ALLOW, value);
            }
        }
        let Some(conventions) = &self.conventions else {
            return;
        };
        conventions.cors.stamp(&self.asked, headers);
        vary(conventions.cors.varies(), headers);
        if !conventions.shared {
            private(headers);
        }
    }
}

/// Tells caches by what answers differ.
fn vary(by_origin: bool, headers: &mut HeaderMap) {
    let given = headers.get_all(header::VARY);
    let mut names: Vec<String> = given
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().to_owned())
        // The compressing layer may have said so in its own spelling.
        .filter(|name| !name.eq_ignore_ascii_case("Accept-Encoding"))
        .collect();
    names.push("Accept-Encoding".to_owned());
    if by_origin {
        names.push("Origin".to_owned());
    }
    let mut distinct: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        if !distinct
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&name))
        {
            distinct.push(name);
        }
    }
    if let Ok(value) = HeaderValue::from_str(&distinct.join(", ")) {
        headers.insert(header::VARY, value);
    }
}

/// Where not everybody may read, no cache may answer one by what another was told.
fn private(headers: &mut HeaderMap) {
    let given = headers
        .get(header::CACHE_CONTROL)
        .and_then(|value| value.to_str().ok());
    let open = given.filter(|given| given.starts_with("public"));
    let value = open.map(|given| HeaderValue::from_str(&given.replacen("public", "private", 1)));
    if let Some(Ok(value)) = value {
        headers.insert(header::CACHE_CONTROL, value);
    }
}

/// What a route takes, for who asks by OPTIONS: the router has refused the method, and said which it takes.
pub(crate) fn answer_options(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let allow = response.headers().get(header::ALLOW).cloned();
    match (response.status(), allow) {
        (StatusCode::METHOD_NOT_ALLOWED, Some(allow)) => {
            let answer = HttpResponse::NoContent()
                .insert_header((header::ALLOW, allow))
                .finish();
            response.into_response(answer)
        }
        _ => response,
    }
}

/// The headers of draft-ietf-httpapi-ratelimit-headers.
fn rate(standing: &Standing, headers: &mut HeaderMap) {
    let Standing {
        bucket,
        requests,
        window_s,
        remaining,
        reset_s,
        ..
    } = standing;
    for (name, value) in [
        (
            RATE_LIMIT_POLICY,
            format!("\"{bucket}\";q={requests};w={window_s}"),
        ),
        (
            RATE_LIMIT,
            format!("\"{bucket}\";r={remaining};t={reset_s}"),
        ),
    ] {
        // Names and numbers are always a value.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
