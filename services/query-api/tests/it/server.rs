//! The API over a database of its own, ended when dropped.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use query_api::cold::{ColdStore, NoColdStore};
use query_api::config::Config;
use query_api::run;
use query_api::state::Shared;
use service::{HealthState, Shutdown};
use test_support::TestDatabase;

use crate::http::{Answer, send};

/// A running API.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) health: HealthState,
    pub(crate) shutdown: Shutdown,
}

impl TestServer {
    /// Starts over a fresh, migrated database.
    pub(crate) async fn start() -> (Self, TestDatabase) {
        let database = TestDatabase::create().await;
        (Self::over(&database.url()).await, database)
    }

    /// Starts over the database at this URL.
    pub(crate) async fn over(url: &str) -> Self {
        Self::with_archive(url, Arc::new(NoColdStore)).await
    }

    /// Starts over the database at this URL, with an archive behind it.
    pub(crate) async fn with_archive(url: &str, cold: Arc<dyn ColdStore>) -> Self {
        Self::serve(&config(url, ""), cold).await
    }

    /// Starts over the database at this URL, with more settings as TOML.
    pub(crate) async fn with_settings(url: &str, settings: &str) -> Self {
        Self::serve(&config(url, settings), Arc::new(NoColdStore)).await
    }

    async fn serve(config: &Config, cold: Arc<dyn ColdStore>) -> Self {
        telemetry::install_metrics().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (health, shutdown) = (HealthState::default(), Shutdown::default());
        let mut shared = Shared::new(config);
        shared.cold = cold;
        let (pools, auth) = (shared.pools.clone(), shared.auth.clone());
        let server = run::start(listener, config, shared, health.clone(), &shutdown).unwrap();
        tokio::spawn(server);
        tokio::spawn(query_api::monitor::watch(
            pools,
            health.clone(),
            shutdown.clone(),
        ));
        tokio::spawn(auth.watch(shutdown.clone()));
        Self {
            address,
            health,
            shutdown,
        }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        send(self.address, "GET", target, &[]).await
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.request("the test ended");
    }
}

fn config(url: &str, settings: &str) -> Config {
    // What a test changes in the database it wants to see at once.
    let cache = match settings.contains("[cache]") {
        true => "",
        false => "[cache]\nfresh_for = '0s'\n",
    };
    toml::from_str(&format!(
        "workers = 1\nrequest_timeout = '5s'\nshutdown_timeout = '1s'\n\
         [database]\nurl = '{url}'\nconnect_timeout = '2s'\npool = {{ max_size = 4, wait_timeout = '1s' }}\n\
         [cursor]\nsecret = 'a secret for tests'\n{cache}{settings}\n"
    ))
    .unwrap()
}
