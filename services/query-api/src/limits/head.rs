//! The size of a request's head.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use service::Problem;

/// Refuses a head whose URL or headers are longer than that, in bytes.
pub(super) fn check(
    request: &ServiceRequest,
    url_bytes: usize,
    header_bytes: usize,
) -> Result<(), Problem> {
    let url = request.uri().path_and_query();
    if url.is_some_and(|url| url.as_str().len() > url_bytes) {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "uri-too-long",
            "The URL is too long",
        )
        .with_detail(format!(
            "a path and its query have at most {url_bytes} bytes"
        )));
    }
    // Each stands on a line of its own, as `name: value`.
    let headers = request.headers().iter();
    let bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if bytes > header_bytes {
        return Err(Problem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers-too-large",
            "The headers are too large",
        )
        .with_detail(format!(
            "all headers together have at most {header_bytes} bytes"
        )));
    }
    Ok(())
}
