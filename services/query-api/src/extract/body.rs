//! Bodies: JSON alone, bounded before it is read.

use std::collections::HashSet;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, web};
use domain::GameId;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use service::Problem;

use super::Refusal;
use crate::problem;

/// The most ids a body names.
const MAX_IDS: usize = 300;
/// The most bytes a body: 300 ids of 100 characters of at most 12 bytes each (`\u` escapes), and what stands between them.
const MAX_BODY: usize = 512 * 1024;
/// A request is told at most this many faults.
const MAX_FAULTS: usize = 20;

/// The body as JSON of this shape.
pub(crate) async fn json_body<T: DeserializeOwned>(
    request: &HttpRequest,
    mut payload: web::Payload,
) -> Result<T, Problem> {
    let header = |name: header::HeaderName| {
        let value = request.headers().get(name);
        value.map(|value| value.to_str().unwrap_or("?").trim())
    };
    let media_type = header(header::CONTENT_TYPE).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(unsupported("the body has to be application/json"));
    }
    // A little of what is compressed may be very much of what is not.
    let plain = |coding: &str| coding.eq_ignore_ascii_case("identity");
    if !header(header::CONTENT_ENCODING).is_none_or(plain) {
        return Err(unsupported("the body must not be compressed"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| problem::invalid_body(error.to_string()))?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(problem::body_too_large(MAX_BODY));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body)
        .map_err(|error| problem::invalid_body(format!("the body can't be read: {error}")))
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "The body's media type is not supported",
    )
    .with_detail(detail)
}

/// The games' ids of a body, 1 to 300, each of which can be one and is given once.
pub(crate) fn ids(texts: &[String]) -> Result<Vec<GameId>, Problem> {
    if !(1..=MAX_IDS).contains(&texts.len()) {
        let detail = format!("must be 1 to {MAX_IDS}, and are {}", texts.len());
        let fault = Refusal::new("out-of-range", detail).of("ids");
        return Err(Problem::invalid_parameters(vec![fault]));
    }
    let (mut ids, mut faults, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (place, text) in texts.iter().enumerate() {
        let refusal = match GameId::parse(text) {
            Ok(_) if !seen.insert(text.as_str()) => Refusal::new("repeated", "must be given once"),
            Ok(id) => {
                ids.push(id);
                continue;
            }
            Err(error) => error.into(),
        };
        faults.push(refusal.of(&format!("ids[{place}]")));
    }
    match faults.is_empty() {
        true => Ok(ids),
        false => {
            faults.truncate(MAX_FAULTS);
            Err(Problem::invalid_parameters(faults))
        }
    }
}
