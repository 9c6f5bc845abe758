//! The rules of one game, a sentence each.

use proptest::prelude::*;

use super::*;
use crate::{NewPlayer, PlayerRating};

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

fn id(text: &str) -> PlayerId {
    PlayerId::parse(text).unwrap()
}

fn time(ms: i64) -> EventTime {
    EventTime::from_ms(ms).unwrap()
}

fn new_game(players: &[&str]) -> NewGame {
    let players = players
        .iter()
        .map(|p| NewPlayer {
            id: id(p),
            role: slug("seat"),
            rating: Some(1500),
        })
        .collect();
    NewGame {
        players,
        game: slug("chess"),
        variant: slug("standard"),
        mode: slug("rated"),
        time_control: None,
        region: None,
        platform: None,
        tournament: None,
        start_position: None,
    }
}

fn begin() -> LiveGame {
    LiveGame::begin(&new_game(&["w", "b"]), time(1_000))
}

fn play(game: &mut LiveGame, ply: u32, text: &str) -> Verdict {
    let player_id = if ply % 2 == 1 { "w" } else { "b" };
    let action = Action::Move {
        ply,
        player_id: player_id.into(),
        text: text.into(),
        clock_ms: Some(9),
    };
    game.apply("g", time(2_000), &action).unwrap().0
}

fn end(kind: EndKind) -> GameEnd {
    GameEnd {
        kind,
        ratings: Vec::new(),
        move_count: None,
        opening: None,
    }
}

fn finish(game: &mut LiveGame, end: GameEnd, at_ms: i64) -> (Verdict, Option<Box<FinishedGame>>) {
    game.apply("g", time(at_ms), &Action::End(Box::new(end)))
        .unwrap()
}

mod creates {
    use super::*;

    #[test]
    fn the_same_create_again_is_a_duplicate_whatever_its_time() {
        let again = Action::Create(Box::new(new_game(&["w", "b"])));
        assert_eq!(
            begin().apply("g", time(77), &again).unwrap().0,
            Verdict::Duplicate
        );
    }

    #[test]
    fn another_create_for_a_live_game_is_a_conflict() {
        let other = Action::Create(Box::new(new_game(&["w", "x"])));
        assert_eq!(
            begin().apply("g", time(1_000), &other).unwrap().0,
            Verdict::DeadLetter(Reason::Conflict)
        );
    }
}

mod moves {
    use super::*;

    #[test]
    fn the_ply_decides_what_a_move_is() {
        let mut game = begin();
        assert_eq!(play(&mut game, 1, "e2e4"), Verdict::Applied);
        assert_eq!(play(&mut game, 1, "e2e4"), Verdict::Duplicate);
        assert_eq!(
            play(&mut game, 1, "d2d4"),
            Verdict::DeadLetter(Reason::Conflict)
        );
        assert_eq!(game.applied_plies(), 1);
    }

    #[test]
    fn a_move_of_the_right_text_by_the_wrong_player_is_a_conflict() {
        let mut game = begin();
        play(&mut game, 1, "e2e4");
        let action = Action::Move {
            ply: 1,
            player_id: "b".into(),
            text: "e2e4".into(),
            clock_ms: None,
        };
        assert_eq!(
            game.apply("g", time(2_000), &action).unwrap().0,
            Verdict::DeadLetter(Reason::Conflict)
        );
    }

    #[test]
    fn a_move_by_somebody_who_does_not_play_is_invalid() {
        let action = Action::Move {
            ply: 1,
            player_id: "stranger".into(),
            text: "e2e4".into(),
            clock_ms: None,
        };
        assert_eq!(
            begin().apply("g", time(2_000), &action).unwrap().0,
            Verdict::DeadLetter(Reason::Invalid)
        );
    }

