//! Laws: notation there and back, PGN there and back, and a reader that survives anything.

use chess::pgn::{PgnGame, PgnMove, PgnResult, Reader, Tags, write};
use chess::{Clock, Game, Position};
use proptest::prelude::*;

/// A legal game: each number picks one of the legal moves.
fn play(picks: &[u16]) -> Game {
    let mut game = Game::new(None).unwrap();
    for pick in picks {
        let legal = game.position().legal_moves();
        let Some(mv) = legal.get(usize::from(*pick) % legal.len().max(1)) else {
            break;
        };
        game.play(*mv).unwrap();
    }
    game
}

fn picks() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..220)
}

fn result() -> impl Strategy<Value = PgnResult> {
    prop::sample::select(vec![
        PgnResult::WhiteWins,
        PgnResult::BlackWins,
        PgnResult::Draw,
        PgnResult::Unknown,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_legal_move_is_the_same_in_san_and_uci(picks in picks()) {
        let game = play(&picks);
        let mut position = Position::start();
        for uci in game.moves() {
            let mut written = Vec::new();
            for mv in position.legal_moves() {
                let san = position.san(mv).unwrap();
                prop_assert_eq!(position.parse_san(&san), Ok(mv), "{} in {}", san, position.fen());
                prop_assert_eq!(position.parse_uci(mv.uci().as_str()), Ok(mv));
                written.push(san);
            }
            let all = written.len();
            written.sort();
            written.dedup();
            prop_assert_eq!(written.len(), all, "two moves share a SAN in {}", position.fen());
            position.play(position.parse_uci(uci.as_str()).unwrap()).unwrap();
        }
        prop_assert_eq!(&Position::from_fen(&position.fen()).unwrap(), &position);
        prop_assert_eq!(chess::replay(None, game.moves()).unwrap(), position.fen());
    }

    #[test]
    fn a_written_game_is_read_back_the_same(
        picks in picks(),
        clocks in prop::collection::vec(prop::option::of(0_u64..20_000_000), 220),
        result in result(),
        event in "\\PC{0,40}",
        extra in "[^\\p{Cc}]{0,40}",
        from in 0_usize..30,
    ) {
        let before = play(picks.get(..from).unwrap_or_default());
        let start = before.position().fen();
        let rest = picks.get(from..).unwrap_or_default();
        let mut game = Game::new(Some(&start)).unwrap();
        for pick in rest {
            let legal = game.position().legal_moves();
            let Some(mv) = legal.get(usize::from(*pick) % legal.len().max(1)) else { break };
            game.play(*mv).unwrap();
        }
        let mut tags = Tags::default();
        for (name, value) in [
            ("Event", &*event), ("Site", "?"), ("Date", "????.??.??"), ("Round", "?"), ("White", "w"), ("Black", "b"),
            ("Result", result.as_str()),
        ] {
            tags.push(name, value);
        }
        let start_fen = Some(start).filter(|fen| fen != chess::START_FEN);
        if let Some(fen) = &start_fen {
            tags.push("SetUp", "1");
            tags.push("FEN", fen);
        }
        tags.push("Extra", extra);
        let moves = game.moves().iter().zip(clocks).map(|(&uci, ms)| PgnMove { uci, clock: ms.map(Clock::from_ms) });
        let written = PgnGame { tags, start_fen, moves: moves.collect(), result };
        let text = write(&written).unwrap();
        for line in text.lines().skip_while(|line| !line.is_empty()) {
            prop_assert!(line.len() <= 80, "{line}");
        }
        let twice = format!("{text}{text}");
        let read: Vec<PgnGame> = Reader::new(twice.as_bytes()).map(|g| g.unwrap().game).collect();
        prop_assert_eq!(read, [written.clone(), written]);
    }

    #[test]
    fn any_text_is_read_to_its_end(text in ".{0,400}") {
        let _games = Reader::new(text.as_bytes()).count();
    }

    #[test]
    fn anything_that_looks_like_pgn_is_read_to_its_end(
        words in prop::collection::vec(prop::sample::select(vec![
            "1.", "e4", "e5", "Nf3", "{", "}", "(", ")", "[Event \"x\"]", "[", "]", "\"", "\n", "%", ";", "$1", "1-0", "*", "0-0",
            "[FEN \"", "w KQkq", "\\", "\r", "\u{feff}", "[%clk 0:00:01]", "N", "--", "é", "12", "…", "(Q)", "a1", "\0",
        ]), 0..200),
        glue in prop::sample::select(vec!["", " ", "\n"]),
    ) {
        let text = words.join(glue);
        let _games = Reader::new(text.as_bytes()).count();
    }

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _games = Reader::new(&bytes[..]).count();
    }

    #[test]
    fn no_text_breaks_a_position(text in ".{0,12}", fen in "[rnbqkpRNBQKP1-8/]{0,80} [wb] [KQkq-]{1,4} [a-h1-8-]{1,2} [0-9]{1,6} [0-9]{1,6}") {
        let start = Position::start();
        let _move = (start.parse_san(&text), start.parse_uci(&text), Clock::parse(&text));
        if let Ok(position) = Position::from_fen(&fen) {
            prop_assert_eq!(Position::from_fen(&position.fen()), Ok(position));
        }
    }
}
