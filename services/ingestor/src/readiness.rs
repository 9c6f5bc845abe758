//! Whether the database has this build's schema. How the partitions stand is `crate::watch`'s to tell.

use std::time::Duration;

use service::{HealthState, Shutdown};
use store::{DatabaseConfig, StoreError, connect, migrate};

/// Waits until the database answers and has this build's schema. False when shutdown came first.
pub(crate) async fn wait_for_schema(
    database: &DatabaseConfig,
    health: &HealthState,
    shutdown: &Shutdown,
) -> bool {
    let mut wait = Duration::from_millis(250);
    loop {
        match schema_is_current(database).await {
            Ok(true) => {
                health.ready("schema");
                return true;
            }
            Ok(false) => {
                let reason = "the schema is older than this build: run `ingestor migrate`";
                tracing::warn!(reason, "waiting");
                health.broken("schema", reason);
            }
            Err(error) => {
                tracing::warn!(%error, "waiting for the database");
                health.broken("schema", error.to_string());
            }
        }
        tokio::select! {
            () = shutdown.requested() => return false,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(5)),
        }
    }
}

async fn schema_is_current(database: &DatabaseConfig) -> Result<bool, StoreError> {
    let mut connection = connect::establish(database).await?;
    migrate::is_current(&mut connection).await
}
