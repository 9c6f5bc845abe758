//! The archive in object storage: every record of a topic for ever, and the proof that none is missing or doubled.
//!
//! ```text
//! raw/topic=…/region=…/dt=…/hour=…/{partition}-{start}-{end}-{log}-{writer}-{attempt}.parquet    what was said
//! _manifests/topic=…/{topic_id}/{partition}/{seq}.json                                     what counts
//! ```
//!
//! A file counts when a manifest names it. The manifests of a partition are a [`Chain`]: each begins where the last one ended
//! and carries its hash, and a place in the chain can be taken once, because a store is used only if it refuses to create an
//! object that exists ([`ArchiveStore::probe`]). That one property is the whole of the coordination: no lock, no leader, no
//! clock. `docs/ARCHIVE.md` is the layout as a contract.
//!
//! Nothing here knows Kafka or PostgreSQL.

pub mod chain;
pub mod columns;
pub mod compaction;
mod error;
pub mod expiry;
pub mod files;
pub mod keys;
pub mod log;
pub mod manifest;
pub mod quarantine;
pub mod record;
pub mod settings;
pub mod store;
pub mod summaries;
#[cfg(test)]
mod testing;
pub mod verify;

pub use chain::{Appended, Chain, Head, Link};
pub use error::ArchiveError;
pub use files::{EncodedFile, FileFormat, FileOptions, FileReader, FileWriter, ReadLimits};
pub use keys::{ChainId, ObjectKey, RawFileName, RawFolder, Region, TopicId, TopicName};
pub use log::{LogReader, LogTail, NoTail, Stretch};
pub use manifest::{FileEntry, Gap, Manifest, Sha256};
pub use record::{Header, Record, RecordBuffer};
pub use settings::StoreSettings;
pub use store::{ArchiveStore, Created};

/// What this crate returns.
pub type Result<T, E = ArchiveError> = std::result::Result<T, E>;
