//! The job `summaries`: every closed day's finished games and player rows, from PostgreSQL to Parquet.
//!
//! A pass looks which days are closed, which of them were written to since the last pass, and now and then at all of them; a day whose
//! state in the database is another than its newest revision was made from is written again, whole, in one snapshot. Games that ended
//! below the retention floor, where no table is any more, are merged into their day's newest revision.
//!
//! Several archivers may have the job switched on: a database lock lets one work at a time, and if that fails them the archive lets
//! one publish a revision. A pass that fails is told and tried again; nothing it left behind counts.

mod config;
mod day;
mod error;
mod merge;
mod pass;
mod rows;

use std::time::Duration;

use archive::ArchiveStore;
use archive::summaries::Summaries;
use store::{DatabaseConfig, connect};

use crate::jobs::{Rounds, require_schema};

pub use config::SummariesConfig;
pub use error::SummaryError;
pub use pass::{Done, Pass};

pub(crate) use day::{current_stamp, regions_of, write_day};
pub(crate) use pass::{summarise_month, try_lock};
pub(crate) use rows::{compare_games, compare_player_rows};

/// Runs the job until shutdown. What fails is told and tried again.
pub(crate) async fn run(
    config: SummariesConfig,
    database: DatabaseConfig,
    store: ArchiveStore,
    mut rounds: Rounds,
) {
    let mut pass = Pass::new(config, Summaries::new(store));
    while rounds.next().await {
        // A day that is cut short counts for nothing; the next start writes it.
        let done = Box::pin(rounds.pass(async {
            require_schema(&database).await?;
            Ok(once(&mut pass, &database).await?)
        }));
        if let Some(done) = done.await {
            done.tell();
        }
    }
}

/// One pass over a session of its own.
///
/// # Errors
/// [`SummaryError`]; what was published stands.
pub async fn once(pass: &mut Pass, database: &DatabaseConfig) -> Result<Done, SummaryError> {
    let mut connection = connect::establish(&patient(database)).await?;
    pass.run(&mut connection).await
}

/// A session for statements that take as long as a month takes.
pub(crate) fn patient(database: &DatabaseConfig) -> DatabaseConfig {
    DatabaseConfig {
        statement_timeout: Duration::ZERO,
        idle_in_transaction_timeout: Duration::ZERO,
        ..database.clone()
    }
}
