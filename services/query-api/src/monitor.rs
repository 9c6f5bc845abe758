//! Watches what the API needs, the database and its schema, and says so in the health checks. One task; it logs changes only.

use std::time::Duration;

use service::{HealthState, Shutdown};
use store::{Pool, Pools, StoreError, migrate};

/// The pause after a good check.
const CALM: Duration = Duration::from_secs(5);
/// The pause after the first bad check; it doubles up to [`CALM`].
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// How the database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    Good,
    Unreachable(String),
    OldSchema(String),
}

/// Checks again and again until shutdown.
pub async fn watch(pools: Pools, health: HealthState, shutdown: Shutdown) {
    health.starting("database", "connecting");
    health.starting("schema", "not read yet");
    let pool = tokio::select! {
        pool = first(&pools) => pool,
        () = shutdown.requested() => return,
    };
    let (mut last, mut pause) = (None, FIRST_RETRY);
    loop {
        let finding = look(&pool).await;
        let sessions = pools.state();
        metrics::gauge!("database_pool_connections").set(sessions.connections);
        metrics::gauge!("database_pool_idle_connections").set(sessions.idle);
        report(&finding, &health);
        pause = match finding {
            Finding::Good => CALM,
            // The pause before stays until it reaches the calm one.
            _ if matches!(last, None | Some(Finding::Good)) => FIRST_RETRY,
            _ => (pause * 2).min(CALM),
        };
        if last.as_ref() != Some(&finding) {
            log(&finding);
            last = Some(finding);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.requested() => return,
        }
    }
}

/// The first pool that a worker has; each makes its own when it starts.
async fn first(pools: &Pools) -> Pool {
    loop {
        match pools.any() {
            Some(pool) => return pool,
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn look(pool: &Pool) -> Finding {
    match schema_fault(pool).await {
        Ok(None) => Finding::Good,
        Ok(Some(fault)) => Finding::OldSchema(fault),
        Err(error) => Finding::Unreachable(error.to_string()),
    }
}

/// What is wrong with the schema, if anything is.
async fn schema_fault(pool: &Pool) -> Result<Option<String>, StoreError> {
    let mut connection = pool.get().await?;
    if migrate::is_current(&mut connection).await? {
        return Ok(None);
    }
    let applied = migrate::applied_version(&mut connection).await?;
    Ok(Some(format!(
        "the schema is at version {}, this build needs {}; run `ingestor migrate`",
        applied.as_deref().unwrap_or("none"),
        migrate::latest_version(),
    )))
}

fn report(finding: &Finding, health: &HealthState) {
    match finding {
        Finding::Good => {
            health.ready("database");
            health.ready("schema");
        }
        Finding::OldSchema(reason) => {
            health.ready("database");
            health.broken("schema", reason);
        }
        Finding::Unreachable(reason) => {
            health.broken("database", reason);
            health.starting("schema", "can't be read without the database");
        }
    }
}

fn log(finding: &Finding) {
    match finding {
        Finding::Good => tracing::info!("ready: the database answers and its schema is current"),
        Finding::OldSchema(reason) => tracing::warn!(reason, "not ready"),
        Finding::Unreachable(reason) => tracing::warn!(reason, "not ready, trying again"),
    }
}
