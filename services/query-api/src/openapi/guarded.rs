//! What all guarded routes have in common, said once and put into each of them: the token, and the refusals before a handler is asked.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, Header, Object, OpenApi, Ref, RefOr, Response, ResponseBuilder, Type,
};

use crate::access::Scope;

/// The scheme's name in the document.
const TOKEN: &str = "token";

/// Puts tokens and refusals into every guarded route.
pub(super) fn describe(document: &mut OpenApi) {
    if let Some(components) = &mut document.components {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "A JWT of the configured issuer with `iss`, `aud`, `exp` and `sub`; what it allows stands in `scope` (or `scp`): \
                 `history:read`, `history:export`, `history:admin`. Where the service allows anonymous reads or exports, these need none.",
            ))
            .build();
        components.add_security_scheme(TOKEN, SecurityScheme::Http(scheme));
    }
    for (path, item) in &mut document.paths.paths {
        let Some(scope) = Scope::of_route(path) else {
            continue;
        };
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            guard(operation, scope);
        }
    }
}

fn guard(operation: &mut Operation, scope: Scope) {
    let token = SecurityRequirement::new(TOKEN, [scope.name()]);
    operation.security = Some(match scope {
        Scope::Admin => vec![token],
        // An empty requirement says that there may be none.
        Scope::Read | Scope::Export => vec![SecurityRequirement::default(), token],
    });
    let challenge = || string_header("What is required (RFC 6750)");
    let refusals = [
        (
            "401",
            refusal("`authentication-required`: a token is required; `invalid-token`: the token is refused")
                .header("WWW-Authenticate", challenge()),
        ),
        (
            "403",
            refusal("`insufficient-scope`: the token does not allow this")
                .header("WWW-Authenticate", challenge()),
        ),
        (
            "414",
            refusal("`uri-too-long`: the path with its query is longer than the service takes"),
        ),
        (
            "429",
            refusal(match scope {
                Scope::Export => {
                    "`too-many-exports`, `too-many-exports-at-once`: try again after `Retry-After`"
                }
                Scope::Read | Scope::Admin => "`too-many-reads`: try again after `Retry-After`",
            })
            .header("Retry-After", string_header("Seconds to wait"))
            .header("RateLimit", string_header("What is left: `\"reads\";r=…;t=…`"))
            .header("RateLimit-Policy", string_header("What is allowed: `\"reads\";q=…;w=…`")),
        ),
        (
            "431",
            refusal("`headers-too-large`: the headers are larger than the service takes"),
        ),
    ];
    let responses = &mut operation.responses.responses;
    for (status, response) in refusals {
        responses.insert(status.to_owned(), RefOr::T(response.build()));
    }
    if let Some(RefOr::T(response)) = responses.get_mut("503") {
        more(
            response,
            "`keys-unavailable`: tokens can't be checked now; `overloaded`: there is too much to do",
        );
    }
}

/// Adds to what a response is described by.
fn more(response: &mut Response, words: &str) {
    response.description = format!("{}; {words}", response.description);
}

fn refusal(description: &str) -> ResponseBuilder {
    let body = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", body)
}

fn string_header(description: &str) -> Header {
    let mut header = Header::new(Object::with_type(Type::String));
    header.description = Some(description.to_owned());
    header
}
