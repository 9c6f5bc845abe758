//! For those who run the service, by the scope `history:admin`. What is done here is noted down in the log, with who did it.

pub(crate) mod cache;

use actix_web::{HttpMessage as _, HttpRequest};

use crate::access::Caller;

/// Notes down what was done, and who did it. The log's line stands in the request's span, which has its id.
fn audited(request: &HttpRequest, action: &'static str, detail: &str) {
    let extensions = request.extensions();
    let subject = extensions
        .get::<Caller>()
        .and_then(|caller| caller.subject.as_deref());
    let address = request.peer_addr().map(|peer| peer.ip().to_string());
    tracing::info!(
        target: "audit",
        {
            audit.action = action,
            audit.subject = subject.unwrap_or("unknown"),
            audit.address = address.unwrap_or_default(),
            audit.detail = detail,
        },
        "an operator acted"
    );
    metrics::counter!("admin_actions_total", "action" => action).increment(1);
}
