//! The routes in one screen, and what is wrapped around all of them.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, Error, HttpResponse, Resource, Route, web};
use service::http::{RequestLimits, observe, resource, unknown_route};
use service::{HealthState, Problem, health};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::access::admit;
use crate::conventions::{convey, plain};
use crate::routes::openapi::Document;
use crate::routes::{admin, games, openapi, players};
use crate::state::{AppState, Shared};

/// What the application of each worker is built from.
#[derive(Debug, Clone)]
pub struct Routes {
    shared: Shared,
    health: web::Data<HealthState>,
    document: web::Data<Document>,
}

impl Routes {
    /// Routes over what is shared.
    #[must_use]
    pub fn new(shared: Shared, health: HealthState) -> Self {
        // The document is plain data; were it not, an empty one would fail the test that reads it.
        let document = crate::openapi::document().to_json().unwrap_or_default();
        Self {
            shared,
            health: web::Data::new(health),
            document: web::Data::new(Document(document.into())),
        }
    }
}

/// The application of the calling worker.
pub fn app(
    routes: &Routes,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let limits = RequestLimits {
        timeout: routes.shared.request_timeout,
    };
    App::new()
        .app_data(web::Data::new(AppState::of_worker(&routes.shared)))
        .app_data(routes.health.clone())
        .app_data(routes.document.clone())
        .app_data(web::Data::new(limits))
        .wrap(from_fn(admit))
        .wrap(from_fn(observe))
        .wrap(from_fn(plain))
        .wrap(Compress::default())
        .wrap(from_fn(convey))
        .configure(mount)
        .default_service(web::to(unknown_route))
}

fn mount(config: &mut web::ServiceConfig) {
    games(config);
    players(config);
    config
        .service(post_resource(
            "/v1/admin/cache/invalidate",
            web::post().to(admin::cache::invalidate),
        ))
        .service(resource(
            "/openapi.json",
            web::get().to(openapi::get),
            web::head().to(openapi::get),
        ))
        .service(resource(
            "/docs",
            web::get().to(openapi::docs),
            web::head().to(openapi::docs),
        ))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")))
        .configure(health::routes);
}

/// The routes of games. Words come before ids: no game can be asked for that is called `count`, `batch` or `export`.
fn games(config: &mut web::ServiceConfig) {
    config
        .service(resource(
            "/v1/games",
            web::get().to(games::list::list),
            web::head().to(games::list::list),
        ))
        .service(resource(
            "/v1/games/count",
            web::get().to(games::count::count),
            web::head().to(games::count::count),
        ))
        .service(resource(
            "/v1/games/export",
            web::get().to(games::export::export),
            web::head().to(games::export::export),
        ))
        .service(post_resource(
            "/v1/games/batch",
            web::post().to(games::batch::post),
        ))
        .service(resource(
            "/v1/games/{id}",
            web::get().to(games::get::get),
            web::head().to(games::get::get),
        ))
        .service(resource(
            "/v1/games/{id}/moves",
            web::get().to(games::moves::get),
            web::head().to(games::moves::get),
        ));
}

/// A resource that takes POST alone.
fn post_resource(path: &str, post: Route) -> Resource {
    web::resource(path)
        .route(post)
        .default_service(web::to(|| async {
            Err::<HttpResponse, _>(Problem::method_not_allowed("POST"))
        }))
}

fn players(config: &mut web::ServiceConfig) {
    config
        .service(resource(
            "/v1/players/{id}",
            web::get().to(players::get::get),
            web::head().to(players::get::get),
        ))
        .service(resource(
            "/v1/players/{id}/games",
            web::get().to(players::games::list),
            web::head().to(players::games::list),
        ))
        .service(resource(
            "/v1/players/{id}/games/export",
            web::get().to(players::export::export),
            web::head().to(players::export::export),
        ))
        .service(resource(
            "/v1/players/{id}/stats",
            web::get().to(players::stats::get),
            web::head().to(players::stats::get),
        ))
        .service(resource(
            "/v1/players/{id}/rating-history",
            web::get().to(players::ratings::list),
            web::head().to(players::ratings::list),
        ))
        .service(resource(
            "/v1/players/{id}/opponents",
            web::get().to(players::opponents::list),
            web::head().to(players::opponents::list),
        ))
        .service(resource(
            "/v1/players/{a}/vs/{b}",
            web::get().to(players::versus::get),
            web::head().to(players::versus::get),
        ));
}
