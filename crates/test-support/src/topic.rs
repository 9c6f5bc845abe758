//! A topic of its own for each test.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use uuid::Uuid;

use crate::{finish, variable};

const PATIENCE: Duration = Duration::from_secs(20);

/// A topic of one test. Dropping it deletes the topic.
#[derive(Debug)]
pub struct TestTopic {
    brokers: String,
    name: String,
}

impl TestTopic {
    /// Makes an empty topic whose partitions all have a leader.
    ///
    /// # Panics
    /// Outside of `cargo dx test`, or when Kafka fails.
    pub async fn create(partitions: i32) -> Self {
        let topic = Self {
            brokers: variable("GAME_HISTORY_TEST_KAFKA"),
            name: format!("test-{}", Uuid::now_v7().simple()),
        };
        let admin = admin(&topic.brokers);
        let wanted = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(1));
        match admin.create_topics([&wanted], &options()).await.as_deref() {
            Ok([Ok(_)]) => {}
            other => panic!(
                "topic {} cannot be created: {other:?}; run through `cargo dx test`",
                topic.name
            ),
        }
        topic.await_leaders(admin, partitions).await;
        topic
    }

    /// The brokers' addresses, as `bootstrap.servers` takes them.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creating is acknowledged before the metadata has it; a client that comes too early would see no topic.
    async fn await_leaders(&self, admin: AdminClient<DefaultClientContext>, partitions: i32) {
        let name = self.name.clone();
        let wait = move || {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let metadata = admin
                    .inner()
                    .fetch_metadata(Some(&name), PATIENCE)
                    .expect("Kafka tells its topics");
                let led = metadata
                    .topics()
                    .iter()
                    .flat_map(|topic| topic.partitions())
                    .filter(|partition| partition.leader() >= 0);
                if i32::try_from(led.count()) == Ok(partitions) {
                    return;
                }
                assert!(Instant::now() < deadline, "topic {name} got no leaders");
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        tokio::task::spawn_blocking(wait)
            .await
            .expect("the topic's leaders");
    }
}

impl Drop for TestTopic {
    fn drop(&mut self) {
        let (brokers, name) = (self.brokers.clone(), self.name.clone());
        finish(async move {
            let _ = admin(&brokers).delete_topics(&[&name], &options()).await;
        });
    }
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
        .create()
        .expect("a Kafka client can be made of its address")
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(PATIENCE))
        .request_timeout(Some(PATIENCE))
}
