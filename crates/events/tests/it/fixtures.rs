//! Fixtures of every schema version stay readable for ever, and version 1 is still written exactly so.

use std::borrow::Cow;
use std::path::Path;

use domain::{Action, EndKind, EventTime, GameEvent};
use events::wire::{
    EndDetails, EndResult, GameAborted, GameCreated, GameEnded, GameResigned, GameTimeout,
    MoveMade, Opening, Player, Rating,
};
use events::{Event, EventId, Payload, decode, encode};

pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/v1")
        .join(name);
    std::fs::read_to_string(path).unwrap().trim_end().to_owned()
}

pub(crate) const ALL: [&str; 6] = [
    "game_created.json",
    "move_made.json",
    "game_ended.json",
    "game_resigned.json",
    "game_timeout.json",
    "game_aborted.json",
];

fn event(number: u128, at_ms: i64, region: bool, payload: Payload<'static>) -> Event<'static> {
    let id = "01980000-0000-7000-8000-000000000000"
        .parse::<uuid::Uuid>()
        .unwrap();
    Event {
        event_id: EventId(uuid::Uuid::from_u128(id.as_u128() + number)),
        game_id: "g-42".into(),
        occurred_at: EventTime::from_ms(at_ms).unwrap(),
        region: region.then_some(Cow::Borrowed("eu")),
        payload,
    }
}

const START_MS: i64 = 1_795_255_200_000; // 2026-11-21T10:00:00Z
const END_MS: i64 = START_MS + 276_000;

fn version_1() -> Vec<Event<'static>> {
    let players = vec![
        Player {
            player_id: "p-7".into(),
            role: "white".into(),
            rating: Some(2410),
        },
        Player {
            player_id: "p-8".into(),
            role: "black".into(),
            rating: None,
        },
    ];
    let created = GameCreated {
        game: "chess".into(),
        variant: "standard".into(),
        mode: "rated".into(),
        time_control: Some("180+1".into()),
        platform: Some("web".into()),
        tournament: Some("titled-tuesday".into()),
        start_position: Some("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1".into()),
        players,
    };
    let made = MoveMade {
        move_number: 1,
        player_id: "p-7".into(),
        text: "e2e4".into(),
        clock_ms: Some(171_000),
    };
    let details = EndDetails {
        ratings: vec![
            Rating {
                player_id: "p-7".into(),
                rating: 2416,
            },
            Rating {
                player_id: "p-8".into(),
                rating: 1994,
            },
        ],
        move_count: Some(43),
        opening: Some(Opening {
            code: "C42".into(),
            name: Some("Petrov's Defence".into()),
        }),
    };
    let ended = GameEnded {
        result: EndResult::Win,
        winner: Some("p-7".into()),
        termination: "checkmate".into(),
        details,
    };
    let none = EndDetails::default();
    let resigned = GameResigned {
        player_id: "p-8".into(),
        winner: None,
        details: none.clone(),
    };
    let counted = EndDetails {
        move_count: Some(12),
        ..none.clone()
    };
    let timeout = GameTimeout {
        player_id: "p-8".into(),
        winner: Some("p-7".into()),
        details: counted,
    };
    let aborted = GameAborted {
        termination: "abandoned".into(),
        details: none,
    };
    vec![
        event(1, START_MS + 123, true, Payload::GameCreated(created)),
        event(2, START_MS + 3_500, true, Payload::MoveMade(made)),
        event(3, END_MS, true, Payload::GameEnded(ended)),
        event(4, END_MS, false, Payload::GameResigned(resigned)),
        event(5, END_MS, false, Payload::GameTimeout(timeout)),
        event(6, END_MS, false, Payload::GameAborted(aborted)),
    ]
}

#[test]
fn version_1_is_written_as_its_fixtures_stand() {
    for (event, name) in version_1().iter().zip(ALL) {
        let encoded = encode(event).unwrap();
        assert_eq!(String::from_utf8(encoded.value).unwrap(), fixture(name));
    }
}

#[test]
fn headers_repeat_what_routes_a_record() {
    let encoded = encode(&version_1()[1]).unwrap();
    let headers: Vec<(&str, &str)> = encoded
        .headers
        .iter()
        .map(|(k, v)| (*k, v.as_str()))
        .collect();
    assert_eq!(
        headers,
        [
            ("event_type", "MoveMade"),
            ("event_id", "01980000-0000-7000-8000-000000000002"),
            ("schema_version", "1"),
            ("region", "eu"),
        ]
    );
    assert_eq!(encoded.key, "g-42");
}

fn read(json: &str) -> GameEvent<'_> {
    decode(Some(b"g-42"), Some(json.as_bytes())).unwrap()
}

#[test]
fn every_fixture_is_read() {
    for name in ALL {
        assert_eq!(read(&fixture(name)).game_id, "g-42", "{name}");
    }
}

#[test]
fn a_move_is_read_with_its_ply_player_text_and_clock() {
    let json = fixture("move_made.json");
    let event = read(&json);
    assert_eq!(event.at.to_string(), "2026-11-21T10:00:03.500Z");
    assert_eq!(
        event.action,
        Action::Move {
            ply: 1,
            player_id: "p-7".into(),
            text: "e2e4".into(),
            clock_ms: Some(171_000)
        }
    );
}

#[test]
fn the_older_name_of_a_move_is_read_too() {
    let old = fixture("move_made.json").replace("MoveMade", "MovePlayed");
    assert_eq!(read(&old).action, read(&fixture("move_made.json")).action);
}

#[test]
fn an_end_is_read_with_ratings_count_and_opening() {
    let json = fixture("game_ended.json");
    let Action::End(end) = read(&json).action else {
        panic!("not an end")
    };
    assert!(matches!(&end.kind, EndKind::Won { winner, .. } if winner.as_str() == "p-7"));
    assert_eq!(end.fingerprint(), "won checkmate p-7");
    assert_eq!((end.ratings.len(), end.move_count), (2, Some(43)));
    assert_eq!(end.opening.unwrap().code.as_str(), "C42");
}
