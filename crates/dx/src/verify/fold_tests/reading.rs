//! What cannot be read, what is not known, what lies outside its limits.

use serde_json::{Value, json};

use super::*;

#[test]
fn what_is_no_json_object_is_undecodable() {
    let mut log = Log::default();
    assert_eq!(log.raw(Some(b"g"), None), UNDECODABLE);
    assert_eq!(log.raw(None, Some(b"\xff\xfe")), UNDECODABLE);
    let not_utf8 = a_move()
        .to_string()
        .replace("\"eventId\"", "\"x\":\"?\",\"eventId\"");
    let not_utf8: Vec<u8> = not_utf8
        .bytes()
        .map(|b| if b == b'?' { 0xff } else { b })
        .collect();
    assert_eq!(log.raw(Some(b"g"), Some(&not_utf8)), UNDECODABLE);
    let list = r#"["e","MoveMade",1,"g","2026-11-21T10:00:00Z",null,{"moveNumber":1,"playerId":"p-7","move":"e2e4"}]"#;
    for value in ["", "{", "null", "[]", "\u{feff}{}", "\"text\"", list] {
        assert_eq!(log.value(value), UNDECODABLE, "{value}");
    }
}

#[test]
fn a_known_field_that_is_missing_doubled_or_of_the_wrong_kind_is_undecodable() {
    for name in [
        "eventId",
        "eventType",
        "schemaVersion",
        "gameId",
        "occurredAt",
        "payload",
    ] {
        assert_eq!(
            in_a_game(&move_with(&format!("/{name}"), None)),
            UNDECODABLE,
            "{name}"
        );
        let wrong = move_with(&format!("/{name}"), Some(json!([1])));
        assert_eq!(in_a_game(&wrong), UNDECODABLE, "{name}");
    }
    for name in ["moveNumber", "playerId", "move"] {
        assert_eq!(
            in_a_game(&move_with(&format!("/payload/{name}"), None)),
            UNDECODABLE,
            "{name}"
        );
    }
    for (pointer, value) in [
        ("/region", json!(1)),
        ("/schemaVersion", json!(-1)),
        ("/schemaVersion", json!(4_294_967_296_u64)),
        ("/occurredAt", json!("yesterday")),
        ("/payload/moveNumber", json!(1.0)),
        ("/payload/moveNumber", json!("1")),
        ("/payload/moveNumber", json!(9_223_372_036_854_775_808_u64)),
        ("/payload/clockMs", json!(1.5)),
    ] {
        assert_eq!(
            in_a_game(&move_with(pointer, Some(value.clone()))),
            UNDECODABLE,
            "{pointer} {value}"
        );
    }
    let mut log = Log::default();
    log.create();
    for field in [
        "\"region\":null,",
        "\"eventId\":\"e-2\",",
        "\"\\u0065ventId\":\"e-2\",",
    ] {
        let doubled = a_move().to_string().replacen('{', &format!("{{{field}"), 1);
        let expected = if field.contains("region") {
            APPLIED
        } else {
            UNDECODABLE
        };
        assert_eq!(log.value(&doubled), expected, "{field}");
    }
}

#[test]
fn lists_and_texts_do_not_stand_for_objects() {
    let listed = json!({"mode": "rated", "players": [["p-7", "white", null]]});
    let end = |name: &str, value: Value| {
        let payload = with(
            json!({"p": {"result": "draw", "termination": "x"}}),
            &format!("/p/{name}"),
            Some(value),
        );
        envelope("GameEnded", NOON, &payload["p"])
    };
    for value in [
        envelope("GameCreated", NOON, &listed),
        end("ratings", json!([["p-7", 1]])),
        end("ratings", Value::Null),
        end("opening", json!(["C42", null])),
        end("result", json!({"draw": null})),
        end("result", json!("stalemate")),
        end("termination", Value::Null),
    ] {
        assert_eq!(in_a_game(&value), UNDECODABLE, "{value}");
    }
    assert_eq!(in_a_game(&end("opening", Value::Null)), APPLIED);
}

#[test]
fn fields_nobody_knows_are_passed_over_in_every_event_however_deep() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for (kind, payload) in [
        ("GameCreated", created()),
        (
            "MoveMade",
            json!({"moveNumber": 1, "playerId": "p-7", "move": "e2e4"}),
        ),
        ("GameEnded", json!({"result": "draw", "termination": "x"})),
        ("GameResigned", json!({"playerId": "p-7"})),
        ("GameTimeout", json!({"playerId": "p-7"})),
        ("GameAborted", json!({"termination": "x"})),
    ] {
        for unknown in [&*deep, "1e999", "\"\\ud800\"", "{\"a\":1,\"a\":2}"] {
            let text = envelope(kind, NOON, &payload).to_string();
            let text = text.replace(
                "\"payload\":{",
                &format!("\"payload\":{{\"x\":{unknown},\"x\":0,"),
            );
            let text = text.replacen('{', &format!("{{\"x\":{unknown},\"x\":0,"), 1);
            let mut log = Log::default();
            log.create();
            let expected = if kind == "GameCreated" {
                DUPLICATE
            } else {
                APPLIED
            };
            assert_eq!(log.value(&text), expected, "{kind} {unknown:.9}");
        }
    }
}

