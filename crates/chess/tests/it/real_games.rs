//! 156 games of a real tournament, against what another implementation made of them.

use std::fs::File;
use std::path::PathBuf;

use chess::pgn::{PgnGame, Reader, write};

/// The folder with the games, `None` when this machine does not have it. `cargo dx test` says where it is.
fn folder() -> Option<PathBuf> {
    std::env::var_os("GAME_HISTORY_TEST_DATA").map(PathBuf::from)
}

#[test]
fn every_game_of_a_real_tournament_has_the_moves_and_the_end_it_should() {
    let Some(folder) = folder() else {
        println!("skipped: GAME_HISTORY_TEST_DATA does not name a folder with titled-tuesday.pgn");
        return;
    };
    let expected = std::fs::read_to_string(folder.join("titled-tuesday.expected.jsonl")).unwrap();
    let expected: Vec<serde_json::Value> = expected
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let games: Vec<_> = Reader::new(File::open(folder.join("titled-tuesday.pgn")).unwrap())
        .map(|game| game.unwrap())
        .collect();
    assert_eq!((games.len(), expected.len()), (156, 156));
    for (found, wanted) in games.iter().zip(&expected) {
        let text = |name: &str| wanted[name].as_str().unwrap();
        let uci: Vec<&str> = found.game.moves.iter().map(|m| m.uci.as_str()).collect();
        assert_eq!(uci.join(" "), text("uci"), "game {}", found.number);
        assert_eq!(found.end.fen(), text("final_fen"), "game {}", found.number);
        assert_eq!(chess::replay(None, &uci).unwrap(), text("final_fen"));
        assert_eq!(found.game.result.as_str(), text("result"));
        assert_eq!(found.game.tags.get("Link"), Some(text("url")));
        assert!(
            found.game.moves.iter().all(|m| m.clock.is_some()),
            "game {}",
            found.number
        );
        let again: Vec<PgnGame> = Reader::new(write(&found.game).unwrap().as_bytes())
            .map(|game| game.unwrap().game)
            .collect();
        assert_eq!(again[0].moves, found.game.moves);
    }
}
