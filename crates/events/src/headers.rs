//! Record headers: what a consumer may want to know without parsing a body.

/// The event's type, as in the envelope.
pub const EVENT_TYPE: &str = "event_type";
/// The event's id, as in the envelope.
pub const EVENT_ID: &str = "event_id";
/// The schema version, in decimal.
pub const SCHEMA_VERSION: &str = "schema_version";
/// The region, where the envelope has one.
pub const REGION: &str = "region";
/// The W3C trace context of the producer's span.
pub const TRACEPARENT: &str = "traceparent";
