//! The OpenAPI document, put together from the routes' own descriptions. A test holds it against the routes that are mounted
//! and against real answers.

mod guarded;
mod texts;

use utoipa::OpenApi;
use utoipa::openapi::{OpenApi as Document, RefOr, Schema};

use crate::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "game-history",
        description = "Every game a platform played, with all its moves; every player's games, page by page.\n\n\
            Times are RFC 3339 in UTC with milliseconds. Ids are opaque. A parameter that is unknown, repeated or impossible is \
            refused with its name. Errors are `application/problem+json` with a stable `code`. Pages are walked by `cursor`. Every answer \
            carries `X-Request-Id`, the caller's where it gave one.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "games", description = "Games with their moves"),
        (name = "players", description = "Players' histories"),
        (name = "operations", description = "For those who run the service"),
    ),
    paths(
        routes::games::list::list,
        routes::games::count::count,
        routes::games::export::export,
        routes::games::batch::post,
        routes::games::get::get,
        routes::games::moves::get,
        routes::players::get::get,
        routes::players::games::list,
        routes::players::export::export,
        routes::players::stats::get,
        routes::players::ratings::list,
        routes::players::opponents::list,
        routes::players::versus::get,
        routes::admin::cache::invalidate,
        routes::health::live,
        routes::health::ready,
        routes::health::metrics,
        routes::openapi::get,
    ),
)]
struct Api;

/// The document.
#[must_use]
pub fn document() -> Document {
    let mut document = Api::openapi();
    // With `fields`, an item of these lists has only the ones that were asked for.
    let schemas = document
        .components
        .iter_mut()
        .flat_map(|components| &mut components.schemas);
    for (name, schema) in schemas {
        if let (true, RefOr::T(Schema::Object(object))) =
            (SELECTABLE.contains(&name.as_str()), schema)
        {
            object.required.clear();
        }
    }
    guarded::describe(&mut document);
    texts::describe(&mut document);
    document
}

/// The schemas of items whose fields `fields` chooses.
const SELECTABLE: [&str; 2] = ["GameSummary", "PlayerGame"];