#[test]
fn an_unknown_type_or_version_is_unsupported_whatever_its_payload() {
    for payload in [json!({}), json!(null), json!([1])] {
        let event = move_with("/payload", Some(payload));
        assert_eq!(
            in_a_game(&with(event.clone(), "/eventType", Some("ChatSent".into()))),
            UNSUPPORTED
        );
        for version in [0, 2] {
            assert_eq!(
                in_a_game(&with(event.clone(), "/schemaVersion", Some(version.into()))),
                UNSUPPORTED
            );
        }
    }
}

mod limits {
    use super::*;

    #[test]
    fn a_key_that_is_not_the_game_id_comes_before_invalid_values_and_after_unreadable_ones() {
        let mut log = Log::default();
        log.create();
        let invalid = move_with("/payload/moveNumber", Some(0.into())).to_string();
        let unreadable = move_with("/payload/moveNumber", None).to_string();
        for key in [None, Some(&b"h"[..]), Some(&b""[..])] {
            assert_eq!(
                log.raw(key, Some(a_move().to_string().as_bytes())),
                KEY_MISMATCH
            );
            assert_eq!(log.raw(key, Some(invalid.as_bytes())), KEY_MISMATCH);
            assert_eq!(log.raw(key, Some(unreadable.as_bytes())), UNDECODABLE);
        }
        assert_eq!(log.value(&invalid), INVALID);
    }

    #[test]
    fn values_outside_their_limits_are_invalid() {
        let text = |length: usize| Some(Value::from("é".repeat(length)));
        for (pointer, value, expected) in [
            ("/payload/moveNumber", Some(0.into()), INVALID),
            ("/payload/moveNumber", Some((-1).into()), INVALID),
            (
                "/payload/moveNumber",
                Some(4_294_967_295_u32.into()),
                APPLIED,
            ),
            (
                "/payload/moveNumber",
                Some(4_294_967_296_u64.into()),
                INVALID,
            ),
            ("/payload/clockMs", Some((-1).into()), INVALID),
            ("/payload/clockMs", Some(Value::Null), APPLIED),
            ("/payload/move", text(200), APPLIED),
            ("/payload/move", text(201), INVALID),
            ("/payload/move", text(0), INVALID),
            ("/payload/playerId", Some("p\u{0}".into()), INVALID),
            ("/eventId", text(100), APPLIED),
            ("/eventId", text(101), INVALID),
            ("/eventId", Some("a\u{85}".into()), INVALID),
            ("/region", Some("eu_1-a".into()), APPLIED),
            ("/region", Some("../eu".into()), INVALID),
            ("/region", Some("x".repeat(33).into()), INVALID),
            ("/occurredAt", Some("1970-01-01T00:00:00Z".into()), APPLIED),
            (
                "/occurredAt",
                Some("1969-12-31T23:59:59.999Z".into()),
                INVALID,
            ),
            (
                "/occurredAt",
                Some("2099-12-31T23:59:59.999Z".into()),
                APPLIED,
            ),
            ("/occurredAt", Some("2100-01-01T00:00:00Z".into()), INVALID),
        ] {
            let event = move_with(pointer, value.clone());
            assert_eq!(in_a_game(&event), expected, "{pointer} {value:?}");
        }
    }

    #[test]
    fn ends_outside_their_limits_are_invalid() {
        let rating = json!({"playerId": "p-7", "rating": 1});
        for (kind, payload, expected) in [
            (
                "GameEnded",
                json!({"result": "win", "termination": "x"}),
                INVALID,
            ),
            (
                "GameEnded",
                json!({"result": "draw", "winner": "p-7", "termination": "x"}),
                INVALID,
            ),
            (
                "GameEnded",
                json!({"result": "draw", "winner": null, "termination": "x"}),
                APPLIED,
            ),
            (
                "GameEnded",
                json!({"result": "draw", "termination": "X"}),
                INVALID,
            ),
            ("GameAborted", json!({"moveCount": -1}), INVALID),
            (
                "GameAborted",
                json!({"moveCount": 4_294_967_296_u64}),
                INVALID,
            ),
            (
                "GameAborted",
                json!({"ratings": vec![rating.clone(); 16]}),
                APPLIED,
            ),
            ("GameAborted", json!({"ratings": vec![rating; 17]}), INVALID),
            ("GameAborted", json!({"opening": {"code": ""}}), INVALID),
            (
                "GameAborted",
                json!({"opening": {"code": "C42", "name": "x".repeat(201)}}),
                INVALID,
            ),
        ] {
            let mut log = Log::default();
            log.create();
            assert_eq!(log.ends(kind, &payload), expected, "{payload}");
        }
    }

    #[test]
    fn a_game_id_of_over_a_hundred_characters_is_invalid_and_not_kept() {
        let id = "x".repeat(101);
        let event = move_with("/gameId", Some(id.clone().into())).to_string();
        let mut log = Log::default();
        assert_eq!(
            log.raw(Some(id.as_bytes()), Some(event.as_bytes())),
            INVALID
        );
        assert_eq!(log.fold.set_aside[&0].game_id, None);
    }
}
