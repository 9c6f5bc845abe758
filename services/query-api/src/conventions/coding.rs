//! In which content coding an answer goes: gzip or zstd where the client takes one and prefers it to none.
//!
//! What the client may choose is decided here, once, and told to the compressing layer by a tidied `Accept-Encoding`: that layer would answer a
//! client that takes nothing by an error, and knows codings that are not offered.

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;

/// Smaller answers are sent as they are: their packing takes longer than their way.
const SMALLEST: u64 = 1_024;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The coding that the client likes best, and puts nothing else into the request.
    pub(super) fn settle(request: &mut ServiceRequest) -> Self {
        let coding = Self::preferred(request.headers());
        let value = HeaderValue::from_static(coding.name());
        request.headers_mut().insert(header::ACCEPT_ENCODING, value);
        coding
    }

    fn preferred(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT_ENCODING);
        let items: Vec<(String, f32)> = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .filter_map(weighted)
            .collect();
        let weight = |name: &str| {
            let of = |wanted: &str| items.iter().find(|(given, _)| given == wanted);
            of(name).or_else(|| of("*")).map(|(_, weight)| *weight)
        };
        // Without a word about it, no coding is the last resort.
        let plain = items.iter().find(|(name, _)| name == "identity");
        let plain = plain.map_or(0.0, |(_, weight)| *weight);
        [Self::Zstd, Self::Gzip]
            .into_iter()
            .filter_map(|coding| Some((coding, weight(coding.name())?)))
            .filter(|(_, weight)| *weight > 0.0 && *weight >= plain)
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .map_or(Self::Identity, |(coding, _)| coding)
    }
}

/// An item such as `gzip;q=0.5`.
fn weighted(item: &str) -> Option<(String, f32)> {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.trim().strip_prefix("q=");
    let weight = weight.map_or(Some(1.0), |text| text.trim().parse().ok())?;
    let name = name.trim().to_ascii_lowercase();
    (!name.is_empty() && (0.0..=1.0).contains(&weight)).then_some((name, weight))
}

/// Marks what is not to be compressed as coded already: small answers, and streams, whose reader shall have every mark as soon as it is
/// sent and keep it when the stream is cut. Wrap it inside of the compressing layer.
pub(crate) async fn plain(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    let as_it_is = match response.response().body().size() {
        BodySize::Sized(bytes) => bytes < SMALLEST,
        BodySize::None | BodySize::Stream => true,
    };
    if as_it_is {
        let value = HeaderValue::from_static(Coding::Identity.name());
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, value);
    }
    Ok(response)
}

/// Takes the mark away, and makes the tag of an answer that may be coded a weak one: it is the same for all codings.
pub(super) fn stamp(coding: Coding, headers: &mut HeaderMap) {
    let marked = headers.get(header::CONTENT_ENCODING);
    if marked.is_some_and(|value| value == Coding::Identity.name()) {
        headers.remove(header::CONTENT_ENCODING);
    }
    let strong = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let strong = strong.filter(|tag| tag.starts_with('"'));
    if let (Some(tag), true) = (strong, coding != Coding::Identity) {
        // A tag with two letters before it is still a value.
        if let Ok(weak) = HeaderValue::from_str(&format!("W/{tag}")) {
            headers.insert(header::ETAG, weak);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_among_what_is_offered() {
        for (given, expected) in [
            (None, Coding::Identity),
            (Some(""), Coding::Identity),
            (Some("gzip"), Coding::Gzip),
            (Some("GZIP"), Coding::Gzip),
            (Some("gzip, deflate, br, zstd"), Coding::Zstd),
            (Some("gzip;q=0.9, zstd;q=0.8"), Coding::Gzip),
            (Some("gzip;q=0, zstd;q=0"), Coding::Identity),
            (Some("br, deflate"), Coding::Identity),
            (Some("*"), Coding::Zstd),
            (Some("*;q=0"), Coding::Identity),
            (Some("zstd;q=0, *"), Coding::Gzip),
            (Some("identity;q=0"), Coding::Identity),
            (Some("identity, gzip;q=0.5"), Coding::Identity),
            (Some("identity;q=0.5, gzip;q=0.5"), Coding::Gzip),
            (Some("gzip;q=2"), Coding::Identity),
            (Some("gzip;q=x, ,;;"), Coding::Identity),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(given) = given {
                let value = HeaderValue::from_str(given).unwrap();
                headers.insert(header::ACCEPT_ENCODING, value);
            }
            assert_eq!(Coding::preferred(&headers), expected, "{given:?}");
        }
    }
}
