//! `cargo dx bench`: what the product carries on this machine, measured in one run and told as ratios.
//!
//! Every figure comes from the release profile: a `cargo dx` of the dev profile builds the release binaries and becomes the
//! release one. A bench has a stack of its own, wiped before and taken down after, and expects the machine to itself.

mod archive;
mod databases;
mod ingest;
mod lines;
mod measured;
mod own_stack;
mod plot;
mod publish;
mod read;
mod release;
mod report;
mod table;
mod usage;
mod watch;

use crate::stack::Profile;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// From the log into PostgreSQL: catching up, a steady stream, visibility, CPU, memory, bytes written
    Ingest(ingest::Args),
    /// From PostgreSQL to whoever asks: each route's throughput and latency over 2 million games, against pgbench
    Read(read::Args),
    /// From the log into the archive, and back: records and CPU, bytes stored, memory, reading everything, finding one game
    Archive(archive::Args),
}

/// Measures.
///
/// # Errors
/// The release build fails, a part does not start, or what was measured is not what should have been.
pub(crate) async fn run(profile: &Profile, command: &Command) -> anyhow::Result<()> {
    release::become_release(&profile.root)?;
    match command {
        Command::Ingest(args) => ingest::run(profile, args).await,
        Command::Read(args) => read::run(profile, args).await,
        Command::Archive(args) => Box::pin(archive::run(profile, args)).await,
    }
}
