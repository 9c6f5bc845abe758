//! The rules of the fold, a sentence each, against records written by hand. The protocol around it is searched by the
//! simulator under `tests/`.

use serde_json::json;
use store::ingest::{Batch, ClaimedGame};
use stream::{RecordBlock, RecordBlockBuilder};

use super::*;
use crate::games::CloseReason;

const NOW_MS: u64 = 0;

fn scope() -> Scope {
    Scope {
        pipeline: "games".into(),
        topic: "t".into(),
        topic_id: "id".into(),
        partition: 3,
    }
}

fn claim(next_offset: i64, replay_from: i64, live_games: Vec<ClaimedGame>) -> Claim {
    Claim {
        token: Uuid::nil(),
        next_offset,
        replay_from,
        live_games,
    }
}

fn fresh() -> PartitionFold {
    PartitionFold::new(scope(), claim(0, 0, Vec::new()), FoldPolicy::default()).unwrap()
}

/// A record's value. `what` is `C`, `M<ply>=<move>`, `E=<termination>` or anything else for rubbish.
fn value(game: &str, what: &str) -> Vec<u8> {
    let (kind, payload) = match what.split_at(1) {
        ("C", mode) => {
            let players =
                json!([{"playerId": "w", "role": "white"}, {"playerId": "b", "role": "black"}]);
            (
                "GameCreated",
                json!({"mode": if mode.is_empty() { "rated" } else { mode }, "players": players}),
            )
        }
        ("M", rest) => {
            let (ply, text) = rest.split_once('=').unwrap();
            let ply: i64 = ply.parse().unwrap();
            let player = if ply % 2 == 1 { "w" } else { "b" };
            (
                "MoveMade",
                json!({"moveNumber": ply, "playerId": player, "move": text}),
            )
        }
        ("E", rest) => (
            "GameEnded",
            json!({"result": "draw", "termination": rest.trim_start_matches('=')}),
        ),
        _ => return what.as_bytes().to_vec(),
    };
    let envelope = json!({"eventId": "e", "eventType": kind, "schemaVersion": 1, "gameId": game,
        "occurredAt": "2026-11-21T10:00:00Z", "payload": payload});
    envelope.to_string().into_bytes()
}

/// A block of records from `first` on; each is a game and what happens in it.
fn block(first: i64, records: &[(&str, &str)]) -> RecordBlock {
    let mut builder = RecordBlockBuilder::default();
    for (offset, (game, what)) in (first..).zip(records) {
        builder.push(
            offset,
            None,
            Some(game.as_bytes()),
            Some(&value(game, what)),
            std::iter::empty(),
        );
    }
    builder.build(3, 1)
}

fn fold_with(
    fold: &mut PartitionFold,
    first: i64,
    records: &[(&str, &str)],
    ended: &HashMap<GameId, DirectoryEntry>,
) -> Result<(), FoldError> {
    let block = block(first, records);
    let mut decoded = decode(&block, fold.position());
    fold.replay(&mut decoded, NOW_MS)?;
    if fold.ghosts_to_look_up().is_some() {
        fold.settle(ended)?;
    }
    let unknown: Vec<GameId> = fold
        .begin_look_up(&decoded)
        .into_iter()
        .map(|id| GameId::parse(id).unwrap())
        .collect();
    let hits = ended
        .iter()
        .filter(|(id, _)| unknown.contains(id))
        .map(|(id, e)| (id.clone(), e.clone()))
        .collect();
    fold.fold(&decoded, &hits, NOW_MS)
}

fn fold(fold: &mut PartitionFold, first: i64, records: &[(&str, &str)]) {
    fold_with(fold, first, records, &HashMap::new()).unwrap();
}

fn close(fold: &mut PartitionFold) -> Batch {
    fold.close(CloseReason::Due, NOW_MS).unwrap()
}

fn reasons(batch: &Batch) -> Vec<(i64, Reason)> {
    batch
        .dead_letters
        .iter()
        .map(|letter| (letter.record.offset, letter.reason))
        .collect()
}

fn ended(
    game: &str,
    end: &str,
    partition: i32,
    end_offset: i64,
) -> HashMap<GameId, DirectoryEntry> {
    let entry = DirectoryEntry {
        end: end.into(),
        topic_id: "id".into(),
        partition,
        end_offset,
    };
    [(GameId::parse(game).unwrap(), entry)].into()
}

/// The live games of a batch's snapshots, as the next claim would load them.
fn rows(batch: &Batch) -> Vec<ClaimedGame> {
    let rows = batch.snapshots.iter().map(|snapshot| ClaimedGame {
        game_id: snapshot.game_id.clone(),
        as_of_offset: batch.as_of_offset(),
        state: snapshot.state.clone(),
    });
    rows.collect()
}

