//! The one middleware: gives every request an id and a span, bounds its time, catches panics, turns every failure into
//! problem+json, logs a 5xx once, and measures.
//!
//! Per request and without shared state. It must not keep a clone of the request while the application routes it: actix
//! changes the request in place and would panic. What is needed afterwards is copied out before.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures::FutureExt as _;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::Problem;

/// Header in which a request's id comes and goes.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header in which a W3C trace comes and goes.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Paths longer than this are not repeated in a problem.
const MAX_INSTANCE: usize = 512;

/// Limits of every request; put them into the application's data.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
        }
    }
}

/// The request's id: the caller's `X-Request-Id` where that is plain and short, else a new one. In the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    fn of(request: &ServiceRequest) -> Self {
        let given = request.headers().get(&X_REQUEST_ID);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b);
        let given = given
            .and_then(|value| value.to_str().ok())
            .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(plain));
        Self(given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned))
    }
}

/// What is remembered of a request.
struct Observation {
    id: RequestId,
    method: &'static str,
    route: String,
    instance: Option<String>,
    started: Instant,
    span: Span,
    /// The caller's trace.
    traceparent: Option<String>,
}

/// Watches one request. Wrap it around the application: `App::new().wrap(from_fn(observe))`.
///
/// # Errors
/// Never one without a complete response inside.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let limits = request
        .app_data::<web::Data<RequestLimits>>()
        .map_or_else(RequestLimits::default, |limits| ***limits);
    let observation = Observation::begin(&request);
    let span = observation.span.clone();
    let answer = AssertUnwindSafe(next.call(request)).catch_unwind();
    let outcome = tokio::time::timeout(limits.timeout, answer)
        .instrument(span.clone())
        .await;
    span.in_scope(|| match outcome {
        Ok(Ok(Ok(response))) => Ok(observation.finish(response)),
        Ok(Ok(Err(error))) => Err(observation.fail(&Problem::of_error(&error))),
        Ok(Err(panic)) => Err(observation.fail(&Problem::internal(panic_message(&*panic)))),
        Err(_) => Err(observation.fail(&Problem::timeout(limits.timeout))),
    })
}

impl Observation {
    fn begin(request: &ServiceRequest) -> Self {
        let id = RequestId::of(request);
        request.extensions_mut().insert(id.clone());
        let method = method_name(request.method());
        let route = request
            .match_pattern()
            .unwrap_or_else(|| "unknown".to_owned());
        let span = tracing::info_span!(
            "http.request",
            request.id = %id.0,
            http.method = method,
            http.route = %route,
        );
        let traceparent = request.headers().get(&TRACEPARENT);
        let traceparent = traceparent.and_then(|value| value.to_str().ok());
        let traceparent = traceparent.filter(|text| is_trace(text)).map(str::to_owned);
        if let Some(traceparent) = &traceparent {
            telemetry::continue_trace(&span, traceparent);
        }
        let path = request.uri().path();
        Self {
            id,
            method,
            route,
            instance: (path.len() <= MAX_INSTANCE).then(|| path.to_owned()),
            started: Instant::now(),
            span,
            traceparent,
        }
    }

    /// A response that exists: a failure becomes a problem, the rest passes.
    fn finish<B: MessageBody + 'static>(self, response: ServiceResponse<B>) -> ServiceResponse {
        let mut response = match problem_of(&response) {
            Some(problem) => {
                let rendered = self.render(&problem);
                response.into_response(rendered)
            }
            None => response.map_into_boxed_body(),
        };
        self.stamp(response.headers_mut());
        self.measure(response.status());
        response
    }

    /// A response there is none of: an error that carries the whole response.
    fn fail(self, problem: &Problem) -> Error {
        let mut response = self.render(problem);
        self.stamp(response.headers_mut());
        self.measure(problem.status());
        InternalError::from_response(problem.to_string(), response).into()
    }

    fn render(&self, problem: &Problem) -> HttpResponse {
        let status = problem.status().as_u16();
        if problem.status().is_server_error() {
            let cause = problem.cause().unwrap_or("unknown");
            tracing::error!(status, code = problem.code(), cause, "request failed");
        } else {
            tracing::debug!(status, code = problem.code(), "request refused");
        }
        problem.response(Some(self.id.0.clone()), self.instance.clone())
    }

    fn stamp(&self, headers: &mut header::HeaderMap) {
        // A request id holds visible ASCII only.
        if let Ok(value) = HeaderValue::from_str(&self.id.0) {
            headers.insert(X_REQUEST_ID, value);
        }
        // This request's own span, or, where none is exported, the caller's again.
        let own = telemetry::traceparent(&self.span);
        let trace = own.or_else(|| self.traceparent.clone());
        if let Some(Ok(value)) = trace.map(|trace| HeaderValue::from_str(&trace)) {
            headers.insert(TRACEPARENT, value);
        }
    }

    fn measure(self, status: StatusCode) {
        metrics::histogram!(
            "http_request_duration_seconds",
            "method" => self.method,
            "route" => self.route,
            "status" => status.as_u16().to_string(),
        )
        .record(self.started.elapsed().as_secs_f64());
    }
}

/// The problem a response stands for; `None` when it is no failure, or says itself in JSON what it is.
fn problem_of<B>(response: &ServiceResponse<B>) -> Option<Problem> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    if let Some(error) = response.response().error() {
        return Some(Problem::of_error(error));
    }
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let says_itself = content_type.is_some_and(|value| value.as_bytes().ends_with(b"json"));
    (!says_itself).then(|| Problem::of_status(status, None))
}

/// Whether a text is a `traceparent` of version 00: `00-<trace>-<span>-<flags>` in lower-case hexadecimal digits, neither id zero.
fn is_trace(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2]
        && parts[0] == "00"
        && parts.iter().all(|part| hex(part))
        && !zero(parts[1])
        && !zero(parts[2])
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a message"))
}

/// The method's name for metrics: whatever a client makes up counts as one.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
