//! Databases, topics and buckets of their own for tests, on real servers; and a proxy that breaks a store on order.
//!
//! `cargo dx test` starts the servers and says where they are; a test that is run without it panics and says so. Everything made
//! here has a name of its own, so tests run side by side, and is removed when its value is dropped, also by a panic.
//!
//! ```no_run
//! # async fn a_test() {
//! let database = test_support::TestDatabase::create().await; // migrated, empty
//! let topic = test_support::TestTopic::create(4).await;
//! let (url, brokers, name) = (database.url(), topic.brokers(), topic.name());
//! let bucket = test_support::TestBucket::create().await; // empty
//! let (url, endpoint) = (bucket.url(), bucket.endpoint());
//! # }
//! ```

#![expect(
    clippy::expect_used,
    reason = "a test that cannot get its servers fails, and says what it lacks"
)]

mod bucket;
mod database;
mod python;
mod store_proxy;
mod topic;

pub use bucket::TestBucket;
pub use database::TestDatabase;
pub use python::python;
pub use store_proxy::{Refusal, StoreFaults, StoreProxy};
pub use topic::TestTopic;

/// A variable that `cargo dx test` sets.
fn variable(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) => value,
        Err(_) => panic!("{name} is not set: run through `cargo dx test`"),
    }
}

/// Runs a cleanup to its end from a destructor, inside or outside of a runtime.
fn finish<F>(cleanup: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        if let Ok(runtime) = runtime {
            runtime.block_on(cleanup);
        }
    });
    // A cleanup that fails leaves something behind that the next `cargo dx test` wipes; no reason to fail a test.
    let _ = thread.join();
}