mod verdicts {
    use super::*;

    #[test]
    fn every_record_gets_one_verdict_and_the_counters_add_up() {
        let mut f = fresh();
        let records = [
            ("g", "C"),
            ("g", "M1=a"),
            ("g", "M1=a"),
            ("g", "M1=b"),
            ("h", "M1=a"),
            ("g", "rubbish"),
            ("g", "E=agreement"),
            ("g", "E=agreement"),
            ("g", "E=stalemate"),
            ("g", "M2=c"),
            ("g", "C"),
        ];
        fold(&mut f, 0, &records);
        let batch = close(&mut f);
        assert_eq!(
            (
                batch.counts.applied,
                batch.counts.duplicates,
                batch.counts.late
            ),
            (3, 2, 2)
        );
        assert_eq!(
            reasons(&batch),
            [
                (3, Reason::Conflict),
                (4, Reason::Orphan),
                (5, Reason::Undecodable),
                (8, Reason::Conflict)
            ]
        );
        assert_eq!(batch.counts.records(), 11);
        assert_eq!((batch.base, batch.next, batch.finished.len()), (0, 11, 1));
    }

    #[test]
    fn a_game_that_ended_before_is_judged_by_its_directory_entry() {
        let mut f = fresh();
        let hits = ended("g", "drawn agreement", 3, -5);
        let records = [
            ("g", "C"),
            ("g", "M1=a"),
            ("g", "E=agreement"),
            ("g", "E=stalemate"),
        ];
        fold_with(&mut f, 0, &records, &hits).unwrap();
        let batch = close(&mut f);
        assert_eq!((batch.counts.duplicates, batch.counts.late), (1, 2));
        assert_eq!(reasons(&batch), [(3, Reason::Conflict)]);
    }

    #[test]
    fn a_directory_entry_ahead_of_this_owner_means_that_it_is_stale() {
        let hits = ended("g", "drawn agreement", 3, 7);
        assert!(matches!(
            fold_with(&mut fresh(), 7, &[("g", "C")], &hits),
            Err(FoldError::Stale { end_offset: 7, .. })
        ));
        let elsewhere = ended("g", "drawn agreement", 4, 7);
        fold_with(&mut fresh(), 7, &[("g", "C")], &elsewhere).unwrap();
    }

    #[test]
    fn a_dead_letter_keeps_the_record_whole() {
        let mut builder = RecordBlockBuilder::default();
        let headers = [("event_type", Some(&b"MoveMade"[..])), ("x", None)];
        builder.push(
            9,
            Some(1_700_000_000_000),
            Some(b"k"),
            Some(b"\xff"),
            headers.into_iter(),
        );
        let block = builder.build(3, 1);
        let mut f = fresh();
        f.begin_look_up(&[]);
        f.fold(&decode(&block, 0), &HashMap::new(), NOW_MS).unwrap();
        let batch = f.close(CloseReason::Idle, NOW_MS).unwrap();
        let record = &batch.dead_letters[0].record;
        assert_eq!(
            (
                record.offset,
                record.key.as_deref(),
                record.value.as_deref()
            ),
            (9, Some(&b"k"[..]), Some(&b"\xff"[..]))
        );
        assert_eq!(
            record.recorded_at.unwrap().timestamp_millis(),
            1_700_000_000_000
        );
        assert_eq!(
            record.headers,
            [
                ("event_type".into(), Some(b"MoveMade".to_vec())),
                ("x".into(), None)
            ]
        );
    }
}

mod in_flight {
    use super::*;

    #[test]
    fn an_end_of_an_uncommitted_batch_is_remembered() {
        let mut f = fresh();
        fold(&mut f, 0, &[("g", "C"), ("g", "E=agreement")]);
        let first = close(&mut f);
        fold(&mut f, 2, &[("g", "M1=a"), ("g", "E=agreement")]);
        let second = close(&mut f);
        assert_eq!((second.counts.late, second.counts.duplicates), (1, 1));
        assert_eq!((first.next, second.base), (2, 2));
    }

    #[test]
    fn an_end_is_remembered_until_look_ups_begun_before_its_commit_are_folded() {
        let mut f = fresh();
        fold(&mut f, 0, &[("g", "C"), ("g", "E=agreement")]);
        let first = close(&mut f);
        let block = block(2, &[("g", "E=stalemate")]);
        let decoded = decode(&block, f.position());
        f.begin_look_up(&decoded);
        f.committed(first.next);
        f.fold(&decoded, &HashMap::new(), NOW_MS).unwrap();
        assert_eq!(reasons(&close(&mut f)), [(2, Reason::Conflict)]);
    }

