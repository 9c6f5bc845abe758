//! Ends: their outcomes, their limits, and what comes after them.

use serde_json::{Value, json};

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
