//! A game's events, folded by the domain's own rules: what goes in is what a reader of the history gets.

use chess::pgn::Reader;
use domain::{Action, FinishedGame, LiveGame, Verdict};

use super::*;

fn settings() -> Settings {
    Settings {
        region: Some("eu".into()),
        platform: None,
        undated_end_ms: 1_700_000_000_000,
        unfinished: false,
    }
}

fn found(text: &str) -> FoundGame {
    Reader::new(text.as_bytes()).next().unwrap().unwrap()
}

/// The game as the history would hold it.
fn fold(game: &ImportedGame) -> FinishedGame {
    let mut live: Option<LiveGame> = None;
    for event in &game.events {
        let record = events::encode(event).unwrap();
        let read = events::decode(Some(record.key.as_bytes()), Some(&record.value)).unwrap();
        match (&mut live, &read.action) {
            (None, Action::Create(new)) => live = Some(LiveGame::begin(new, read.at)),
            (Some(live), action) => {
                let (verdict, finished) = live.apply(&read.game_id, read.at, action).unwrap();
                assert_eq!(verdict, Verdict::Applied);
                if let Some(finished) = finished {
                    return *finished;
                }
            }
            (None, _) => panic!("the first event is no create"),
        }
    }
    panic!("the game does not end")
}

const GAME: &str = "[Event \"Rated Blitz game\"]\n[Site \"https://lichess.org/q7ZvsdUF\"]\n[UTCDate \"2024.01.02\"]\n\
    [UTCTime \"12:00:00\"]\n[White \"ann\"]\n[Black \"bob\"]\n[WhiteElo \"1500\"]\n[BlackElo \"?\"]\n[TimeControl \"180+2\"]\n\
    [ECO \"C20\"]\n[Opening \"King's Pawn Game\"]\n[Termination \"Normal\"]\n\n\
    1. e4 {[%clk 0:03:00]} e5 {[%clk 0:02:59.5]} 1-0";

#[test]
fn a_game_is_created_moves_and_ends_with_everything_its_tags_say() {
    let game = fold(&events_of(&found(GAME), &settings()).unwrap());
    assert_eq!(game.id.as_str(), "q7ZvsdUF");
    assert_eq!(game.started_at.to_string(), "2024-01-02T12:00:00.000Z");
    assert_eq!(
        (game.result(), game.termination.as_str()),
        ("win", "resignation")
    );
    assert_eq!(game.winner.unwrap().as_str(), "ann");
    assert_eq!(game.created.mode.as_str(), "rated");
    assert_eq!(game.created.time_control.unwrap().as_str(), "180+2");
    assert_eq!(game.created.region.unwrap().as_str(), "eu");
    assert_eq!(game.created.tournament, None);
    assert_eq!(
        game.opening.unwrap().name.unwrap().as_str(),
        "King's Pawn Game"
    );
    assert_eq!(
        game.players.iter().map(|p| p.rating).collect::<Vec<_>>(),
        [Some(1500), None]
    );
    let moves = game.moves.unpack(game.started_at).unwrap();
    let told: Vec<_> = moves
        .iter()
        .map(|m| (m.ply, m.player, &*m.text, m.clock_ms))
        .collect();
    assert_eq!(
        told,
        [(1, 0, "e2e4", Some(180_000)), (2, 1, "e7e5", Some(179_500))]
    );
    assert!(!game.incomplete);
}

