//! The stream held against the contract and the domain's own rules: it is what it says it is.

use std::collections::HashMap;

use domain::{Action, GameEnd, LiveGame, Reason, Verdict};
use events::wire::{
    Envelope, GameAborted, GameCreated, GameEnded, GameResigned, GameTimeout, MoveMade,
};
use events::{Event, EventId, Payload};

use super::*;

const START_MS: i64 = 1_795_255_200_000;

fn settings(faults: Faults) -> Settings {
    Settings {
        seed: 42,
        games: Some(400),
        live: 30,
        players: 50,
        start_ms: START_MS,
        book_lines: 120,
        faults,
    }
}

const ALL: Faults = Faults {
    duplicates: 0.05,
    poison: 0.02,
    conflicts: 0.02,
    late: 0.02,
    gaps: 0.1,
    reorder: 0.05,
};

/// What a right reader says of each record, game by game.
#[derive(Default)]
struct Reader {
    live: HashMap<String, LiveGame>,
    ended: HashMap<String, (String, domain::FinishedGame)>,
}

impl Reader {
    fn judge(&mut self, record: &Record) -> &'static str {
        let event = match events::decode(record.key.as_deref(), record.value.as_deref()) {
            Ok(event) => event,
            Err(rejection) => return rejection.reason.as_str(),
        };
        let id = event.game_id.to_string();
        if let Some((end, _)) = self.ended.get(&id) {
            return match &event.action {
                Action::End(other) if GameEnd::fingerprint(other) == *end => "duplicate",
                Action::End(_) => Reason::Conflict.as_str(),
                _ => "late",
            };
        }
        let Some(live) = self.live.get_mut(&id) else {
            let Action::Create(game) = &event.action else {
                return Reason::Orphan.as_str();
            };
            self.live.insert(id, LiveGame::begin(game, event.at));
            return "applied";
        };
        let (verdict, finished) = live.apply(&id, event.at, &event.action).unwrap();
        if let Some(finished) = finished {
            self.live.remove(&id);
            self.ended
                .insert(id, (finished.end_fingerprint.clone(), *finished));
        }
        match verdict {
            Verdict::Applied => "applied",
            Verdict::Duplicate => "duplicate",
            Verdict::Late => "late",
            Verdict::DeadLetter(reason) => reason.as_str(),
        }
    }
}

fn sent(settings: Settings) -> Vec<Sent> {
    Play::new(settings)
        .filter_map(|step| match step {
            Step::Send(sent) => Some(sent),
            Step::Over(_) => None,
        })
        .collect()
}

type Bytes<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, Option<uuid::Uuid>);

fn bytes(sent: &[Sent]) -> Vec<Bytes<'_>> {
    sent.iter()
        .map(|s| {
            (
                s.record.key.as_deref(),
                s.record.value.as_deref(),
                s.record.about.map(|a| a.event_id),
            )
        })
        .collect()
}

mod truth {
    use super::*;

    #[test]
    fn every_record_is_judged_as_the_stream_says_it_will_be() {
        let mut reader = Reader::default();
        let mut seen: HashMap<(&str, &str), u32> = HashMap::new();
        for sent in sent(settings(ALL)) {
            let (fault, expected) = match &sent.role {
                Role::Fault(fault) => (fault.fault, fault.expected_name()),
                Role::Plain | Role::End { .. } => ("none", "applied"),
            };
            let value = String::from_utf8_lossy(sent.record.value.as_deref().unwrap_or_default());
            assert_eq!(
                reader.judge(&sent.record),
                expected,
                "{:?} {value:.300}",
                sent.role
            );
            *seen.entry((fault, expected)).or_default() += 1;
        }
        let reasons: Vec<&str> = seen
            .keys()
            .filter(|(fault, _)| *fault == "poison")
            .map(|(_, reason)| *reason)
            .collect();
        for reason in [
            "undecodable",
            "unsupported",
            "key_mismatch",
            "invalid",
            "orphan",
        ] {
            assert!(reasons.contains(&reason), "no poison is {reason}");
        }
        for fault in [
            ("duplicate", "duplicate"),
            ("late", "late"),
            ("conflict", "conflict"),
        ] {
            assert!(seen[&fault] > 100, "{fault:?}: {seen:?}");
        }
    }

