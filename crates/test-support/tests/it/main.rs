//! The databases and topics that other tests get, on the real servers of `cargo dx test`.

use std::time::{Duration, Instant};

use futures::future::join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use test_support::{Refusal, StoreProxy, TestBucket, TestDatabase, TestTopic};
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_test_gets_a_migrated_database_of_its_own() {
    let databases = join_all((0..4).map(|_| TestDatabase::create())).await;
    for (index, database) in databases.iter().enumerate() {
        let client = connect(&database.url()).await.unwrap();
        client
            .batch_execute("INSERT INTO retention_floor (ended_at) VALUES (now())")
            .await
            .unwrap();
        let floors: i64 = client
            .query_one("SELECT count(*) FROM retention_floor", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(floors, 1, "database {index} is shared");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_database_is_gone_even_while_someone_is_connected() {
    let database = TestDatabase::create().await;
    let url = database.url();
    let _connected = connect(&url).await.unwrap();
    drop(database);
    let error = connect(&url)
        .await
        .err()
        .and_then(|error| error.code().cloned());
    assert_eq!(
        error,
        Some(tokio_postgres::error::SqlState::INVALID_CATALOG_NAME)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_has_its_partitions_at_once_and_goes_with_its_value() {
    let topic = TestTopic::create(3).await;
    let partitions = |brokers: String, name: String| {
        tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", brokers)
                .create()
                .unwrap();
            let metadata = consumer
                .fetch_metadata(None, std::time::Duration::from_secs(10))
                .unwrap();
            metadata
                .topics()
                .iter()
                .find(|topic| topic.name() == name)
                .map(|topic| topic.partitions().len())
        })
    };
    let (brokers, name) = (topic.brokers().to_owned(), topic.name().to_owned());
    assert_eq!(
        partitions(brokers.clone(), name.clone()).await.unwrap(),
        Some(3)
    );
    drop(topic);
    assert_eq!(partitions(brokers, name).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_test_gets_an_empty_bucket_in_which_a_key_is_created_once() {
    let (bucket, other) = (TestBucket::create().await, TestBucket::create().await);
    let key = Path::from("a/b");
    let create = || PutOptions::from(PutMode::Create);
    let client = bucket.client();
    client
        .put_opts(&key, "first".into(), create())
        .await
        .unwrap();
    let again = client.put_opts(&key, "second".into(), create()).await;
    assert!(
        matches!(again, Err(object_store::Error::AlreadyExists { .. })),
        "{again:?}"
    );
    let read = client.get(&key).await.unwrap().bytes().await.unwrap();
    assert_eq!(&read[..], b"first");
    let elsewhere = other.client().get(&key).await;
    assert!(
        matches!(elsewhere, Err(object_store::Error::NotFound { .. })),
        "{elsewhere:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_breaks_a_store_on_order_and_passes_everything_on_between() {
    let bucket = TestBucket::create().await;
    let proxy = StoreProxy::listen(bucket.endpoint()).await.unwrap();
    let no_second_try = RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    };
    let client = bucket.client_at(&proxy.endpoint(), no_second_try);
    let big = vec![7; 3 << 20];
    client
        .put(&Path::from("big"), big.clone().into())
        .await
        .unwrap();
    assert_eq!(client.head(&Path::from("big")).await.unwrap().size, 3 << 20);
    let read = client.get(&Path::from("big")).await.unwrap();
    assert_eq!(read.bytes().await.unwrap(), big);
    assert_eq!(proxy.faults().total(), 0);

    proxy.refuse_next(Refusal::SlowDown, 1);
    assert!(client.head(&Path::from("big")).await.is_err());
    client.head(&Path::from("big")).await.unwrap();
    proxy.refuse(Refusal::AccessDenied, Duration::from_secs(60));
    let denied = client.get(&Path::from("big")).await;
    assert!(
        matches!(denied, Err(object_store::Error::PermissionDenied { .. })),
        "{denied:?}"
    );
    proxy.clear();

    // One answer that never comes, one that says 503: both objects are there.
    proxy.lose_answers(2);
    let create = async |key: &str| {
        let options = PutOptions::from(PutMode::Create);
        client.put_opts(&Path::from(key), "x".into(), options).await
    };
    for key in ["a", "b"] {
        assert!(create(key).await.is_err());
        bucket.client().head(&Path::from(key)).await.unwrap();
        let again = create(key).await;
        assert!(
            matches!(again, Err(object_store::Error::AlreadyExists { .. })),
            "{again:?}"
        );
    }

    proxy.stall(Duration::from_millis(300));
    let began = Instant::now();
    client.head(&Path::from("a")).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
    proxy.stall(Duration::from_secs(60));
    let cut = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.cut();
    };
    let key = Path::from("a");
    let (asked, ()) = tokio::join!(client.head(&key), cut);
    assert!(asked.is_err());
    let faults = proxy.faults();
    let counts = (
        faults.refused,
        faults.answers_lost,
        faults.stalled,
        faults.cut,
    );
    assert_eq!(counts, (2, 2, 1, 1));
}

#[test]
fn the_foreign_readers_are_there() {
    let said = test_support::python()
        .args([
            "-c",
            "import duckdb, pyarrow; print(duckdb.sql('SELECT 42').fetchall()[0][0])",
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "42");
}
