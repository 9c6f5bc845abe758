//! The ingestor's side of Postgres: claim a partition, look games up, commit a batch.
//!
//! One [`IngestSession`] is one database session, and ownership of a partition ends with it: whoever loses the session, or is
//! in doubt about a COMMIT, forgets what it holds and claims again. Nothing here retries, because only the caller knows what
//! to forget. `docs/DELIVERY.md` has the rules and the reasons.
//!
//! ```text
//! claim   ── new token, N, R, live games ────────────────► Claim
//! look_up ── ids ────────────────────────────────────────► directory entries
//! commit  ── checkpoint (token, base) must hit one row ──► directory, games, players, live games, dead letters
//! ```

mod batch;
mod claim;
mod commit;
mod gap;
mod lookup;
mod rows;
mod session;
mod status;

pub use batch::{Batch, Counts, DeadLetter, Finished, LiveSnapshot, RecordCopy, Scope};
pub use claim::{Claim, ClaimRefused, ClaimRequest, ClaimedGame};
pub use commit::{CommitError, Committed};
pub use gap::{AcceptedGap, GapAcceptance, accept_gap};
pub use lookup::DirectoryEntry;
pub use session::IngestSession;
pub use status::{CheckpointStatus, checkpoint_statuses};
