//! W3C trace context in and out of spans, for HTTP headers and record headers alike.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";

/// Makes `span` a child of the caller's trace. A value that is no `traceparent` is ignored, as the standard asks; without an
/// exporter this does nothing.
pub fn continue_trace(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    if context.span().span_context().is_valid() {
        // Fails only when no exporter is installed, and then there is no trace to continue.
        let _ = span.set_parent(context);
    }
}

/// The `traceparent` of a span, when traces are exported.
#[must_use]
pub fn traceparent(span: &Span) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn traced<R>(body: impl FnOnce() -> R) -> R {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), body)
    }

    #[test]
    fn a_callers_trace_goes_on_in_the_span() {
        traced(|| {
            let span = tracing::info_span!("request");
            continue_trace(&span, CALLER);
            let ours = traceparent(&span).unwrap();
            assert!(
                ours.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
                "{ours}"
            );
            assert_ne!(ours, CALLER);
        });
    }

    #[test]
    fn nonsense_is_ignored() {
        traced(|| {
            for nonsense in [
                "",
                "00-zz-zz-01",
                "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            ] {
                let span = tracing::info_span!("request");
                continue_trace(&span, nonsense);
                assert!(traceparent(&span).is_some(), "{nonsense:?}");
            }
        });
    }
}
