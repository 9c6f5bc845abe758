//! The import as a whole, into librdkafka's in-process broker.

use std::io::Write;

use rdkafka::mocking::MockCluster;

use super::*;

fn endpoints(
    cluster: &MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
) -> Endpoints {
    cluster.create_topic("games", 4, 1).unwrap();
    Endpoints {
        kafka: cluster.bootstrap_servers(),
        topic: "games".into(),
        postgres: String::new(),
        api: String::new(),
        archive: Default::default(),
        data_dir: std::env::temp_dir(),
    }
}

#[tokio::test]
async fn games_are_imported_and_the_others_refused_with_file_game_line_and_reason() {
    let cluster = MockCluster::new(1).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let game = |white: &str, more: &str, moves: &str| {
        format!("[White \"{white}\"]\n[Black \"b\"]\n{more}\n{moves}\n\n")
    };
    for text in [
        game("a", "", "1. e4 1-0"),
        game("a", "[Variant \"Chess960\"]\n", "1. e4 1-0"),
        game("a", "", "1. e4 1-0"),
        game("a", "", "1. e4 *"),
        game("c", "", "1. e4 e5 0-1"),
        game("d", "[GameId \"abc123\"]\n", "1. e4 e5 0-1"),
        game("e", "[GameId \"abc123\"]\n", "1. e4 e5 0-1"),
    ] {
        file.write_all(text.as_bytes()).unwrap();
    }
    let settings = Settings {
        region: None,
        platform: None,
        undated_end_ms: 1_700_000_000_000,
        unfinished: false,
    };
    let files = [file.path().to_owned()];
    let summary = import(&files, &settings, &endpoints(&cluster))
        .await
        .unwrap();
    assert_eq!(
        (summary.imported, summary.events, summary.undated),
        (3, 11, 3)
    );
    let name = file.path().display();
    let wanted = [
        format!(
            "{name}: game 2, line 10: variant \"Chess960\" is not supported: only standard chess is"
        ),
        format!("{name}: game 3, line 12: stands in this import already, as game 1 of {name}"),
        format!("{name}: game 4, line 17: has no result (--unfinished imports it as a live game)"),
        format!("{name}: game 7, line 33: has the id of game 6 of {name} and is another game"),
    ];
    assert_eq!(summary.refused, wanted);
}

#[test]
fn reasons_are_counted_and_the_commonest_comes_first() {
    let refused = [
        "f: game 1, line 2: once",
        "f: game 2, line 5: often",
        "f: game 3, line 9: often",
    ]
    .map(str::to_owned);
    assert_eq!(
        by_reason(&refused),
        [
            (2, "f: game 2, line 5: often"),
            (1, "f: game 1, line 2: once")
        ]
    );
}
