//! The job `raw`: every record of the topics into files, each once, provably.
//!
//! ```text
//!   to claim ──► claiming ──► owned ──► to claim       (fenced, another log)
//!      ▲             │           │
//!      └─────────────┘           └────► stopped        (for an operator)
//! ```
//!
//! A partition is claimed by reading where its chain ends; nothing is written for it. While it is owned, records go into an
//! [`OpenBatch`] that a [`PartitionWriter`] closes by bytes, rows, age, files or memory; then its files are put and a manifest is
//! appended to the chain. That append is the commit: whoever loses it forgets what it had and reads the chain again. Neither
//! Kafka's group nor its offsets decide anything.

mod batch;
mod commit;
mod job;
mod memory;
mod owner;
mod partition;
mod policy;
mod progress;

pub use batch::{OpenBatch, Pushed};
pub use commit::{Commit, Outcome, WriterId};
pub use job::{RawJob, run};
pub use memory::MemoryBudget;
pub use owner::{Owner, OwnerEvent, Stop};
pub use partition::{ClosedBatch, PartitionWriter};
pub use policy::{RawPolicy, Rotation};
pub use progress::{PartitionProgress, PartitionsByTopic, Phase, Progress};
