//! What is refused, under which reason, and that nothing panics.

use domain::Reason;
use events::decode;
use proptest::prelude::*;

use crate::fixtures::{ALL, fixture};

fn refused(key: Option<&str>, value: &str) -> Option<Reason> {
    decode(key.map(str::as_bytes), Some(value.as_bytes()))
        .err()
        .map(|rejection| rejection.reason)
}

fn reason(value: &str) -> Option<Reason> {
    refused(Some("g-42"), value)
}

/// The fixture with one piece of its text replaced; fails when the piece is not there.
fn edited(name: &str, from: &str, to: &str) -> String {
    let json = fixture(name);
    assert!(json.contains(from), "{name} has no {from}");
    json.replacen(from, to, 1)
}

#[test]
fn what_is_no_event_is_undecodable() {
    assert_eq!(
        decode(Some(b"g-42"), None).unwrap_err().reason,
        Reason::Undecodable
    );
    assert_eq!(
        decode(Some(b"g-42"), Some(b"\xff\xfe")).unwrap_err().reason,
        Reason::Undecodable
    );
    let as_list = r#"["e","MoveMade",1,"g-42","2026-11-21T10:00:00Z",null,{"moveNumber":1,"playerId":"p","move":"e2e4"}]"#;
    for value in ["", "{", "null", "[]", "\u{feff}{}", "\"text\"", as_list] {
        assert_eq!(reason(value), Some(Reason::Undecodable), "{value}");
    }
    for (from, to) in [
        ("\"moveNumber\":1,", ""),
        ("\"moveNumber\":1,", "\"moveNumber\":1,\"moveNumber\":1,"),
        ("\"moveNumber\":1", "\"moveNumber\":1.0"),
        ("\"moveNumber\":1", "\"moveNumber\":1e400"),
        ("\"moveNumber\":1", "\"moveNumber\":9223372036854775808"),
        ("\"moveNumber\":1", "\"moveNumber\":\"1\""),
        ("\"e2e4\"", "\"\\ud800\""),
        ("2026-11-21T10:00:03.500Z", "yesterday"),
        ("2026-11-21T10:00:03.500Z", "2026-02-30T10:00:00Z"),
        ("2026-11-21T10:00:03.500Z", "infinity"),
        ("2026-11-21T10:00:03.500Z", "2026-11-21 10:0:3UTC"),
    ] {
        assert_eq!(
            reason(&edited("move_made.json", from, to)),
            Some(Reason::Undecodable),
            "{from} -> {to}"
        );
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let value = edited(
        "move_made.json",
        "{\"moveNumber\":1",
        &format!("{{\"x\":{deep},\"moveNumber\":1"),
    );
    assert_eq!(reason(&value), None);
}

#[test]
fn a_player_written_as_a_list_is_undecodable() {
    let value = edited(
        "game_created.json",
        r#"{"playerId":"p-8","role":"black"}"#,
        r#"["p-8","black",null]"#,
    );
    assert_eq!(reason(&value), Some(Reason::Undecodable));
}

#[test]
fn an_unknown_type_or_version_is_unsupported_whatever_its_payload() {
    for (from, to) in [
        ("\"MoveMade\"", "\"ChatSent\""),
        ("\"schemaVersion\":1", "\"schemaVersion\":2"),
    ] {
        assert_eq!(
            reason(&edited("move_made.json", from, to)),
            Some(Reason::Unsupported),
            "{to}"
        );
    }
}

#[test]
fn a_key_that_is_not_the_game_id_is_a_mismatch_even_when_values_are_invalid() {
    let value = edited("move_made.json", "\"moveNumber\":1", "\"moveNumber\":0");
    assert_eq!(refused(Some("g-43"), &value), Some(Reason::KeyMismatch));
    assert_eq!(refused(None, &value), Some(Reason::KeyMismatch));
    assert_eq!(refused(Some("g-42"), &value), Some(Reason::Invalid));
}

#[test]
fn values_outside_their_limits_are_invalid() {
    let long = "x".repeat(101);
    for (name, from, to) in [
        ("move_made.json", "\"moveNumber\":1", "\"moveNumber\":-1"),
        (
            "move_made.json",
            "\"moveNumber\":1",
            "\"moveNumber\":4294967296",
        ),
        ("move_made.json", "\"clockMs\":171000", "\"clockMs\":-1"),
        ("move_made.json", "\"p-7\"", "\"p\\u0000\""),
        ("move_made.json", "\"e2e4\"", "\"\""),
        (
            "move_made.json",
            "2026-11-21T10:00:03.500Z",
            "9999-01-01T00:00:00Z",
        ),
        (
            "move_made.json",
            "2026-11-21T10:00:03.500Z",
            "1969-12-31T23:59:59Z",
        ),
        ("move_made.json", "\"eu\"", "\"../eu\""),
        ("game_created.json", "\"p-8\"", "\"p-7\""),
        ("game_created.json", "\"p-8\"", &format!("\"{long}\"")),
        ("game_created.json", "\"rated\"", "\"Rated!\""),
        ("game_ended.json", "\"winner\":\"p-7\",", ""),
        ("game_ended.json", "\"win\"", "\"draw\""),
        ("game_ended.json", "\"moveCount\":43", "\"moveCount\":-1"),
    ] {
        assert_eq!(
            reason(&edited(name, from, to)),
            Some(Reason::Invalid),
            "{name}: {from} -> {to}"
        );
    }
}

#[test]
fn a_result_written_as_an_object_is_undecodable() {
    let value = edited("game_ended.json", "\"win\"", "{\"win\":null}");
    assert_eq!(reason(&value), Some(Reason::Undecodable));
}

#[test]
fn bytes_that_are_not_utf_8_are_undecodable_wherever_they_stand() {
    let mut value =
        edited("move_made.json", "{\"eventId\"", "{\"x\":\"?\",\"eventId\"").into_bytes();
    let at = value.iter().position(|byte| *byte == b'?').unwrap();
    value[at] = 0xff;
    assert_eq!(
        decode(Some(b"g-42"), Some(&value)).unwrap_err().reason,
        Reason::Undecodable
    );
}

#[test]
fn fields_nobody_knows_may_hold_anything() {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    for name in ALL {
        for odd in ["1e999", "\"\\ud800\"", deep.as_str()] {
            let value = fixture(name).replacen(
                "\"payload\":{",
                &format!("\"payload\":{{\"futureField\":{odd},"),
                1,
            );
            assert_eq!(reason(&value), None, "{name}: {odd:.20}");
        }
    }
}

#[test]
fn an_event_id_has_at_most_a_hundred_characters() {
    let long = "x".repeat(101);
    let value = edited(
        "move_made.json",
        "01980000-0000-7000-8000-000000000002",
        &long,
    );
    assert_eq!(reason(&value), Some(Reason::Invalid));
}

#[test]
fn an_explanation_names_the_field_and_has_no_control_characters() {
    let value = edited("move_made.json", "\"moveNumber\":1", "\"moveNumber\":0");
    let rejection = decode(Some(b"g-42"), Some(value.as_bytes())).unwrap_err();
    assert_eq!(rejection.detail, "moveNumber must be 1 to 4294967295");
    assert_eq!(rejection.game_id.unwrap().as_str(), "g-42");
    let value = edited("move_made.json", "\"MoveMade\"", "\"a\\u0007b\"");
    assert!(
        !decode(Some(b"g-42"), Some(value.as_bytes()))
            .unwrap_err()
            .detail
            .contains('\u{7}')
    );
}

#[test]
fn fields_nobody_knows_yet_are_passed_over() {
    for name in ALL {
        let json = fixture(name).replacen("{\"eventId\"", "{\"futureField\":[1,{}],\"eventId\"", 1);
        let json = json.replacen(
            "\"payload\":{",
            "\"payload\":{\"futureField\":{\"a\":null},",
            1,
        );
        assert_eq!(reason(&json), None, "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_an_event_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(Some(b"g-42"), Some(&bytes));
    }

    #[test]
    fn an_event_with_any_byte_changed_is_an_event_or_a_reason(which in 0usize..6, at in 0usize..300, byte in any::<u8>()) {
        let mut bytes = fixture(ALL[which]).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = decode(Some(b"g-42"), Some(&bytes));
    }
}