    #[test]
    fn moves_that_come_early_are_held_until_the_gap_is_filled() {
        let mut game = begin();
        assert_eq!(play(&mut game, 3, "c"), Verdict::Applied);
        assert_eq!(play(&mut game, 2, "b"), Verdict::Applied);
        assert_eq!(play(&mut game, 3, "c"), Verdict::Duplicate);
        assert_eq!(
            play(&mut game, 3, "x"),
            Verdict::DeadLetter(Reason::Conflict)
        );
        assert_eq!((game.applied_plies(), game.move_count()), (0, 2));
        assert_eq!(play(&mut game, 1, "a"), Verdict::Applied);
        assert_eq!((game.applied_plies(), game.move_count()), (3, 3));
        let texts: Vec<_> = game
            .moves()
            .unpack(time(1_000))
            .unwrap()
            .into_iter()
            .map(|m| m.text)
            .collect();
        assert_eq!(texts, ["a".into(), "b".into(), Box::<str>::from("c")]);
    }

    #[test]
    fn the_sixty_fifth_held_move_overflows_and_the_ones_before_stay() {
        let mut game = begin();
        for ply in 2..66 {
            assert_eq!(play(&mut game, ply, "m"), Verdict::Applied);
        }
        assert_eq!(
            play(&mut game, 66, "m"),
            Verdict::DeadLetter(Reason::GapOverflow)
        );
        assert_eq!(play(&mut game, 1, "m"), Verdict::Applied);
        assert_eq!(game.applied_plies(), 65);
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_gives_the_same_game(order in Just((1..=40u32).collect::<Vec<_>>()).prop_shuffle()) {
            let mut game = begin();
            for ply in order {
                prop_assert_eq!(play(&mut game, ply, &format!("m{ply}")), Verdict::Applied);
            }
            let moves = game.moves().unpack(time(1_000)).unwrap();
            let right = moves.iter().zip(1u32..).all(|(m, ply)| m.ply == ply && *m.text == format!("m{ply}"));
            prop_assert!(right);
            prop_assert_eq!(moves.len(), 40);
        }
    }
}

mod ends {
    use super::*;

    #[test]
    fn a_resignation_is_a_win_for_the_other_player() {
        let (verdict, finished) = finish(
            &mut begin(),
            end(EndKind::Resigned {
                player: id("w"),
                winner: None,
            }),
            5_000,
        );
        let finished = finished.unwrap();
        assert_eq!(verdict, Verdict::Applied);
        assert_eq!(
            (finished.result(), finished.termination.as_str()),
            ("win", "resignation")
        );
        assert_eq!(finished.winner, Some(id("b")));
        assert_eq!(
            finished
                .players
                .iter()
                .map(|p| p.result)
                .collect::<Vec<_>>(),
            [PlayerResult::Loss, PlayerResult::Win]
        );
    }

    #[test]
    fn where_more_than_two_play_the_winner_must_be_named() {
        let mut game = LiveGame::begin(&new_game(&["a", "b", "c"]), time(0));
        let open = end(EndKind::TimedOut {
            player: id("a"),
            winner: None,
        });
        assert_eq!(
            finish(&mut game, open, 5_000).0,
            Verdict::DeadLetter(Reason::Invalid)
        );
        let named = end(EndKind::TimedOut {
            player: id("a"),
            winner: Some(id("c")),
        });
        assert_eq!(
            finish(&mut game, named, 5_000).1.unwrap().winner,
            Some(id("c"))
        );
    }

    #[test]
    fn an_end_that_names_a_stranger_is_invalid_and_the_game_lives_on() {
        let mut game = begin();
        let kind = EndKind::Won {
            winner: id("stranger"),
            termination: slug("checkmate"),
        };
        assert_eq!(
            finish(&mut game, end(kind), 5_000),
            (Verdict::DeadLetter(Reason::Invalid), None)
        );
        assert_eq!(play(&mut game, 1, "e2e4"), Verdict::Applied);
    }

