//! The routes in one screen, and what is wrapped around all of them.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};
use service::http::{RequestLimits, observe, resource, unknown_route};
use service::{HealthState, health};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::routes::openapi::Document;
use crate::routes::{games, openapi, players};
use crate::state::AppState;

/// What the application is built from, once a worker.
#[derive(Debug, Clone)]
pub struct Routes {
    state: web::Data<AppState>,
    health: web::Data<HealthState>,
    document: web::Data<Document>,
}

impl Routes {
    /// Routes over this state.
    #[must_use]
    pub fn new(state: AppState, health: HealthState) -> Self {
        // The document is plain data; were it not, an empty one would fail the test that reads it.
        let document = crate::openapi::document().to_json().unwrap_or_default();
        Self {
            state: web::Data::new(state),
            health: web::Data::new(health),
            document: web::Data::new(Document(document.into())),
        }
    }
}

/// The application of one worker.
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
        timeout: routes.state.request_timeout,
    };
    App::new()
        .app_data(routes.state.clone())
        .app_data(routes.health.clone())
        .app_data(routes.document.clone())
        .app_data(web::Data::new(limits))
        .wrap(from_fn(observe))
        .configure(mount)
        .default_service(web::to(unknown_route))
}

fn mount(config: &mut web::ServiceConfig) {
    config
        .service(resource(
            "/v1/games/{id}",
            web::get().to(games::get::get),
            web::head().to(games::get::get),
        ))
        .service(resource(
            "/v1/players/{id}/games",
            web::get().to(players::games::list),
            web::head().to(players::games::list),
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
