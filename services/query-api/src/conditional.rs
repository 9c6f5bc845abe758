//! Conditional requests: an entity tag over the answer, and 304 for who has it already (RFC 9110).

use std::time::SystemTime;

use actix_web::http::header::{
    self, EntityTag, Header as _, HeaderName, HttpDate, IfModifiedSince, IfNoneMatch, LastModified,
};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;
use service::Problem;
use twox_hash::XxHash3_128;

/// How an answer may be kept.
pub(crate) struct Validity {
    /// Put before the digest in the tag, such as a revision.
    pub(crate) version: String,
    /// The `Cache-Control` of the answer.
    pub(crate) cache_control: &'static str,
    /// When the answer was last changed, where that is known.
    pub(crate) last_modified: Option<DateTime<Utc>>,
    /// More headers, which a 304 carries too.
    pub(crate) headers: Vec<(HeaderName, String)>,
}

/// Answers with the view as JSON, or with 304 when the request shows that its sender has it.
pub(crate) fn json(
    request: &HttpRequest,
    view: &impl Serialize,
    validity: &Validity,
) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(view).map_err(Problem::internal)?;
    let digest = digest(&[&body]);
    Ok(ready(
        request,
        "application/json",
        body.into(),
        &digest,
        validity,
    ))
}

/// Like [`json`], but the tag is that of `basis`: the view without what changes at every look.
pub(crate) fn json_by(
    request: &HttpRequest,
    view: &impl Serialize,
    basis: &impl Serialize,
    validity: &Validity,
) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(view).map_err(Problem::internal)?;
    let digest = digest(&[&serde_json::to_vec(basis).map_err(Problem::internal)?]);
    Ok(ready(
        request,
        "application/json",
        body.into(),
        &digest,
        validity,
    ))
}

/// Like [`json`], for a text of another media type.
pub(crate) fn text(
    request: &HttpRequest,
    media_type: &'static str,
    body: String,
    validity: &Validity,
) -> HttpResponse {
    let digest = digest(&[body.as_bytes()]);
    ready(request, media_type, body.into(), &digest, validity)
}

/// The digest of an answer, as its tag has it, over the parts of it one after the other. It tells editions of an answer apart; it
/// guards nothing, so that it need not withstand whoever would make two answers look alike.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut digest = XxHash3_128::new();
    for part in parts {
        digest.write(part);
    }
    format!("{:032x}", digest.finish_128())
}

/// Like [`json`], for an answer that is made already, with its digest.
pub(crate) fn ready(
    request: &HttpRequest,
    media_type: &'static str,
    body: Bytes,
    digest: &str,
    validity: &Validity,
) -> HttpResponse {
    let tag = EntityTag::new_strong(format!("{}-{digest}", validity.version));
    let modified = validity.last_modified.map(whole_second);
    let known = is_known(request, &tag, modified);
    let mut response = match known {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((header::ETAG, tag.to_string()))
        .insert_header((header::CACHE_CONTROL, validity.cache_control));
    if let Some(modified) = modified {
        response.insert_header(LastModified(modified));
    }
    for (name, value) in &validity.headers {
        response.insert_header((name.clone(), value.as_str()));
    }
    match known {
        true => response.finish(),
        false => response.content_type(media_type).body(body),
    }
}

/// The time as HTTP writes it: without fractions, which a client could not send back.
fn whole_second(time: DateTime<Utc>) -> HttpDate {
    HttpDate::from(SystemTime::from(time.trunc_subsecs(0)))
}

/// Whether the request shows that its sender has this answer. A tag decides alone where one is given.
fn is_known(request: &HttpRequest, tag: &EntityTag, modified: Option<HttpDate>) -> bool {
    if request.headers().contains_key(header::IF_NONE_MATCH) {
        return match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(items)) => items.iter().any(|item| item.weak_eq(tag)),
            Err(_) => false,
        };
    }
    match (modified, IfModifiedSince::parse(request)) {
        (Some(modified), Ok(IfModifiedSince(since))) => modified <= since,
        _ => false,
    }
}
