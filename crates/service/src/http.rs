//! HTTP the way every listener of the project speaks it: one problem type, one middleware that watches every request.

mod observe;
mod problem;

use actix_web::{HttpResponse, Resource, Route, web};

pub use observe::{RequestId, RequestLimits, observe};
pub use problem::{FieldFault, Problem, ProblemBody};

/// A resource that can be read by GET and HEAD; other methods are answered by 405 with `Allow`.
pub fn resource(path: &str, get: Route, head: Route) -> Resource {
    web::resource(path)
        .route(get)
        .route(head)
        .default_service(web::to(|| async {
            Err::<HttpResponse, _>(Problem::method_not_allowed("GET, HEAD"))
        }))
}

/// Answers whatever no route answers.
///
/// # Errors
/// Always: 404 with code `unknown-route`.
pub async fn unknown_route() -> Result<HttpResponse, Problem> {
    Err(Problem::unknown_route())
}

#[cfg(test)]
mod tests;