    #[test]
    fn a_batch_says_what_was_true_at_its_end_whatever_is_folded_after() {
        let mut f = fresh();
        fold(&mut f, 0, &[("g", "C"), ("g", "M1=a")]);
        let batch = close(&mut f);
        fold(&mut f, 2, &[("g", "M2=b")]);
        assert_eq!(
            LiveGame::decode(&batch.snapshots[0].state)
                .unwrap()
                .applied_plies(),
            1
        );
    }
}

mod snapshots {
    use super::*;

    #[test]
    fn a_new_game_is_written_with_its_first_batch() {
        let mut f = fresh();
        fold(&mut f, 0, &[("g", "C")]);
        let batch = close(&mut f);
        assert_eq!((batch.snapshots.len(), batch.replay_from), (1, 1));
    }

    #[test]
    fn a_game_is_written_again_after_ten_plies() {
        let mut f = fresh();
        fold(&mut f, 0, &[("g", "C")]);
        close(&mut f);
        for ply in 1..=9 {
            fold(&mut f, ply, &[("g", &format!("M{ply}=m"))]);
            assert_eq!((close(&mut f).snapshots.len(), ply), (0, ply));
        }
        fold(&mut f, 10, &[("g", "M10=m")]);
        let batch = close(&mut f);
        assert_eq!((batch.snapshots.len(), batch.replay_from), (1, 11));
    }

    #[test]
    fn replay_from_is_the_oldest_event_that_no_snapshot_covers() {
        let mut f = fresh();
        fold(&mut f, 0, &[("a", "C"), ("b", "C")]);
        close(&mut f);
        fold(&mut f, 2, &[("b", "M1=x"), ("a", "M1=x"), ("b", "M2=y")]);
        let batch = close(&mut f);
        assert_eq!(
            (batch.snapshots.len(), batch.replay_from, batch.next),
            (0, 2, 5)
        );
        fold(&mut f, 5, &[("b", "E=agreement")]);
        assert_eq!(close(&mut f).replay_from, 3);
    }

    #[test]
    fn a_game_too_far_back_is_written_so_that_replay_stays_short() {
        let policy = FoldPolicy {
            max_replay_offsets: 5,
            ..FoldPolicy::default()
        };
        let mut f = PartitionFold::new(scope(), claim(0, 0, Vec::new()), policy).unwrap();
        fold(&mut f, 0, &[("a", "C"), ("b", "C")]);
        close(&mut f);
        fold(
            &mut f,
            2,
            &[("a", "M1=x"), ("b", "M1=x"), ("b", "M2=x"), ("b", "M3=x")],
        );
        assert_eq!(close(&mut f).replay_from, 2);
        fold(&mut f, 6, &[("b", "M4=x")]);
        let batch = close(&mut f);
        assert_eq!((batch.snapshots.len(), batch.replay_from), (1, 3));
    }

    #[test]
    fn an_idle_partition_writes_every_game_and_then_replays_nothing() {
        let mut f = fresh();
        fold(&mut f, 0, &[("a", "C"), ("b", "C")]);
        close(&mut f);
        fold(&mut f, 2, &[("a", "M1=x"), ("b", "M2=held")]);
        let batch = f.close(CloseReason::Idle, NOW_MS).unwrap();
        assert_eq!(
            (batch.snapshots.len(), batch.replay_from, batch.next),
            (2, 4, 4)
        );
        assert!(!f.has_unwritten());
        assert!(f.close(CloseReason::Idle, NOW_MS).is_none());
    }

    #[test]
    fn a_game_that_ends_leaves_no_row_behind() {
        let mut f = fresh();
        fold(&mut f, 0, &[("g", "C")]);
        close(&mut f);
        fold(
            &mut f,
            1,
            &[("g", "E=agreement"), ("h", "C"), ("h", "E=agreement")],
        );
        let batch = close(&mut f);
        assert_eq!(batch.ended_rows, [GameId::parse("g").unwrap()]);
        assert!(batch.snapshots.is_empty());
    }
}

mod replay {
    use super::*;

    #[test]
    fn a_young_game_is_folded_again_from_its_create() {
        let mut f =
            PartitionFold::new(scope(), claim(2, 0, Vec::new()), FoldPolicy::default()).unwrap();
        fold(
            &mut f,
            0,
            &[
                ("g", "C"),
                ("g", "M1=a"),
                ("g", "M2=b"),
                ("g", "E=agreement"),
            ],
        );
        let batch = close(&mut f);
        assert_eq!((batch.base, batch.next, batch.counts.applied), (2, 4, 2));
        assert_eq!(batch.finished[0].game.move_count, 2);
    }

