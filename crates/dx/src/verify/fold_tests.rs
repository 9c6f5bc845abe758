//! The fold over logs made by hand: a sentence a rule.

use serde_json::{Value, json};

use super::event::{Reason, Verdict};
use super::fold::{Finished, Fold, Record};

const APPLIED: Verdict = Verdict::Applied;
const DUPLICATE: Verdict = Verdict::Duplicate;
const LATE: Verdict = Verdict::Late;
const CONFLICT: Verdict = Verdict::DeadLetter(Reason::Conflict);
const INVALID: Verdict = Verdict::DeadLetter(Reason::Invalid);
const ORPHAN: Verdict = Verdict::DeadLetter(Reason::Orphan);
const UNDECODABLE: Verdict = Verdict::DeadLetter(Reason::Undecodable);
const UNSUPPORTED: Verdict = Verdict::DeadLetter(Reason::Unsupported);
const KEY_MISMATCH: Verdict = Verdict::DeadLetter(Reason::KeyMismatch);

const NOON: &str = "2026-11-21T12:00:00Z";

/// A log and what has become of it so far.
#[derive(Default)]
struct Log {
    fold: Fold,
    next: i64,
}

impl Log {
    fn raw(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Verdict {
        let record = Record {
            offset: self.next,
            key,
            value,
            timestamp_ms: None,
        };
        self.next += 1;
        self.fold
            .record(&record, || Some(vec![("event_type".into(), None)]))
    }

    /// The value under the key `g`.
    fn value(&mut self, value: &str) -> Verdict {
        self.raw(Some(b"g"), Some(value.as_bytes()))
    }

    fn event(&mut self, kind: &str, at: &str, payload: &Value) -> Verdict {
        self.value(&envelope(kind, at, payload).to_string())
    }

    fn create(&mut self) -> Verdict {
        self.event("GameCreated", NOON, &created())
    }

    /// A game of these players.
    fn create_for(&mut self, players: &[&str]) -> Verdict {
        let seats = players
            .iter()
            .map(|id| json!({"playerId": id, "role": "seat"}));
        let payload = json!({"mode": "rated", "players": seats.collect::<Vec<_>>()});
        self.event("GameCreated", NOON, &payload)
    }

    fn plays(&mut self, ply: u32, text: &str) -> Verdict {
        let player = if ply % 2 == 1 { "p-7" } else { "p-8" };
        self.event(
            "MoveMade",
            NOON,
            &json!({"moveNumber": ply, "playerId": player, "move": text}),
        )
    }

    fn ends(&mut self, kind: &str, payload: &Value) -> Verdict {
        self.event(kind, "2026-11-21T12:10:00Z", payload)
    }

    fn draw(&mut self) -> Verdict {
        self.ends(
            "GameEnded",
            &json!({"result": "draw", "termination": "stalemate"}),
        )
    }

    fn game(&self) -> &Finished {
        &self.fold.finished["g"]
    }

    fn plies(&self) -> Vec<u32> {
        self.game().moves.iter().map(|m| m.ply).collect()
    }
}

fn created() -> Value {
    json!({"game": "chess", "variant": "standard", "mode": "rated", "players": [
        {"playerId": "p-7", "role": "white", "rating": 2410}, {"playerId": "p-8", "role": "black"}]})
}

fn envelope(kind: &str, at: &str, payload: &Value) -> Value {
    json!({"eventId": "e-1", "eventType": kind, "schemaVersion": 1, "gameId": "g", "occurredAt": at, "payload": payload})
}

fn a_move() -> Value {
    envelope(
        "MoveMade",
        NOON,
        &json!({"moveNumber": 1, "playerId": "p-7", "move": "e2e4"}),
    )
}

/// A game whose first move is on its way: what becomes of this value in it?
fn in_a_game(value: &Value) -> Verdict {
    let mut log = Log::default();
    assert_eq!(log.create(), APPLIED);
    log.value(&value.to_string())
}

/// The move with one value put in its place, by JSON pointer; `None` takes it away.
fn move_with(pointer: &str, value: Option<Value>) -> Value {
    with(a_move(), pointer, value)
}

fn with(mut event: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => Some(parent.remove(name).unwrap()),
    };
    event
}

mod creates {
    use super::*;

    #[test]
    fn the_same_create_again_is_a_duplicate_at_whatever_time() {
        let mut log = Log::default();
        assert_eq!(log.create(), APPLIED);
        assert_eq!(
            log.event("GameCreated", "2026-11-22T12:00:00Z", &created()),
            DUPLICATE
        );
        assert_eq!(log.draw(), APPLIED);
        assert_eq!(log.game().started_ms, 1_795_262_400_000);
    }

