//! Ids that are the same at every import: a game's own, where its tags have one, else one derived from what the game is.

use chess::pgn::{PgnGame, Tags};
use events::EventId;
use uuid::Uuid;

use super::tags::last_segment;

/// The namespace of everything derived here.
const NAMESPACE: Uuid = Uuid::from_u128(0x3f0c_5b1e_7c52_4d0a_8e0b_52a1_9d6e_70c4);

/// The tags that may hold a game's own id, the surest first. All but the first must be links.
const ID_TAGS: [&str; 3] = ["GameId", "Link", "Site"];

/// A digest of everything that makes the game this game: two games with the same id and different digests are two games.
pub(super) fn content(game: &PgnGame) -> Uuid {
    let mut text = String::new();
    for name in [
        "Event", "Site", "Date", "Round", "White", "Black", "UTCDate", "UTCTime",
    ] {
        text.push_str(game.tags.known(name).unwrap_or_default());
        text.push('\u{1f}');
    }
    text.push_str(game.start_fen.as_deref().unwrap_or_default());
    for mv in &game.moves {
        text.push('\u{1f}');
        text.push_str(mv.uci.as_str());
    }
    text.push('\u{1f}');
    text.push_str(game.result.as_str());
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// The game's id.
pub(super) fn game_id(tags: &Tags, content: Uuid) -> String {
    let own = ID_TAGS.into_iter().find_map(|name| {
        let value = tags.known(name)?;
        let path = match value.split_once("://") {
            Some((_, rest)) => rest.split_once('/')?.1,
            None if name == "GameId" => value,
            None => return None,
        };
        last_segment(path).filter(|segment| looks_like_an_id(segment))
    });
    own.map_or_else(|| content.to_string(), str::to_owned)
}

/// Six characters or more, and not a word: it has a digit, letters of both cases, or the length of lichess' ids.
fn looks_like_an_id(text: &str) -> bool {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let upper = text.bytes().any(|b| b.is_ascii_uppercase());
    let lower = text.bytes().any(|b| b.is_ascii_lowercase());
    let unlike_a_word =
        text.bytes().any(|b| b.is_ascii_digit()) || (upper && lower && !text.contains(['-', '_']));
    let lichess = text.len() == 8 && text.bytes().all(|b| b.is_ascii_alphabetic());
    plain && (6..=domain::GameId::MAX_CHARS).contains(&text.len()) && (unlike_a_word || lichess)
}

/// The id of one of a game's events; `place` is `created`, `ended` or the ply.
pub(super) fn event_id(game_id: &str, place: &str) -> EventId {
    EventId(Uuid::new_v5(
        &NAMESPACE,
        format!("{game_id}/{place}").as_bytes(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str, value: &str) -> String {
        let mut tags = Tags::default();
        tags.push(name, value);
        game_id(&tags, Uuid::nil())
    }

    #[test]
    fn a_games_own_id_is_the_end_of_its_link() {
        assert_eq!(
            id("Link", "https://www.chess.com/game/live/97950132771"),
            "97950132771"
        );
        assert_eq!(id("Site", "https://lichess.org/q7ZvsdUF"), "q7ZvsdUF");
        assert_eq!(id("Site", "https://lichess.org/abcdefgh#12"), "abcdefgh");
        assert_eq!(id("GameId", "q7ZvsdUF"), "q7ZvsdUF");
    }

    #[test]
    fn what_is_no_id_is_not_taken_for_one() {
        let none = Uuid::nil().to_string();
        for (name, value) in [
            ("Site", "London ENG"),
            ("Site", "Chess.com"),
            ("Site", "https://www.chess.com"),
            ("Site", "https://example.org/tournaments/london-open"),
            ("Site", "Hastings1895"),
            ("Link", "https://example.org/12345"),
            ("GameId", "?"),
        ] {
            assert_eq!(id(name, value), none, "{value}");
        }
    }
}