    #[test]
    fn a_loaded_game_skips_what_its_snapshot_covers() {
        let mut before = fresh();
        fold(&mut before, 0, &[("g", "C"), ("g", "M1=a"), ("g", "M3=c")]);
        let rows = rows(&before.close(CloseReason::Idle, NOW_MS).unwrap());
        let mut f = PartitionFold::new(scope(), claim(4, 1, rows), FoldPolicy::default()).unwrap();
        fold(
            &mut f,
            1,
            &[
                ("g", "M1=a"),
                ("g", "M3=c"),
                ("g", "M2=b"),
                ("g", "E=agreement"),
            ],
        );
        let batch = close(&mut f);
        assert_eq!((batch.counts.applied, batch.counts.duplicates), (1, 0));
        assert_eq!(
            (
                batch.finished[0].game.move_count,
                batch.finished[0].game.incomplete
            ),
            (3, false)
        );
    }

    #[test]
    fn there_are_no_effects_below_n() {
        let mut f =
            PartitionFold::new(scope(), claim(3, 0, Vec::new()), FoldPolicy::default()).unwrap();
        fold(
            &mut f,
            0,
            &[("g", "rubbish"), ("x", "M1=orphan"), ("g", "C"), ("g", "C")],
        );
        let batch = close(&mut f);
        assert_eq!(
            (
                batch.counts.records(),
                batch.counts.duplicates,
                batch.dead_letters.len()
            ),
            (1, 1, 0)
        );
    }

    #[test]
    fn the_ghost_of_a_finished_game_is_dropped_at_n() {
        let mut f =
            PartitionFold::new(scope(), claim(6, 4, Vec::new()), FoldPolicy::default()).unwrap();
        let hits = ended("g", "drawn agreement", 3, 3);
        fold_with(
            &mut f,
            4,
            &[("g", "C"), ("h", "C"), ("g", "M1=a"), ("h", "M1=a")],
            &hits,
        )
        .unwrap();
        let batch = close(&mut f);
        assert_eq!(
            (batch.counts.late, batch.counts.applied, f.live_games()),
            (1, 1, 1)
        );
    }

    #[test]
    fn nothing_is_closed_before_the_replay_has_reached_n() {
        let mut f =
            PartitionFold::new(scope(), claim(3, 0, Vec::new()), FoldPolicy::default()).unwrap();
        let block = block(0, &[("g", "C")]);
        let mut decoded = decode(&block, 0);
        f.replay(&mut decoded, NOW_MS).unwrap();
        assert!(f.ghosts_to_look_up().is_none());
        assert!(f.close(CloseReason::Shutdown, NOW_MS).is_none());
    }
}

mod breaker {
    use super::*;

    fn guarded() -> PartitionFold {
        let policy = FoldPolicy {
            unreadable_run: 3,
            ..FoldPolicy::default()
        };
        PartitionFold::new(scope(), claim(0, 0, Vec::new()), policy).unwrap()
    }

    #[test]
    fn a_run_of_unreadable_records_stops_before_it_is_committed() {
        let mut f = guarded();
        let records = [
            ("g", "C"),
            ("g", "rubbish"),
            ("g", "rubbish"),
            ("g", "rubbish"),
        ];
        let stopped = fold_with(&mut f, 0, &records, &HashMap::new());
        assert!(matches!(
            stopped,
            Err(FoldError::UnreadableRun {
                from_offset: 1,
                length: 3,
                ..
            })
        ));
        let batch = close(&mut f);
        assert_eq!((batch.next, batch.dead_letters.len()), (1, 0));
    }

    #[test]
    fn a_run_across_blocks_is_held_back_until_a_readable_record_comes() {
        let mut f = guarded();
        fold(&mut f, 0, &[("g", "C"), ("g", "rubbish")]);
        assert_eq!(close(&mut f).next, 1);
        fold(&mut f, 2, &[("g", "rubbish"), ("g", "M1=a")]);
        let batch = close(&mut f);
        assert_eq!(
            (batch.base, batch.next, batch.dead_letters.len()),
            (1, 4, 2)
        );
    }

    #[test]
    fn an_idle_partition_settles_a_short_run() {
        let mut f = guarded();
        fold(&mut f, 0, &[("g", "rubbish")]);
        assert!(f.close(CloseReason::Due, NOW_MS).is_none());
        assert!(f.has_unwritten());
        assert_eq!(f.close(CloseReason::Idle, NOW_MS).unwrap().next, 1);
    }

    #[test]
    fn events_that_are_sent_again_never_stop_a_partition() {
        let mut f = guarded();
        fold(&mut f, 0, &[("g", "C"), ("g", "E=agreement")]);
        for offset in 2..50 {
            fold(&mut f, offset, &[("g", "M1=a")]);
        }
        assert_eq!(close(&mut f).counts.late, 48);
    }
}
