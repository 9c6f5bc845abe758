//! Errors over HTTP: `application/problem+json` by RFC 9457, with a stable code.
//!
//! A [`Problem`] is made where something fails and becomes a response in [`super::observe()`], which knows the request. What
//! caused a 5xx is for the log; its body says nothing of it.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

/// A failure as its receiver shall see it.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Option<String>,
    errors: Vec<FieldFault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// The parameter at fault, as it is named in the path or the query.
    #[schema(example = "limit")]
    pub parameter: String,
    /// What kind of fault.
    #[schema(example = "out-of-range")]
    pub code: &'static str,
    /// The fault in words.
    #[schema(example = "must be between 1 and 200")]
    pub detail: String,
}

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Names the kind of problem: `urn:game-history:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:game-history:problem:invalid-parameter")]
    pub kind: String,
    /// The kind of problem in words.
    #[schema(example = "A parameter is invalid")]
    pub title: &'static str,
    /// The status, again.
    #[schema(example = 400)]
    pub status: u16,
    /// This occurrence in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "limit must be between 1 and 200")]
    pub detail: Option<String>,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/players/magnus/games")]
    pub instance: Option<String>,
    /// Names the kind of problem for programs; never changes.
    #[schema(example = "invalid-parameter")]
    pub code: &'static str,
    /// The request, as the log names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0197d2b0-6a3e-7cc0-8f5e-0a1b2c3d4e5f")]
    pub request_id: Option<String>,
    /// Every parameter at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFault>,
}

impl Problem {
    /// A problem of this status, code and title.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            title,
            detail: None,
            errors: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// Says what happened this time.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        self.with_header(header::RETRY_AFTER, seconds)
    }

    /// Says what caused it, for the log only.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// 400: parameters are at fault.
    #[must_use]
    pub fn invalid_parameters(errors: Vec<FieldFault>) -> Self {
        let detail = errors
            .iter()
            .map(|fault| format!("{} {}", fault.parameter, fault.detail))
            .collect::<Vec<_>>()
            .join("; ");
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-parameter",
            "A parameter is invalid",
        )
        .with_detail(detail)
        .with_errors(errors)
    }

    /// Adds the parameters at fault.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldFault>) -> Self {
        self.0.errors = errors;
        self
    }

    /// 404: there is no such route.
    #[must_use]
    pub fn unknown_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-route",
            "There is no such route",
        )
    }

    /// 405: the route does not take this method.
    #[must_use]
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The route does not take this method",
        )
        .with_detail(format!("it takes {allow}"))
        .with_header(header::ALLOW, HeaderValue::from_static(allow))
    }

    /// 500: something that should not happen; `cause` goes to the log.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The server failed",
        )
        .with_cause(cause)
    }

    /// 503: something this needs does not answer; `cause` goes to the log.
    #[must_use]
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The service can't answer now",
        )
        .with_retry_after(Duration::from_secs(2))
        .with_cause(cause)
    }

    /// 503: the answer took longer than the server waits.
    #[must_use]
    pub fn timeout(limit: Duration) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            "The answer took too long",
        )
        .with_retry_after(Duration::from_secs(2))
        .with_cause(format!("no answer within {limit:?}"))
    }

    /// What to tell of an error that is not ours, such as one of the framework's.
    pub(super) fn of_error(error: &actix_web::Error) -> Self {
        match error.as_error::<Self>() {
            Some(problem) => problem.clone(),
            None => Self::of_status(error.as_response_error().status_code(), Some(error)),
        }
    }

    pub(super) fn of_status(status: StatusCode, error: Option<&dyn fmt::Display>) -> Self {
        let (code, title) = match status {
            StatusCode::NOT_FOUND => return Self::unknown_route(),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method-not-allowed", "The route does not take this method")
            }
            StatusCode::REQUEST_TIMEOUT => {
                ("request-timeout", "The request took too long to arrive")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("payload-too-large", "The request is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (
                "unsupported-media-type",
                "The body's media type is not supported",
            ),
            StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "The service can't answer now"),
            other if other.is_client_error() => ("bad-request", "The request can't be understood"),
            _ => ("internal", "The server failed"),
        };
        let problem = Self::new(status, code, title);
        match error {
            Some(error) if status.is_client_error() => problem.with_detail(error.to_string()),
            Some(error) => problem.with_cause(error),
            None => problem,
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The parameters at fault.
    #[must_use]
    pub fn errors(&self) -> &[FieldFault] {
        &self.0.errors
    }

    /// What caused it, for the log.
    pub(super) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The response, for the request of this id and path.
    pub(super) fn response(
        &self,
        request_id: Option<String>,
        instance: Option<String>,
    ) -> HttpResponse {
        let body = ProblemBody {
            kind: format!("urn:game-history:problem:{}", self.0.code),
            title: self.0.title,
            status: self.0.status.as_u16(),
            detail: self.0.detail.clone(),
            instance,
            code: self.0.code,
            request_id,
            errors: self.0.errors.clone(),
        };
        let mut response = HttpResponse::build(self.0.status);
        for (name, value) in &self.0.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {}",
            self.0.status.as_u16(),
            self.0.code,
            self.0.title
        )?;
        match self.0.detail.as_deref().or(self.cause()) {
            Some(more) => write!(f, ": {more}"),
            None => Ok(()),
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None, None)
    }
}
