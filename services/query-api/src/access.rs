//! Who may: every request of a route that is guarded has to show what it may do, before anything else is read of it.
//!
//! ```text
//! observe ──► admit: route ──► scope it needs ──► caller by token, or anonymous ──► scope it has ──► handler
//! ```
//!
//! The caller is put into the request's extensions. Nothing of a token is ever logged but its subject.

mod authenticator;
mod keys;
mod refusal;
mod scope;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use service::Problem;

use crate::state::AppState;

pub use authenticator::Authenticator;

pub use scope::{Scope, Scopes};

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The token's subject; `None` for an anonymous caller.
    pub(crate) subject: Option<String>,
    /// What it may do.
    pub(crate) scopes: Scopes,
}

/// Lets a request through to its handler, or refuses it. Wrap it inside of `observe`, which renders the refusal.
pub(crate) async fn admit(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(scope) = needed(&request) else {
        return next.call(request).await;
    };
    match admitted(&request, scope).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await
        }
        Err(problem) => Ok(request.into_response(HttpResponse::from_error(problem))),
    }
}

/// What a request needs; `None` for routes that everybody may ask, and for questions about methods.
fn needed(request: &ServiceRequest) -> Option<Scope> {
    if request.method() == Method::OPTIONS {
        return None;
    }
    Scope::of_route(&request.match_pattern()?)
}

async fn admitted(request: &ServiceRequest, scope: Scope) -> Result<Caller, Problem> {
    let state = request
        .app_data::<web::Data<AppState>>()
        .ok_or_else(|| Problem::internal("the application has no state"))?
        .clone();
    let caller = state.auth.caller(request.headers()).await?;
    match (caller.scopes.has(scope), &caller.subject) {
        (true, _) => Ok(caller),
        (false, Some(_)) => Err(refusal::insufficient_scope(scope)),
        (false, None) => Err(refusal::authentication_required(scope)),
    }
}
