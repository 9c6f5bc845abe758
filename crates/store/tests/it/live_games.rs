//! How the rows of games in progress are written: by key, whatever the table held when the statement was planned.

use domain::GameId;
use store::DatabaseConfig;
use store::ingest::{Batch, ClaimRequest, Counts, IngestSession, LiveSnapshot, Scope};
use test_support::TestDatabase;
use tokio_postgres::NoTls;

fn ids(numbers: std::ops::Range<u32>) -> Vec<GameId> {
    numbers
        .map(|number| GameId::parse(&format!("g-{number}")).unwrap())
        .collect()
}

fn snapshots(ids: Vec<GameId>, state: &[u8]) -> Vec<LiveSnapshot> {
    let snapshot = |game_id| LiveSnapshot {
        game_id,
        state: state.to_vec(),
    };
    ids.into_iter().map(snapshot).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_reads_the_rows_of_its_own_games_and_no_others() {
    let database = TestDatabase::create().await;
    let scope = Scope {
        pipeline: "games".into(),
        topic: "game-events".into(),
        topic_id: "a-topic".into(),
        partition: 3,
    };
    let config = DatabaseConfig::new(database.url());
    let mut session = IngestSession::open(&config).await.unwrap();
    let request = ClaimRequest {
        scope: scope.clone(),
        cluster_id: "a-cluster".into(),
        partition_count: 8,
        first_offset: 0,
    };
    let claim = session.claim(&request).await.unwrap().unwrap();
    let batch = |next: i64, snapshots, ended_rows| Batch {
        scope: scope.clone(),
        token: claim.token,
        base: next - 1,
        next,
        replay_from: next,
        counts: Counts {
            applied: 1,
            ..Counts::default()
        },
        finished: vec![],
        snapshots,
        ended_rows,
        dead_letters: vec![],
    };
    // Planned while the table is empty, then run while it is not.
    for all in [
        batch(1, snapshots(ids(0..3_000), b"first"), vec![]),
        batch(2, snapshots(ids(0..100), b"second"), vec![]),
        batch(3, snapshots(ids(3_000..3_010), b"third"), ids(100..110)),
    ] {
        session.commit(&all, None).await.unwrap();
    }
    // A session tells what it has read when it ends.
    drop(session);
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let states = client
        .query(
            "SELECT convert_from(state, 'UTF8'), count(*) FROM live_games GROUP BY 1 ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let states: Vec<(String, i64)> = states.iter().map(|row| (row.get(0), row.get(1))).collect();
    let counted = [("first", 2_890), ("second", 100), ("third", 10)];
    assert_eq!(states, counted.map(|(state, n)| (state.to_owned(), n)));
    let written = "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 'live_games'";
    while client
        .query_one(written, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        < 3_120
    {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let read =
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = 'live_games'";
    let read: i64 = client.query_one(read, &[]).await.unwrap().get(0);
    assert!(
        read < 500,
        "{read} entries of indexes were read for 110 rows"
    );
}
