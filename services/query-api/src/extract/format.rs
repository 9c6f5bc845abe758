//! In which form an answer shall be: `format`, or what `Accept` prefers.

use actix_web::HttpRequest;
use actix_web::http::header;

use super::filter::boolean;
use super::{Params, Refusal};

/// The forms of a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GameFormat {
    Json,
    Pgn,
}

/// The forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    Ndjson,
    Pgn,
    Csv,
}

impl ExportFormat {
    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Pgn => "application/x-chess-pgn",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// The ending of its files' names.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Pgn => "pgn",
            Self::Csv => "csv",
        }
    }
}

/// Takes `format` of one game.
pub(crate) fn game_format(params: &mut Params, request: &HttpRequest) -> GameFormat {
    let forms = [
        ("json", "application/json", GameFormat::Json),
        ("pgn", "application/x-chess-pgn", GameFormat::Pgn),
    ];
    choose(params, request, &forms)
}

/// Takes `format` of an export.
pub(crate) fn export_format(params: &mut Params, request: &HttpRequest) -> ExportFormat {
    let forms = [
        ("ndjson", "application/x-ndjson", ExportFormat::Ndjson),
        ("pgn", "application/x-chess-pgn", ExportFormat::Pgn),
        ("csv", "text/csv", ExportFormat::Csv),
    ];
    choose(params, request, &forms)
}

/// Takes `marks`.
pub(crate) fn marks(params: &mut Params) -> bool {
    params.take("marks", boolean).unwrap_or(true)
}

/// What `format` names, else what `Accept` likes best, else the first.
fn choose<F: Copy, const N: usize>(
    params: &mut Params,
    request: &HttpRequest,
    forms: &[(&str, &str, F); N],
) -> F {
    let read = |text: &str| {
        let named = forms.iter().find(|(name, ..)| *name == text);
        named.map(|(.., form)| *form).ok_or_else(|| {
            let names: Vec<&str> = forms.iter().map(|(name, ..)| *name).collect();
            Refusal::new("malformed", format!("must be one of {}", names.join(", ")))
        })
    };
    params
        .take("format", read)
        .or_else(|| preferred(request, forms))
        .unwrap_or(forms[0].2)
}

/// The form that `Accept` names with the highest weight; an earlier one of the same weight wins. Wildcards name none.
fn preferred<F: Copy>(request: &HttpRequest, forms: &[(&str, &str, F)]) -> Option<F> {
    let accept = request.headers().get(header::ACCEPT)?.to_str().ok()?;
    let mut best: Option<(f32, F)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
        let named = forms
            .iter()
            .find(|(_, known, _)| known.eq_ignore_ascii_case(media_type));
        if let Some((.., form)) = named
            && weight > best.map_or(0.0, |(best, _)| best)
        {
            best = Some((weight, *form));
        }
    }
    best.map(|(_, form)| form)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn format_decides_before_accept_and_accept_by_its_weights() {
        for (query, accept, expected) in [
            ("", "", Some(GameFormat::Json)),
            ("", "*/*", Some(GameFormat::Json)),
            ("", "text/html", Some(GameFormat::Json)),
            ("", "application/x-chess-pgn", Some(GameFormat::Pgn)),
            (
                "",
                "application/json;q=0.5, application/x-chess-pgn",
                Some(GameFormat::Pgn),
            ),
            (
                "",
                "application/x-chess-pgn;q=0.1, application/json",
                Some(GameFormat::Json),
            ),
            (
                "",
                "application/x-chess-pgn;q=0, */*",
                Some(GameFormat::Json),
            ),
            ("format=pgn", "application/json", Some(GameFormat::Pgn)),
            (
                "format=json",
                "application/x-chess-pgn",
                Some(GameFormat::Json),
            ),
            ("format=PGN", "", None),
        ] {
            let request = TestRequest::with_uri(&format!("/?{query}"))
                .insert_header(("accept", accept))
                .to_http_request();
            let mut params = Params::of(&request);
            let format = game_format(&mut params, &request);
            let format = params.finish().ok().map(|()| format);
            assert_eq!(format, expected, "{query} {accept}");
        }
    }
}