    #[test]
    fn an_end_before_its_create_or_four_hundred_days_later_is_invalid() {
        let draw = || {
            end(EndKind::Drawn {
                termination: slug("agreement"),
            })
        };
        assert_eq!(
            finish(&mut begin(), draw(), 999).0,
            Verdict::DeadLetter(Reason::Invalid)
        );
        assert_eq!(
            finish(&mut begin(), draw(), 1_001 + MAX_GAME_MS).0,
            Verdict::DeadLetter(Reason::Invalid)
        );
        assert_eq!(
            finish(&mut begin(), draw(), 1_000 + MAX_GAME_MS).0,
            Verdict::Applied
        );
        assert_eq!(finish(&mut begin(), draw(), 1_000).0, Verdict::Applied);
    }

    #[test]
    fn a_gap_makes_the_game_incomplete_and_keeps_the_plies_beyond_it() {
        let mut game = begin();
        play(&mut game, 1, "a");
        play(&mut game, 4, "d");
        let finished = finish(
            &mut game,
            end(EndKind::Drawn {
                termination: slug("agreement"),
            }),
            5_000,
        )
        .1
        .unwrap();
        assert!(finished.incomplete);
        let plies: Vec<u32> = finished
            .moves
            .unpack(time(1_000))
            .unwrap()
            .iter()
            .map(|m| m.ply)
            .collect();
        assert_eq!((plies, finished.move_count), (vec![1, 4], 2));
    }

    #[test]
    fn fewer_moves_than_the_producer_counted_make_the_game_incomplete() {
        for (counted, incomplete) in [(None, false), (Some(1), false), (Some(2), true)] {
            let mut game = begin();
            play(&mut game, 1, "a");
            let end = GameEnd {
                move_count: counted,
                ..end(EndKind::Drawn {
                    termination: slug("agreement"),
                })
            };
            assert_eq!(
                finish(&mut game, end, 5_000).1.unwrap().incomplete,
                incomplete,
                "{counted:?}"
            );
        }
    }

    #[test]
    fn new_ratings_go_to_their_players() {
        let end = GameEnd {
            ratings: vec![PlayerRating {
                player: id("b"),
                rating: 1508,
            }],
            ..end(EndKind::Aborted {
                termination: slug("aborted"),
            })
        };
        let finished = finish(&mut begin(), end, 5_000).1.unwrap();
        assert_eq!(
            finished
                .players
                .iter()
                .map(|p| p.rating_after)
                .collect::<Vec<_>>(),
            [None, Some(1508)]
        );
        assert_eq!(finished.result(), "none");
    }
}

mod snapshots {
    use super::*;

    #[test]
    fn a_snapshot_holds_everything_held_moves_included() {
        let mut game = begin();
        play(&mut game, 1, "e2e4");
        play(&mut game, 3, "g1f3");
        let mut back = LiveGame::decode(&game.encode()).unwrap();
        assert_eq!(back, game);
        assert_eq!(play(&mut back, 2, "e7e5"), Verdict::Applied);
        assert_eq!(back.applied_plies(), 3);
    }

    #[test]
    fn the_format_of_version_1_stays_as_it_is() {
        let mut game = begin();
        play(&mut game, 1, "e2e4");
        let hex: String = game.encode().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            concat!(
                "01",
                "2f",
                "02",
                "0177",
                "0473656174",
                "01b817",
                "0162",
                "0473656174",
                "01b817",
                "056368657373",
                "087374616e64617264",
                "057261746564",
                "0000000000",
                "d00f",
                "01",
                "a01f",
                "06",
                "030c0709d00f",
                "00"
            )
        );
    }

    #[test]
    fn a_snapshot_of_another_version_is_named_as_such() {
        assert!(matches!(
            LiveGame::decode(&[9, 1]),
            Err(LiveGameError::Version { found: Some(9) })
        ));
        assert!(matches!(
            LiveGame::decode(&[]),
            Err(LiveGameError::Version { found: None })
        ));
    }
}
