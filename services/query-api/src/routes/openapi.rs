//! `GET /openapi.json`, and `/docs`, which leads to the page that shows it.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

/// The document, made once.
#[derive(Debug, Clone)]
pub(crate) struct Document(pub(crate) web::Bytes);

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenapi",
    tag = "operations",
    responses((status = 200, description = "The OpenAPI 3.1 document of this API", body = Object, content_type = "application/json"))
)]
pub(crate) async fn get(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(document.0.clone())
}

/// Leads `/docs` to `/docs/`.
pub(crate) async fn docs() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}
