//! What can go wrong with an archive. Each variant names the object or the setting, none shows a secret.

use std::ops::Deref as _;

/// A failed operation on the archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store's settings can't be used.
    #[error("the store {url} can't be opened: {reason}")]
    Open {
        /// The store's address.
        url: String,
        /// What is wrong, and what would help.
        reason: String,
    },
    /// The store lets an object be created twice.
    #[error(
        "the store {url} does not keep put-if-absent: creating {key} a second time succeeded. Two archivers could both claim the \
         same place in the chain, so it can't be used. A store that honours If-None-Match is needed (AWS S3, MinIO, \
         versitygw, Ceph, R2, a local directory)"
    )]
    NoPutIfAbsent {
        /// The store's address.
        url: String,
        /// The object that was created twice.
        key: String,
    },
    /// A request to the store failed.
    #[error("{operation} {key}: {}", causes(source))]
    Store {
        /// What was being done, such as `writing`.
        operation: &'static str,
        /// The object.
        key: String,
        /// The store's answer.
        source: object_store::Error,
    },
    /// An object that has to be there is not.
    #[error("{key} is not in the store")]
    Missing {
        /// The object.
        key: String,
    },
    /// A file was moved aside because it is not what its link says.
    #[error("{key} is in quarantine: {detail}")]
    Quarantined {
        /// Where it stood.
        key: String,
        /// Why, by whom, and when.
        detail: String,
    },
    /// An object does not hold what it should.
    #[error("{key} is damaged: {detail}")]
    Damaged {
        /// The object.
        key: String,
        /// How it differs.
        detail: String,
    },
    /// An object asks for more memory than a reader gives.
    #[error("{key} asks for too much: {what} is {size}, the limit is {limit}")]
    TooLarge {
        /// The object.
        key: String,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        size: u64,
        /// How large it may be.
        limit: u64,
    },
    /// A name is not one the layout knows.
    #[error("{text:?} is no {kind}: {reason}")]
    Name {
        /// What it should be.
        kind: &'static str,
        /// What it is.
        text: String,
        /// Why not.
        reason: &'static str,
    },
    /// Records can't be put into a file's form.
    #[error("encoding a file: {reason}")]
    Encode {
        /// What the encoder said.
        reason: String,
    },
    /// The log, where it is not archived yet, can't be read.
    #[error("reading the log of partition {partition}: {reason}")]
    Log {
        /// The partition.
        partition: i32,
        /// What is wrong.
        reason: String,
    },
}

impl ArchiveError {
    /// Names a failed request: `.map_err(ArchiveError::store("writing", &key))`.
    pub fn store<'a>(
        operation: &'static str,
        key: &'a dyn std::fmt::Display,
    ) -> impl FnOnce(object_store::Error) -> Self + 'a {
        move |source| match source {
            object_store::Error::NotFound { .. } => Self::Missing {
                key: key.to_string(),
            },
            source => Self::Store {
                operation,
                key: key.to_string(),
                source,
            },
        }
    }

    /// Says that an object is damaged.
    pub fn damaged(key: &dyn std::fmt::Display, detail: impl Into<String>) -> Self {
        Self::Damaged {
            key: key.to_string(),
            detail: detail.into(),
        }
    }

    /// Whether the way to the store failed, or its answer was a refusal that may pass: worth trying again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store { .. } | Self::Log { .. } => true,
            Self::Open { .. }
            | Self::NoPutIfAbsent { .. }
            | Self::Missing { .. }
            | Self::Quarantined { .. }
            | Self::Damaged { .. }
            | Self::TooLarge { .. }
            | Self::Name { .. }
            | Self::Encode { .. } => false,
        }
    }

    /// Whether the store has said no rather than nothing: keys, permissions or the bucket are at fault.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Store { source, .. } => matches!(
                source,
                object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. }
                    | object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. }
            ),
            Self::Missing { .. } | Self::NoPutIfAbsent { .. } | Self::Open { .. } => true,
            _ => false,
        }
    }

    /// Whether the object is named but not there, or there but not what it should be: what a checksum would find.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Quarantined { .. }
                | Self::Damaged { .. }
                | Self::TooLarge { .. }
        )
    }
}

/// An error and its causes in one line, each said once.
fn causes(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(cause_text.deref()) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
