//! Postgres partitions ahead of time, so that the usual batch finds its month ready.

use std::collections::BTreeSet;

use chrono::Utc;
use store::partitions::{self, Month};
use store::{DatabaseConfig, StoreError, connect};
use tokio_util::sync::CancellationToken;

use crate::config::UpkeepConfig;

/// Makes partitions until shutdown. What fails is told and tried again; a batch that needs one makes it itself.
pub(crate) async fn run(
    config: UpkeepConfig,
    database: DatabaseConfig,
    shutdown: CancellationToken,
) {
    let mut ticks = tokio::time::interval(config.every);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = make(&config, &database).await {
            tracing::warn!(%error, "partitions could not be made ahead of time");
        }
    }
}

async fn make(config: &UpkeepConfig, database: &DatabaseConfig) -> Result<(), StoreError> {
    // The clock decides only what is made early, never what is written where.
    let this_month = Month::of_datetime(Utc::now());
    let months = std::iter::successors(Some(this_month), |month| Some(month.next()));
    let months: BTreeSet<Month> = months.take(config.months_ahead as usize + 1).collect();
    let mut connection = connect::establish(database).await?;
    partitions::ensure(&mut connection, &months).await
}
