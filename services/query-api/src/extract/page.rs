//! Which page of a list: `limit`, `cursor` and `until_id`; and the links to its neighbours.

use actix_web::HttpRequest;
use domain::GameId;
use service::Problem;
use store::read::Edge;

use super::{Params, Refusal, number};
use crate::cursor::{CursorKey, Walk};
use crate::problem;

/// Games a page without `limit`.
const DEFAULT_LIMIT: u32 = 50;
/// The most games a page.
const MAX_LIMIT: i64 = 200;

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// How many, at least one.
    pub(crate) limit: u32,
    /// Where it begins; at the list's own beginning without one.
    pub(crate) from: Option<Edge>,
}

/// Takes `limit`.
pub(crate) fn limit(params: &mut Params) -> u32 {
    let limit = params.take("limit", |text| number(text, 1, MAX_LIMIT));
    limit.map_or(DEFAULT_LIMIT, |limit| {
        u32::try_from(limit).unwrap_or(DEFAULT_LIMIT)
    })
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

/// Takes `until_id`.
pub(crate) fn until_id(params: &mut Params) -> Option<GameId> {
    params.take("until_id", |text| Ok(GameId::parse(text)?))
}

impl PageRequest {
    /// The page of this walk.
    pub(crate) fn new(
        limit: u32,
        cursor: Option<&str>,
        key: &CursorKey,
        walk: Walk,
    ) -> Result<Self, Problem> {
        let from = cursor
            .map(|text| key.read(walk, text))
            .transpose()
            .map_err(problem::cursor)?;
        Ok(Self { limit, from })
    }
}

/// The `Link` header of a page with these neighbours: `<…>; rel="next", <…>; rel="prev"`. `None` where it has none.
pub(crate) fn links(
    request: &HttpRequest,
    next: Option<&str>,
    prev: Option<&str>,
) -> Option<String> {
    let link = |cursor: &str, rel: &str| format!("<{}>; rel=\"{rel}\"", page_at(request, cursor));
    let links: Vec<String> = [(next, "next"), (prev, "prev")]
        .into_iter()
        .filter_map(|(cursor, rel)| cursor.map(|cursor| link(cursor, rel)))
        .collect();
    (!links.is_empty()).then(|| links.join(", "))
}

/// The path and query of the page that `cursor` leads to: those of this request with the other cursor.
fn page_at(request: &HttpRequest, cursor: &str) -> String {
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
    fn links_keep_the_query_and_change_the_cursor() {
        let request = TestRequest::with_uri("/v1/players/a%20b/games?mode=x&cursor=old&limit=7")
            .to_http_request();
        assert_eq!(
            links(&request, Some("new"), Some("back")).unwrap(),
            "</v1/players/a%20b/games?mode=x&limit=7&cursor=new>; rel=\"next\", \
             </v1/players/a%20b/games?mode=x&limit=7&cursor=back>; rel=\"prev\""
        );
        assert_eq!(links(&request, None, None), None);
    }
}
