//! What real files hold, and what broken ones do.

use super::*;
use crate::{Drawn, Outcome};

fn read(text: &str) -> Vec<Result<FoundGame, Refused>> {
    Reader::new(text.as_bytes()).collect()
}

fn one(text: &str) -> PgnGame {
    let mut games = read(text);
    assert_eq!(games.len(), 1, "{games:?}");
    games.remove(0).unwrap().game
}

fn moves(game: &PgnGame) -> String {
    game.moves
        .iter()
        .map(|m| m.uci.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Each game's moves, or the message of its refusal.
fn all(text: &str) -> Vec<Result<String, String>> {
    let told = |game: Result<FoundGame, Refused>| match game {
        Ok(found) => Ok(moves(&found.game)),
        Err(refused) => Err(refused.to_string()),
    };
    read(text).into_iter().map(told).collect()
}

mod movetext {
    use super::*;

    #[test]
    fn move_numbers_of_every_style_are_passed_over() {
        for text in [
            "1. e4 e5 2. Nf3 *",
            "1.e4 e5 2.Nf3 *",
            "1. e4 1... e5 2. Nf3 *",
            "1.e4 1...e5 2.Nf3*",
            "1 e4 e5 2 Nf3 *",
            "1. e4 ... e5 2 . Nf3 *",
            "e4 e5 Nf3",
            "1. e4 1… e5 2. Nf3",
            "1.  e2-e4 e7e5 2. Ng1f3 *",
        ] {
            assert_eq!(moves(&one(text)), "e2e4 e7e5 g1f3", "{text}");
        }
    }

    #[test]
    fn comments_variations_and_marks_are_passed_over() {
        let text = "{before} 1. e4! $1 {King's (pawn) [x] ; } (1. d4 d5 (1... Nf6 {x)} 2. c4) 2. c4) 1... e5?! ; to the end ) }\n\
                    % escaped ( { [\n2. Nf3 $14 +- N (2. f4 *) Nc6 += 1/2-1/2";
        let game = one(text);
        assert_eq!(moves(&game), "e2e4 e7e5 g1f3 b8c6");
        assert_eq!(game.result, PgnResult::Draw);
    }

    #[test]
    fn a_percent_sign_escapes_only_at_the_beginning_of_a_line() {
        assert_eq!(
            all("1. e4 % e5 *")[0].as_ref().unwrap_err(),
            "game 1, line 1: ply 2: \"%\" is not a move"
        );
    }

    #[test]
    fn castling_in_zeros_and_promotion_in_parentheses_are_read() {
        let text = "[FEN \"r3k2r/8/8/8/8/8/p6P/R3K2R w KQkq - 0 1\"]\n\n1. 0-0 0-0-0 2.h4 axb1 *";
        assert_eq!(
            all(text)[0].as_ref().unwrap_err(),
            "game 1, line 3: ply 4: \"axb1\" is not legal here"
        );
        let text = "[FEN \"4k3/8/8/8/8/8/p6P/4K2R w K - 0 1\"]\n\n1. 0-0 a1(Q) (1... a1=N) 2.h4 *";
        assert_eq!(moves(&one(text)), "e1g1 a2a1q h2h4");
    }

    #[test]
    fn clocks_are_kept_to_the_tenth_and_only_from_the_main_line() {
        let game = one(
            "1. e4 {[%clk 0:02:58.9]} (1. d4 {[%clk 0:00:01]}) 1... e5 {book} {[%eval 0.2] [%clk\n0:02:45]} 2. d4 (2. c4 {[%clk 0:00:01]}) 1-0",
        );
        let clocks: Vec<_> = game
            .moves
            .iter()
            .map(|m| m.clock.map(Clock::as_ms))
            .collect();
        assert_eq!(clocks, [Some(178_900), Some(165_000), None]);
    }

    #[test]
    fn the_end_of_a_game_is_known() {
        let found = read("1. f3 e5 2. g4 Qh4# 0-1").remove(0).unwrap();
        assert!(matches!(found.outcome, Some(Outcome::Checkmate { .. })));
        let shuffle = "1. Nf3 Nf6 2. Ng1 Ng8 3. Nf3 Nf6 4. Ng1 Ng8 1/2-1/2";
        let found = read(shuffle).remove(0).unwrap();
        assert_eq!(found.outcome, Some(Outcome::Draw(Drawn::Repetition)));
        assert!(found.end.fen().starts_with("rnbqkbnr/pppppppp/8"));
    }
}

mod tags {
    use super::*;

    #[test]
    fn escapes_in_values_are_undone_and_stray_quotes_kept() {
        let game = one(
            "[Event \"The \\\"Big\\\" \\\\ one\"]\n[Site \"a \"b\" c\" ]\n[ White  \"\\x\"]\n\n*",
        );
        assert_eq!(game.tags.get("Event"), Some("The \"Big\" \\ one"));
        assert_eq!(game.tags.get("site"), Some("a \"b\" c"));
        assert_eq!(game.tags.get("White"), Some("\\x"));
    }

    #[test]
    fn latin_1_and_utf_8_are_both_read_with_or_without_a_mark() {
        for bytes in [
            &b"[White \"R\xe9ti\"]\n\n*"[..],
            "\u{feff}[White \"Réti\"]\r\n\r\n*".as_bytes(),
        ] {
            let found = Reader::new(bytes).next().unwrap().unwrap();
            assert_eq!(found.game.tags.get("White"), Some("Réti"));
        }
    }

    #[test]
    fn the_result_is_taken_from_where_it_stands_and_a_contradiction_refused() {
        assert_eq!(
            one("[Result \"1-0\"]\n\n1. e4").result,
            PgnResult::WhiteWins
        );
        assert_eq!(
            one("[Result \"*\"]\n\n1. e4 0-1").result,
            PgnResult::BlackWins
        );
        let text = "[Result \"1-0\"]\n\n1. e4 0-1\n\n1. d4 *";
        let wanted =
            Err("game 1, line 3: the Result tag says 1-0 and the moves end with 0-1".to_owned());
        assert_eq!(all(text), [wanted, Ok("d2d4".to_owned())]);
    }

    #[test]
    fn another_variant_is_refused_by_its_name_and_the_plain_ones_are_read() {
        let text = "[Variant \"Chess960\"]\n\n1. e4 *\n\n[Variant \"From Position\"]\n\n1. d4 *\n\n[Variant \"crazyhouse\"]\n\n1. e4 N@f3 *\n\n[Variant \"Standard\"]\n\n1. c4 *";
        let refused = |n: u32, line: u32, name: &str| {
            Err(format!(
                "game {n}, line {line}: variant {name:?} is not supported: only standard chess is"
            ))
        };
        let wanted = [
            refused(1, 3, "Chess960"),
            Ok("d2d4".into()),
            refused(3, 11, "crazyhouse"),
            Ok("c2c4".into()),
        ];
        assert_eq!(all(text), wanted);
    }

    #[test]
    fn a_set_up_position_is_used_and_a_wrong_one_refused() {
        let game =
            one("[SetUp \"1\"]\n[FEN \"4k3/8/8/8/8/8/4P3/4K3 b - - 0 7\"]\n\n7... Kd7 8. e4 *");
        assert_eq!(
            game.start_fen.as_deref(),
            Some("4k3/8/8/8/8/8/4P3/4K3 b - - 0 7")
        );
        assert_eq!(
            one(&format!("[FEN \"{START_FEN}\"]\n\n1. e4 *")).start_fen,
            None
        );
        assert!(
            all("[FEN \"8/8 w\"]\n\n*")[0]
                .as_ref()
                .unwrap_err()
                .contains("the FEN tag is not a chess position")
        );
        assert!(
            all("[SetUp \"1\"]\n\n*")[0]
                .as_ref()
                .unwrap_err()
                .contains("no FEN tag")
        );
    }
}

mod several_games {
    use super::*;

    #[test]
    fn line_ends_of_every_system_give_the_same_games_and_lines() {
        let text = "[Event \"a\"]\n\n1. e4\ne5 1-0\n\n[Event \"b\"]\n\n1. d4 0-1\n";
        for (name, end) in [("unix", "\n"), ("dos", "\r\n"), ("mac", "\r")] {
            let games = read(&text.replace('\n', end));
            let seen: Vec<_> = games
                .iter()
                .map(|g| g.as_ref().unwrap())
                .map(|g| (g.number, g.line))
                .collect();
            assert_eq!(seen, [(1, 1), (2, 6)], "{name}");
        }
    }

    #[test]
    fn a_game_without_a_result_ends_where_the_next_one_begins() {
        let text = "[Event \"a\"]\n\n1. e4\n\n[Event \"b\"]\n[Event \"c\"]\n\n1. d4";
        assert_eq!(
            all(text),
            [Ok("e2e4".into()), Ok(String::new()), Ok("d2d4".into())]
        );
    }

    #[test]
    fn an_illegal_move_refuses_its_game_alone() {
        let text = "[Event \"a\"]\n\n1. e4 e5\n2. Ke3 (2. f4 *) {x} Nc6 1-0\n\n1. d4 *";
        let wanted = Err("game 1, line 4: ply 3: \"Ke3\" is not legal here".to_owned());
        assert_eq!(all(text), [wanted, Ok("d2d4".to_owned())]);
        assert_eq!(
            all("1. -- e5 *")[0].as_ref().unwrap_err(),
            "game 1, line 1: ply 1 is a null move"
        );
    }

    #[test]
    fn an_open_comment_refuses_its_game_and_the_next_event_is_read() {
        let text = "[Event \"a\"]\n\n1. e4 {oops\ne5 1-0\n\n[Event \"b\"]\n\n1. d4 *";
        let wanted = Err("game 1, line 6: the comment opened on line 3 is not closed".to_owned());
        assert_eq!(all(text), [wanted, Ok("d2d4".to_owned())]);
        assert_eq!(all("1. e4 {oops").len(), 1);
    }

    #[test]
    fn variations_that_do_not_match_refuse_their_game() {
        let text = "[Event \"a\"]\n\n1. e4 (1. d4\n\n[Event \"b\"]\n\n1. d4) *\n\n[Event \"c\"]\n\n1. c4 *";
        let games = all(text);
        assert!(
            games[0].as_ref().unwrap_err().contains("opened on line 3"),
            "{games:?}"
        );
        assert!(
            games[1]
                .as_ref()
                .unwrap_err()
                .contains("closed that was not opened"),
            "{games:?}"
        );
        assert_eq!(games[2], Ok("c2c4".to_owned()));
        assert_eq!(games.len(), 3);
    }

    #[test]
    fn a_broken_tag_refuses_its_game_alone() {
        let text = "[Event \"a]\n[White \"w\"]\n\n1. e4 1-0\n\n[Event \"b\"]\n\n1. d4 *";
        let wanted = Err("game 1, line 1: a tag is not of the form [Name \"value\"]".to_owned());
        assert_eq!(all(text), [wanted, Ok("d2d4".to_owned())]);
    }
}

mod limits {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_and_not_kept() {
        let long = "x".repeat(10_000);
        assert!(
            all(&format!("[{long} \"v\"]\n\n*"))[0]
                .as_ref()
                .unwrap_err()
                .contains("tag name")
        );
        assert!(
            all(&format!("[N \"{long}\"]\n\n*"))[0]
                .as_ref()
                .unwrap_err()
                .contains("tag value")
        );
        assert!(
            all(&format!("1. {long} *"))[0]
                .as_ref()
                .unwrap_err()
                .contains("word")
        );
        let tags = "[N \"v\"]\n".repeat(MAX_TAGS + 1);
        assert!(
            all(&format!("{tags}\n*"))[0]
                .as_ref()
                .unwrap_err()
                .contains("tags")
        );
        let shuffle = "Nf3 Nf6 Ng1 Ng8 ".repeat(MAX_PLIES / 4 + 1);
        assert!(all(&shuffle)[0].as_ref().unwrap_err().contains("plies"));
    }

    #[test]
    fn a_long_comment_does_not_hide_the_moves_after_it() {
        let text = format!("1. e4 {{{}}} e5 *", "long ".repeat(100_000));
        assert_eq!(moves(&one(&text)), "e2e4 e7e5");
    }

    #[test]
    fn utf_16_is_called_by_its_name() {
        let bytes: Vec<u8> = "\u{feff}1. e4 *"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let refused = Reader::new(&bytes[..]).next().unwrap().unwrap_err();
        assert!(refused.to_string().contains("UTF-16"), "{refused}");
    }

    #[test]
    fn a_file_that_can_not_be_read_ends_with_its_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("gone"))
            }
        }
        let mut reader = Reader::new(b"1. e4 e5 1-0 1. d4 ".chain(Broken));
        assert_eq!(moves(&reader.next().unwrap().unwrap().game), "e2e4 e7e5");
        assert!(
            reader
                .next()
                .unwrap()
                .unwrap_err()
                .to_string()
                .contains("gone")
        );
        assert!(reader.next().is_none());
    }
}