    #[test]
    fn games_come_out_as_their_notes_say() {
        let mut reader = Reader::default();
        let mut terminations: HashMap<&str, u32> = HashMap::new();
        let mut notes = 0;
        for step in Play::new(settings(ALL)) {
            match step {
                Step::Send(sent) => {
                    reader.judge(&sent.record);
                }
                Step::Over(note) => {
                    *terminations.entry(note.termination).or_default() += 1;
                    notes += 1;
                    let Some((_, game)) = reader.ended.get(&*note.game_id) else {
                        assert_eq!((note.result, note.termination), ("live", "abandoned"));
                        assert!(reader.live.contains_key(&*note.game_id));
                        continue;
                    };
                    assert_eq!(
                        (game.result(), game.termination.as_str()),
                        (note.result, note.termination)
                    );
                    assert_eq!(
                        game.winner.as_ref().map(|w| w.as_str()),
                        note.winner.as_deref()
                    );
                    assert_eq!(game.incomplete, note.missing_ply.is_some(), "{note:?}");
                    let stored = usize::try_from(game.move_count).unwrap();
                    assert_eq!(stored + usize::from(game.incomplete), note.move_count);
                }
            }
        }
        assert_eq!(notes, 400);
        for termination in [
            "checkmate",
            "resignation",
            "timeout",
            "agreement",
            "repetition",
            "aborted",
            "abandoned",
            "stalemate",
        ] {
            assert!(terminations.contains_key(termination), "{terminations:?}");
        }
    }

    #[test]
    fn moves_are_legal_clocks_run_and_the_board_agrees_with_the_end() {
        let mut reader = Reader::default();
        for sent in sent(settings(Faults::default())) {
            assert_eq!(reader.judge(&sent.record), "applied");
        }
        for (_, game) in reader.ended.values() {
            let moves = game.moves.unpack(game.started_at).unwrap();
            let mut play = chess::Game::new(None).unwrap();
            for mv in &moves {
                play.play(play.position().parse_uci(&mv.text).unwrap())
                    .unwrap();
                assert!(game.started_at <= mv.at && mv.at <= game.ended_at);
            }
            let board = match play.outcome() {
                Some(chess::Outcome::Checkmate { .. }) => Some("checkmate"),
                Some(chess::Outcome::Draw(drawn)) => Some(drawn.as_str()),
                None => None,
            };
            match board {
                Some(board) => assert_eq!(game.termination.as_str(), board),
                None => assert!(
                    ["resignation", "timeout", "agreement", "aborted"]
                        .contains(&game.termination.as_str()),
                    "{}",
                    game.termination
                ),
            }
            if game.termination.as_str() == "timeout" {
                let to_move = moves.len() % 2;
                assert_ne!(
                    game.winner.as_ref(),
                    Some(&game.players[to_move].id),
                    "who is to move lost on time"
                );
            }
        }
    }

    #[test]
    fn records_are_the_bytes_and_headers_that_the_contracts_encoder_writes() {
        fn again<'a, P: serde::Deserialize<'a>>(
            json: &'a str,
            payload: fn(P) -> Payload<'a>,
        ) -> Event<'a> {
            let envelope: Envelope<'a, P> = serde_json::from_str(json).unwrap();
            Event {
                event_id: EventId(envelope.event_id.parse().unwrap()),
                game_id: envelope.game_id,
                occurred_at: domain::EventTime::from_datetime(envelope.occurred_at).unwrap(),
                region: envelope.region,
                payload: payload(envelope.payload),
            }
        }
        let mut room = record::HeaderRoom::default();
        for sent in sent(settings(Faults::default())) {
            let json = String::from_utf8(sent.record.value.clone().unwrap()).unwrap();
            let event = match sent.record.about.unwrap().event_type {
                "GameCreated" => again::<GameCreated<'_>>(&json, Payload::GameCreated),
                "MoveMade" => again::<MoveMade<'_>>(&json, Payload::MoveMade),
                "GameEnded" => again::<GameEnded<'_>>(&json, Payload::GameEnded),
                "GameResigned" => again::<GameResigned<'_>>(&json, Payload::GameResigned),
                "GameTimeout" => again::<GameTimeout<'_>>(&json, Payload::GameTimeout),
                _ => again::<GameAborted<'_>>(&json, Payload::GameAborted),
            };
            let wanted = events::encode(&event).unwrap();
            assert_eq!(String::from_utf8(wanted.value).unwrap(), json);
            assert_eq!(sent.record.key.as_deref(), Some(wanted.key.as_bytes()));
            let headers = sent.record.headers(&mut room);
            let wanted: Vec<_> = wanted
                .headers
                .iter()
                .map(|(k, v)| (*k, Some(v.as_bytes())))
                .collect();
            assert_eq!(headers, wanted);
        }
    }
}

