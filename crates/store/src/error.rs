//! What can go wrong between a service and its database. Each variant names the operation that failed; none shows a password.

use std::time::Duration;

use diesel::result::DatabaseErrorKind;

/// A failed operation on the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL can't be read. Its text is kept out of the message on purpose.
    #[error(
        "the database URL can't be read; expected postgres://user:password@host:port/database, with special characters percent-encoded"
    )]
    Url,
    /// The certificates to verify the server by can't be had.
    #[error("loading certificates to verify the database server: {reason}")]
    Certificates {
        /// What was wrong with them.
        reason: String,
    },
    /// No connection could be made, or the server refused it.
    #[error("connecting to PostgreSQL at {target}: {source}")]
    Connect {
        /// Hosts, ports, database and user.
        target: String,
        /// The driver's account, with its causes in one line.
        source: ConnectFailure,
    },
    /// Every pooled connection was in use for as long as a caller may wait.
    #[error("waiting for a free database connection: none within {waited:?}")]
    PoolExhausted {
        /// How long was waited.
        waited: Duration,
    },
    /// A migration failed. Those before it stay applied.
    #[error("migrating the schema: {reason}")]
    Migrate {
        /// What the migration said.
        reason: String,
    },
    /// A statement failed.
    #[error("{operation}: {source}")]
    Query {
        /// What was being done, such as `reading a game`.
        operation: &'static str,
        /// The database's answer.
        source: diesel::result::Error,
    },
    /// A stored value is not what this build writes.
    #[error("{operation}: stored value is damaged: {detail}")]
    Damaged {
        /// What was being done.
        operation: &'static str,
        /// Which value, and how.
        detail: String,
    },
}

/// Why a connection could not be made: the driver's message and its causes, joined.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConnectFailure(pub(crate) String);

impl StoreError {
    /// Gives a failed statement the name of what was being done: `.map_err(StoreError::query("reading a game"))`.
    pub fn query(operation: &'static str) -> impl Fn(diesel::result::Error) -> Self {
        move |source| Self::Query { operation, source }
    }

    /// Whether the way to the database failed rather than what was asked of it: worth trying again on a new connection.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::PoolExhausted { .. } => true,
            Self::Query { source, .. } => is_connection_error(source),
            Self::Url | Self::Certificates { .. } | Self::Migrate { .. } | Self::Damaged { .. } => {
                false
            }
        }
    }
}

fn is_connection_error(error: &diesel::result::Error) -> bool {
    use diesel::result::Error;
    match error {
        Error::BrokenTransactionManager => true,
        Error::DatabaseError(kind, info) => match kind {
            DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => true,
            // A server that shuts down or cuts a session answers the running statement with SQLSTATE 57P0x, which reaches us
            // as text only.
            DatabaseErrorKind::Unknown => info.message().starts_with("terminating connection"),
            _ => false,
        },
        _ => false,
    }
}

/// The message of an error followed by those of its causes, leaving out what a message repeats.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query_error(kind: DatabaseErrorKind, message: &str) -> StoreError {
        StoreError::query("reading a game")(diesel::result::Error::DatabaseError(
            kind,
            Box::new(message.to_owned()),
        ))
    }

    #[test]
    fn a_lost_session_is_a_connection_error_and_a_refused_statement_is_not() {
        use DatabaseErrorKind::{UnableToSendCommand, UniqueViolation, Unknown};
        assert!(query_error(UnableToSendCommand, "connection closed").is_connection());
        assert!(
            query_error(
                Unknown,
                "terminating connection due to administrator command"
            )
            .is_connection()
        );
        assert!(!query_error(Unknown, "relation \"games\" does not exist").is_connection());
        assert!(!query_error(UniqueViolation, "duplicate key").is_connection());
    }

    #[test]
    fn the_message_names_the_operation() {
        let error = query_error(DatabaseErrorKind::Unknown, "out of disk");
        assert_eq!(error.to_string(), "reading a game: out of disk");
    }
}
