//! The fold over logs made by hand: a sentence a rule.

mod ends;
mod reading;

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