mod seeds {
    use super::*;

    #[test]
    fn the_same_settings_give_the_same_bytes() {
        let (one, two) = (sent(settings(ALL)), sent(settings(ALL)));
        assert_eq!(bytes(&one), bytes(&two));
        let other = sent(Settings {
            seed: 43,
            ..settings(ALL)
        });
        assert_ne!(bytes(&one), bytes(&other));
    }

    #[test]
    fn faults_are_laid_over_the_same_games() {
        let plain = sent(settings(Faults::default()));
        let order_and_gaps = Faults {
            gaps: 0.0,
            reorder: 0.0,
            ..ALL
        };
        let faulty = sent(settings(order_and_gaps));
        let true_ones: Vec<Sent> = faulty
            .into_iter()
            .filter(|s| !matches!(s.role, Role::Fault(_)))
            .collect();
        assert_eq!(bytes(&plain), bytes(&true_ones));
    }
}

mod crowd {
    use super::*;

    #[test]
    fn as_many_games_are_live_as_are_set_and_never_more() {
        let (mut live, mut most) = (0_i32, 0);
        for step in Play::new(settings(Faults::default())) {
            match step {
                Step::Send(Sent {
                    record,
                    role: Role::Plain,
                }) => {
                    live += i32::from(record.about.unwrap().event_type == "GameCreated");
                    most = most.max(live);
                }
                Step::Send(_) => {}
                Step::Over(_) => live -= 1,
            }
        }
        assert_eq!((live, most), (0, 30));
    }

    #[test]
    fn a_stream_that_is_cut_off_tells_which_games_were_live() {
        let mut play = Play::new(Settings {
            games: None,
            ..settings(ALL)
        });
        let mut reader = Reader::default();
        let mut stopped = Vec::new();
        let mut steps = 0;
        while steps < 5_000 || !play.is_settled() {
            steps += 1;
            match play.next().unwrap() {
                Step::Send(sent) => {
                    reader.judge(&sent.record);
                }
                Step::Over(note) => stopped.push(note.game_id.to_string()),
            }
        }
        let mut told: Vec<String> = play
            .cut_off()
            .map(|note| note.game_id.to_string())
            .collect();
        let mut live: Vec<String> = reader
            .live
            .into_keys()
            .filter(|id| !stopped.contains(id))
            .collect();
        told.sort();
        live.sort();
        assert_eq!(told, live);
        assert!(!told.is_empty());
    }
}

mod poisons {
    use super::*;
    use crate::simulate::play::poison::{CORPUS, Scene};

    #[test]
    fn every_poison_is_refused_for_its_reason_and_harms_no_game() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let scene = Scene {
            game_id: "g-1",
            player: "ann",
            started_ms: START_MS,
            now_ms: START_MS + 60_000,
        };
        let new_game = r#"{"eventId":"e","eventType":"GameCreated","schemaVersion":1,"gameId":"g-1","occurredAt":"2026-11-21T10:00:00Z","payload":{"mode":"rated","players":[{"playerId":"ann","role":"white"},{"playerId":"bob","role":"black"}]}}"#;
        let mut reader = Reader::default();
        let record = |key: Option<Vec<u8>>, value| Record {
            key: key.map(Arc::from),
            value,
            about: None,
        };
        assert_eq!(
            reader.judge(&record(Some(b"g-1".to_vec()), Some(new_game.into()))),
            "applied"
        );
        let before = reader.live["g-1"].clone();
        for poison in &CORPUS {
            for _ in 0..20 {
                let (key, value) = (poison.make)(&scene, &mut rng);
                assert_eq!(
                    reader.judge(&record(key, value)),
                    poison.expected.as_str(),
                    "{}",
                    poison.name
                );
            }
        }
        assert_eq!(reader.live["g-1"], before);
        assert!(reader.ended.is_empty());
    }
}
