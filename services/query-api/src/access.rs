//! Who may: every request of a route that is guarded has to show what it may do, before anything else is read of it.
//!
//! ```text
//! observe ──► admit: size ──► route ──► scope it needs ──► place ──► caller by token, or anonymous ──► rate ──► scope it has ──► handler
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
use actix_web::{Error, HttpMessage as _, web};
use service::Problem;

use crate::conventions::{Notes, answer_options};
use crate::limits::{self, Key};
use crate::state::AppState;

pub use authenticator::Authenticator;

pub use scope::{Scope, Scopes};

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The token's subject; `None` for an anonymous caller.
    pub(crate) subject: Option<String>,
    /// By what limits count it.
    pub(crate) key: Key,
}

/// Lets a request through to its handler, or refuses it. Wrap it inside of `observe`, which renders the refusal.
pub(crate) async fn admit(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<web::Data<AppState>>().cloned() else {
        return Ok(refused(
            request,
            Problem::internal("the application has no state"),
        ));
    };
    if let Err(problem) = state.limits.head(&request) {
        return Ok(refused(request, problem));
    }
    if request.method() == Method::OPTIONS {
        return next.call(request).await.map(answer_options);
    }
    let Some(scope) = needed(&request) else {
        return next.call(request).await;
    };
    // Held until the answer begins; an export has a place of its own for the rest.
    let _place = match state.limits.place() {
        Ok(place) => place,
        Err(problem) => return Ok(refused(request, problem)),
    };
    match admitted(&request, &state, scope).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await
        }
        Err(problem) => Ok(refused(request, problem)),
    }
}

fn refused(request: ServiceRequest, problem: Problem) -> ServiceResponse<BoxBody> {
    // Not `into_response`, which would forget the problem and keep its text alone.
    request.error_response(problem)
}

/// What a request needs; `None` for routes that everybody may ask.
fn needed(request: &ServiceRequest) -> Option<Scope> {
    Scope::of_route(&request.match_pattern()?)
}

async fn admitted(
    request: &ServiceRequest,
    state: &AppState,
    scope: Scope,
) -> Result<Caller, Problem> {
    let identity = match state.auth.identity(request.headers()).await {
        Ok(identity) => identity,
        Err(problem) => {
            // Guessing counts as asking.
            count(request, state, scope, &state.limits.stranger(request))?;
            return Err(problem);
        }
    };
    let key = match &identity.subject {
        Some(subject) => Key::Subject(subject.as_str().into()),
        None => state.limits.stranger(request),
    };
    count(request, state, scope, &key)?;
    match (identity.scopes.has(scope), &identity.subject) {
        (true, _) => Ok(Caller {
            subject: identity.subject,
            key,
        }),
        (false, Some(_)) => Err(refusal::insufficient_scope(scope)),
        (false, None) => Err(refusal::authentication_required(scope)),
    }
}

/// Counts a request, and refuses it when it is one too many.
fn count(
    request: &ServiceRequest,
    state: &AppState,
    scope: Scope,
    key: &Key,
) -> Result<(), Problem> {
    let Some(standing) = state.limits.count(scope, key) else {
        return Ok(());
    };
    if let Some(notes) = request.extensions().get::<Notes>() {
        notes.standing(standing);
    }
    match standing.allowed {
        true => Ok(()),
        false => Err(limits::too_many(&standing)),
    }
}