    #[test]
    fn defaults_written_out_are_the_same_create() {
        let mut log = Log::default();
        let mut short = created();
        short.as_object_mut().unwrap().remove("variant");
        short.as_object_mut().unwrap().remove("game");
        assert_eq!(log.event("GameCreated", NOON, &short), APPLIED);
        assert_eq!(log.create(), DUPLICATE);
    }

    #[test]
    fn another_create_of_a_live_game_is_a_conflict() {
        let mut log = Log::default();
        log.create();
        assert_eq!(log.create_for(&["p-7", "p-8"]), CONFLICT);
        let elsewhere = with(
            envelope("GameCreated", NOON, &created()),
            "/region",
            Some("eu".into()),
        );
        assert_eq!(log.value(&elsewhere.to_string()), CONFLICT);
    }

    #[test]
    fn whoever_is_not_one_to_sixteen_different_players_is_invalid() {
        let mut log = Log::default();
        assert_eq!(log.create_for(&[]), INVALID);
        assert_eq!(log.create_for(&["a", "b", "a"]), INVALID);
        let many: Vec<String> = (0..17).map(|n| format!("p{n}")).collect();
        let many: Vec<&str> = many.iter().map(|id| &**id).collect();
        assert_eq!(log.create_for(&many), INVALID);
        assert_eq!(log.create_for(&many[..16]), APPLIED);
    }
}

mod moves {
    use super::*;

    #[test]
    fn moves_are_kept_with_their_clocks_and_times() {
        let mut log = Log::default();
        log.create();
        let payload =
            json!({"moveNumber": 1, "playerId": "p-7", "move": "e2e4", "clockMs": 171_000});
        assert_eq!(
            log.event("MovePlayed", "2026-11-21T12:00:03.500Z", &payload),
            APPLIED
        );
        log.draw();
        let m = &log.game().moves[0];
        assert_eq!((m.ply, m.player, &*m.text), (1, 0, "e2e4"));
        assert_eq!((m.clock_ms, m.at_ms), (Some(171_000), 1_795_262_403_500));
    }

    #[test]
    fn a_known_ply_is_a_duplicate_or_a_conflict_applied_or_held() {
        let mut log = Log::default();
        log.create();
        for ply in [1, 3] {
            assert_eq!(log.plays(ply, "e2e4"), APPLIED);
            assert_eq!(log.plays(ply, "e2e4"), DUPLICATE);
            assert_eq!(log.plays(ply, "d2d4"), CONFLICT);
            let other = json!({"moveNumber": ply, "playerId": "p-8", "move": "e2e4"});
            assert_eq!(log.event("MoveMade", NOON, &other), CONFLICT);
            let clock = json!({"moveNumber": ply, "playerId": "p-7", "move": "e2e4", "clockMs": 5});
            assert_eq!(
                log.event("MoveMade", "2026-11-21T12:00:01Z", &clock),
                DUPLICATE
            );
        }
    }

    #[test]
    fn moves_that_come_early_are_held_and_drained() {
        let mut log = Log::default();
        log.create();
        for ply in [3, 2, 5, 1] {
            assert_eq!(log.plays(ply, "e2e4"), APPLIED);
        }
        assert_eq!(log.plays(4, "e2e4"), APPLIED);
        log.draw();
        assert_eq!(
            (log.plies(), log.game().incomplete),
            (vec![1, 2, 3, 4, 5], false)
        );
    }

    #[test]
    fn a_game_that_ends_with_a_gap_keeps_its_plies_and_is_incomplete() {
        let mut log = Log::default();
        log.create();
        for ply in [1, 4, 3] {
            log.plays(ply, "e2e4");
        }
        log.draw();
        assert_eq!((log.plies(), log.game().incomplete), (vec![1, 3, 4], true));
    }

    #[test]
    fn the_sixty_fifth_held_move_is_a_gap_overflow_until_the_gap_closes() {
        let mut log = Log::default();
        log.create();
        for ply in 2..66 {
            assert_eq!(log.plays(ply, "e2e4"), APPLIED, "{ply}");
        }
        assert_eq!(
            log.plays(66, "e2e4"),
            Verdict::DeadLetter(Reason::GapOverflow)
        );
        assert_eq!(log.plays(65, "e2e4"), DUPLICATE);
        assert_eq!(log.plays(1, "e2e4"), APPLIED);
        assert_eq!(log.plays(67, "e2e4"), APPLIED);
    }

    #[test]
    fn a_move_by_somebody_who_does_not_play_is_invalid_even_at_a_known_ply() {
        let mut log = Log::default();
        log.create();
        log.plays(1, "e2e4");
        for ply in [1, 2] {
            let payload = json!({"moveNumber": ply, "playerId": "p-9", "move": "e2e4"});
            assert_eq!(log.event("MoveMade", NOON, &payload), INVALID);
        }
    }
}

