//! Which page of a list: `limit` and `cursor`.

use actix_web::HttpRequest;
use service::Problem;
use store::read::Place;
use utoipa::IntoParams;

use super::{Params, Refusal};
use crate::cursor::{CursorKey, Walk};
use crate::problem;

/// Games a page without `limit`.
const DEFAULT_LIMIT: u32 = 50;
/// The most games a page.
const MAX_LIMIT: u32 = 200;

/// The page as the document shows it. Read by [`limit`] and [`cursor`].
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the shape of the query, for the document")]
pub(crate) struct PageParams {
    /// How many games.
    #[param(minimum = 1, maximum = 200, default = 50, example = 50)]
    limit: Option<u32>,
    /// Where to go on: `page.next` of the page before, with the same filters. `limit` may change on the way.
    #[param(min_length = 1, max_length = 1024)]
    cursor: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// How many, at least one.
    pub(crate) limit: u32,
    /// Behind which place, from the start without one.
    pub(crate) after: Option<Place>,
}

/// Takes `limit`.
pub(crate) fn limit(params: &mut Params) -> u32 {
    let read = |text: &str| {
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>()
            .ok()
            .filter(|limit| plain && (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| {
                Refusal::new(
                    "out-of-range",
                    format!("must be a number from 1 to {MAX_LIMIT}"),
                )
            })
    };
    params.take("limit", read).unwrap_or(DEFAULT_LIMIT)
}

/// Takes the text of `cursor`, to be read by [`PageRequest::new`] when the rest of the request is known to be sound.
pub(crate) fn cursor(params: &mut Params) -> Option<String> {
    params.take("cursor", |text| match text {
        "" => Err(Refusal::new(
            "empty",
            "must not be empty; leave it out for the first page",
        )),
        text => Ok(text.to_owned()),
    })
}

impl PageRequest {
    /// The page of this walk.
    pub(crate) fn new(
        limit: u32,
        cursor: Option<&str>,
        key: &CursorKey,
        walk: Walk,
    ) -> Result<Self, Problem> {
        let after = cursor
            .map(|text| key.read(walk, text))
            .transpose()
            .map_err(problem::cursor)?;
        Ok(Self { limit, after })
    }
}

/// The path and query of the page that `cursor` leads to: those of this request with the other cursor.
pub(crate) fn next_page(request: &HttpRequest, cursor: &str) -> String {
    let others = request
        .query_string()
        .split('&')
        .filter(|piece| !piece.is_empty() && piece.split('=').next() != Some("cursor"));
    let mut link = format!("{}?", request.uri().path());
    for piece in others {
        link.push_str(piece);
        link.push('&');
    }
    // A cursor is base64url and needs no encoding.
    link.push_str("cursor=");
    link.push_str(cursor);
    link
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_limit_is_a_number_from_1_to_200() {
        for (query, expected) in [
            ("", Some(50)),
            ("limit=1", Some(1)),
            ("limit=200", Some(200)),
            ("limit=0", None),
            ("limit=201", None),
            ("limit=-1", None),
            ("limit=%2B5", None),
            ("limit=5.0", None),
            ("limit=", None),
            ("limit=99999999999", None),
        ] {
            let request = TestRequest::with_uri(&format!("/?{query}")).to_http_request();
            let mut params = Params::of(&request);
            let read = limit(&mut params);
            let read = params.finish().ok().map(|()| read);
            assert_eq!(read, expected, "{query}");
        }
    }

    #[test]
    fn the_next_page_keeps_the_query_and_changes_the_cursor() {
        let request = TestRequest::with_uri("/v1/players/a%20b/games?mode=x&cursor=old&limit=7")
            .to_http_request();
        assert_eq!(
            next_page(&request, "new"),
            "/v1/players/a%20b/games?mode=x&limit=7&cursor=new"
        );
    }
}