#[test]
fn two_imports_of_a_game_publish_the_same_bytes() {
    let bytes = || {
        let game = events_of(&found(GAME), &settings()).unwrap();
        game.events
            .iter()
            .map(|e| events::encode(e).unwrap().value)
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_game_without_an_id_gets_one_from_what_it_is() {
    let id = |text: &str| events_of(&found(text), &settings()).unwrap().id;
    let plain = "[White \"a\"]\n[Black \"b\"]\n\n1. e4 1-0";
    assert_eq!(id(plain), id(plain));
    assert_ne!(id(plain), id("[White \"a\"]\n[Black \"b\"]\n\n1. d4 1-0"));
    assert_ne!(id(plain), id("[White \"a\"]\n[Black \"c\"]\n\n1. e4 1-0"));
}

#[test]
fn a_set_up_game_that_black_begins_gives_the_first_ply_to_black() {
    let text = "[White \"a\"]\n[Black \"b\"]\n[FEN \"4k3/8/8/8/8/8/4P3/4K3 b - - 0 1\"]\n\n1... Kd7 2. e4 1-0";
    let game = fold(&events_of(&found(text), &settings()).unwrap());
    assert_eq!(game.created.variant.as_str(), "from_position");
    assert_eq!(
        game.created.start_position.unwrap().as_str(),
        "4k3/8/8/8/8/8/4P3/4K3 b - - 0 1"
    );
    let moves = game.moves.unpack(game.started_at).unwrap();
    assert_eq!(moves.iter().map(|m| m.player).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn what_can_not_be_told_as_events_is_refused_with_its_reason() {
    let long = "x".repeat(101);
    for (text, reason) in [
        ("[White \"a\"]\n\n1. e4 1-0", "names no Black player"),
        (
            "[White \"?\"]\n[Black \"b\"]\n\n1. e4 1-0",
            "names no White player",
        ),
        (
            "[White \"a\"]\n[Black \"a\"]\n\n1. e4 1-0",
            "has \"a\" on both sides",
        ),
        (
            &format!("[White \"{long}\"]\n[Black \"a\"]\n\n1. e4 1-0"),
            "at most 100 characters",
        ),
        ("[White \"a\"]\n[Black \"b\"]\n\n1. e4 *", "has no result"),
        (
            "[White \"a\"]\n[Black \"b\"]\n[Date \"2001.01.01\"]\n[EndDate \"2003.01.01\"]\n[EndTime \"00:00:00\"]\n\n1. e4 1-0",
            "more than 400 days",
        ),
    ] {
        let told = events_of(&found(text), &settings())
            .unwrap_err()
            .to_string();
        assert!(told.contains(reason), "{told}");
    }
}

#[test]
fn an_unfinished_game_is_left_live_when_asked_for() {
    let settings = Settings {
        unfinished: true,
        ..settings()
    };
    let game = events_of(&found("[White \"a\"]\n[Black \"b\"]\n\n1. e4 *"), &settings).unwrap();
    let kinds: Vec<_> = game.events.iter().map(|e| e.payload.event_type()).collect();
    assert_eq!(kinds, ["GameCreated", "MoveMade"]);
}

/// The folder with real games, `None` when this machine does not have it. `cargo dx test` says where it is.
fn folder() -> Option<std::path::PathBuf> {
    std::env::var_os("GAME_HISTORY_TEST_DATA").map(Into::into)
}

#[test]
fn a_real_tournament_has_its_results_terminations_ratings_and_times() {
    let Some(folder) = folder() else {
        println!("skipped: GAME_HISTORY_TEST_DATA does not name a folder with titled-tuesday.pgn");
        return;
    };
    let expected = std::fs::read_to_string(folder.join("titled-tuesday.expected.jsonl")).unwrap();
    let file = std::fs::File::open(folder.join("titled-tuesday.pgn")).unwrap();
    let mut games = 0;
    for (found, line) in Reader::new(file).zip(expected.lines()) {
        let wanted: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| wanted[name].as_str().unwrap();
        let game = fold(&events_of(&found.unwrap(), &settings()).unwrap());
        let place = text("url");
        assert!(place.ends_with(&format!("/{}", game.id)), "{place}");
        let result = match game.winner.as_ref().map(|w| w.as_str()) {
            Some(winner) if winner == text("white") => "1-0",
            Some(_) => "0-1",
            None => "1/2-1/2",
        };
        assert_eq!(result, text("result"), "{place}");
        let words = game
            .termination
            .as_str()
            .replace("timeout", "on time")
            .replace('_', " ");
        assert!(text("termination").ends_with(&words), "{place}: {words}");
        let ratings = ["white_rating", "black_rating"].map(|name| wanted[name].as_i64());
        assert_eq!(
            game.players
                .iter()
                .map(|p| p.rating.map(i64::from))
                .collect::<Vec<_>>(),
            ratings
        );
        assert_eq!(
            game.ended_at.as_ms() / 1_000,
            wanted["end_time"].as_i64().unwrap(),
            "{place}"
        );
        assert_eq!(
            i64::from(game.move_count),
            wanted["plies"].as_i64().unwrap(),
            "{place}"
        );
        let times: Vec<_> = game
            .moves
            .unpack(game.started_at)
            .unwrap()
            .iter()
            .map(|m| m.at)
            .collect();
        assert!(
            times.is_sorted()
                && times
                    .iter()
                    .all(|t| game.started_at <= *t && *t <= game.ended_at),
            "{place}"
        );
        games += 1;
    }
    assert_eq!(games, 156);
}

#[test]
fn the_famous_games_are_legal_and_their_mates_are_mates() {
    let text = include_str!("../../../games/famous.pgn");
    let games: Vec<FoundGame> = Reader::new(text.as_bytes())
        .map(|game| game.unwrap())
        .collect();
    let told: Vec<String> = games
        .iter()
        .map(|found| {
            let game = fold(&events_of(found, &settings()).unwrap());
            let player = |seat: usize| game.players[seat].id.as_str().split(',').next().unwrap();
            let mate = matches!(found.outcome, Some(chess::Outcome::Checkmate { .. }));
            assert_eq!(mate, game.termination.as_str() == "checkmate");
            let result = found.game.result.as_str();
            format!(
                "{}-{} {result} {} {}",
                player(0),
                player(1),
                game.move_count,
                game.termination
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "Anderssen-Kieseritzky 1-0 45 checkmate",
            "Anderssen-Dufresne 1-0 47 checkmate",
            "Paulsen-Morphy 0-1 56 resignation",
            "Morphy-Duke Karl / Count Isouard 1-0 33 checkmate",
            "Hamppe-Meitner 1/2-1/2 36 agreement",
            "Rotlewi-Rubinstein 0-1 50 resignation",
            "Reti-Tartakower 1-0 21 checkmate",
            "Lasker-Thomas 1-0 35 checkmate",
            "Byrne-Fischer 0-1 82 checkmate",
            "Fischer-Spassky 1-0 81 resignation",
            "Deep Blue-Kasparov 1-0 37 resignation",
            "Kasparov-Topalov 1-0 87 resignation",
        ]
    );
}