mod ends {
    use super::*;

    fn of_two(kind: &str, payload: &Value) -> Log {
        let mut log = Log::default();
        log.create();
        assert_eq!(log.ends(kind, payload), APPLIED, "{payload}");
        log
    }

    fn outcome(log: &Log) -> (&str, Option<&str>, &str, [&str; 2]) {
        let game = log.game();
        let results = ["p-7", "p-8"].map(|player| game.result_of(player));
        (
            game.result(),
            game.winner.as_deref(),
            &game.termination,
            results,
        )
    }

    #[test]
    fn each_kind_of_end_has_its_result_and_its_line() {
        for (kind, payload, expected, line) in [
            (
                "GameEnded",
                json!({"result": "win", "winner": "p-8", "termination": "checkmate"}),
                ("win", Some("p-8"), "checkmate", ["loss", "win"]),
                "won checkmate p-8",
            ),
            (
                "GameEnded",
                json!({"result": "draw", "termination": "agreement"}),
                ("draw", None, "agreement", ["draw", "draw"]),
                "drawn agreement",
            ),
            (
                "GameEnded",
                json!({"result": "none", "termination": "cancelled"}),
                ("none", None, "cancelled", ["none", "none"]),
                "no_result cancelled",
            ),
            (
                "GameResigned",
                json!({"playerId": "p-8"}),
                ("win", Some("p-7"), "resignation", ["win", "loss"]),
                "resigned p-8",
            ),
            (
                "GameResigned",
                json!({"playerId": "p-8", "winner": "p-7"}),
                ("win", Some("p-7"), "resignation", ["win", "loss"]),
                "resigned p-8 to p-7",
            ),
            (
                "GameTimeout",
                json!({"playerId": "p-7"}),
                ("win", Some("p-8"), "timeout", ["loss", "win"]),
                "timed_out p-7",
            ),
            (
                "GameTimeout",
                json!({"playerId": "p-7", "winner": "p-8"}),
                ("win", Some("p-8"), "timeout", ["loss", "win"]),
                "timed_out p-7 to p-8",
            ),
            (
                "GameAborted",
                json!({}),
                ("none", None, "aborted", ["none", "none"]),
                "aborted aborted",
            ),
            (
                "GameAborted",
                json!({"termination": "abandoned"}),
                ("none", None, "abandoned", ["none", "none"]),
                "aborted abandoned",
            ),
        ] {
            let log = of_two(kind, &payload);
            assert_eq!(
                (outcome(&log), &*log.game().end),
                (expected, line),
                "{payload}"
            );
        }
    }

    #[test]
    fn a_player_who_gives_up_alone_loses_and_nobody_wins() {
        let mut log = Log::default();
        log.create_for(&["solo"]);
        assert_eq!(
            log.ends("GameResigned", &json!({"playerId": "solo"})),
            APPLIED
        );
        assert_eq!(
            (log.game().result(), log.game().result_of("solo")),
            ("none", "loss")
        );
    }

    #[test]
    fn where_more_than_two_play_the_winner_must_be_named() {
        let mut log = Log::default();
        log.create_for(&["a", "b", "c"]);
        assert_eq!(log.ends("GameTimeout", &json!({"playerId": "a"})), INVALID);
        assert_eq!(
            log.ends("GameTimeout", &json!({"playerId": "a", "winner": "c"})),
            APPLIED
        );
        assert_eq!(
            ["a", "b", "c"].map(|p| log.game().result_of(p)),
            ["loss", "loss", "win"]
        );
    }

    #[test]
    fn an_end_that_names_somebody_else_is_invalid_and_the_game_goes_on() {
        let mut log = Log::default();
        log.create();
        for (kind, payload) in [
            (
                "GameEnded",
                json!({"result": "win", "winner": "p-9", "termination": "checkmate"}),
            ),
            ("GameResigned", json!({"playerId": "p-9"})),
            ("GameResigned", json!({"playerId": "p-9", "winner": "p-7"})),
            ("GameResigned", json!({"playerId": "p-7", "winner": "p-7"})),
            ("GameTimeout", json!({"playerId": "p-7", "winner": "p-9"})),
            (
                "GameAborted",
                json!({"ratings": [{"playerId": "p-9", "rating": 1}]}),
            ),
        ] {
            assert_eq!(log.ends(kind, &payload), INVALID, "{payload}");
        }
        assert_eq!(log.draw(), APPLIED);
    }

    #[test]
    fn an_end_before_its_create_or_four_hundred_days_after_is_invalid() {
        let abort = json!({});
        for (at, verdict) in [
            ("2026-11-21T11:59:59.999Z", INVALID),
            ("2026-11-21T12:00:00Z", APPLIED),
            ("2027-12-26T12:00:00Z", APPLIED),
            ("2027-12-26T12:00:00.001Z", INVALID),
        ] {
            let mut log = Log::default();
            log.create();
            assert_eq!(log.event("GameAborted", at, &abort), verdict, "{at}");
        }
    }

    #[test]
    fn fewer_moves_than_the_end_counts_make_a_game_incomplete() {
        for (counted, incomplete) in [(0, false), (1, false), (2, true)] {
            let mut log = Log::default();
            log.create();
            log.plays(1, "e2e4");
            log.ends("GameAborted", &json!({"moveCount": counted}));
            assert_eq!(log.game().incomplete, incomplete, "{counted}");
        }
    }

    #[test]
    fn new_ratings_and_the_opening_are_kept_and_the_first_rating_counts() {
        let ratings = json!([{"playerId": "p-8", "rating": 9}, {"playerId": "p-8", "rating": 10}]);
        let log = of_two(
            "GameAborted",
            &json!({"ratings": ratings, "opening": {"code": "C42"}}),
        );
        assert_eq!(
            (
                log.game().rating_after("p-8"),
                log.game().rating_after("p-7")
            ),
            (Some(9), None)
        );
        assert_eq!(log.game().opening, Some(("C42".to_owned(), None)));
    }
}

mod after_the_end {
    use super::*;

    #[test]
    fn an_equal_end_is_a_duplicate_whatever_else_it_carries() {
        let mut log = Log::default();
        log.create();
        log.draw();
        assert_eq!(log.draw(), DUPLICATE);
        let rated = json!({"result": "draw", "termination": "stalemate", "ratings": [{"playerId": "p-9", "rating": 1}]});
        assert_eq!(
            log.event("GameEnded", "2027-11-21T12:00:00Z", &rated),
            DUPLICATE
        );
    }

    #[test]
    fn another_end_is_a_conflict_also_one_the_game_could_not_have_taken() {
        let mut log = Log::default();
        log.create();
        log.draw();
        assert_eq!(
            log.ends("GameResigned", &json!({"playerId": "p-7"})),
            CONFLICT
        );
        assert_eq!(
            log.ends("GameResigned", &json!({"playerId": "p-9"})),
            CONFLICT
        );
        assert_eq!(
            log.ends(
                "GameEnded",
                &json!({"result": "draw", "termination": "agreement"})
            ),
            CONFLICT
        );
    }

    #[test]
    fn everything_else_is_late_even_what_was_accepted_before() {
        let mut log = Log::default();
        log.create();
        log.plays(1, "e2e4");
        log.draw();
        assert_eq!(log.create(), LATE);
        assert_eq!(log.create_for(&["x"]), LATE);
        assert_eq!(log.plays(1, "e2e4"), LATE);
        assert_eq!(log.plays(2, "e7e5"), LATE);
        assert_eq!(log.plies(), [1]);
    }

    #[test]
    fn a_game_without_a_create_is_an_orphan_even_if_the_create_follows() {
        let mut log = Log::default();
        assert_eq!(log.plays(1, "e2e4"), ORPHAN);
        assert_eq!(log.draw(), ORPHAN);
        assert_eq!(log.create(), APPLIED);
        assert_eq!(log.plays(1, "e2e4"), APPLIED);
    }
}

mod unreadable {
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

mod counting {
    use super::*;

    #[test]
    fn every_record_has_one_verdict_and_a_dead_letter_is_kept_whole() {
        let mut log = Log::default();
        log.create();
        log.create();
        log.plays(2, "e7e5");
        log.raw(Some(b"k"), Some(b"{"));
        log.draw();
        log.plays(1, "e2e4");
        assert_eq!(log.draw(), DUPLICATE);
        assert_eq!(log.ends("GameAborted", &json!({})), CONFLICT);
        assert_eq!(log.fold.counts, [3, 2, 1, 1, 0, 0, 0, 1, 0, 0]);
        assert_eq!(log.fold.records(), 8);
        let letter = &log.fold.set_aside[&3];
        assert_eq!(
            (letter.key.as_deref(), letter.raw.as_deref()),
            (Some(&b"k"[..]), Some(&b"{"[..]))
        );
        assert_eq!(letter.headers, Some(vec![("event_type".to_owned(), None)]));
        assert_eq!(log.fold.set_aside[&7].game_id.as_deref(), Some("g"));
        assert_eq!(
            log.fold.set_aside.keys().copied().collect::<Vec<_>>(),
            [3, 7]
        );
    }

    #[test]
    fn a_live_game_remembers_which_records_changed_it() {
        let mut log = Log::default();
        log.create();
        log.create();
        log.plays(3, "e2e4");
        log.plays(3, "d2d4");
        log.plays(1, "e2e4");
        assert_eq!(log.fold.live["g"].applied_at, [0, 2, 4]);
    }
}
