//! What the tags of a PGN game say, in the words of an event.

use chess::pgn::Tags;
use events::wire::Opening;

/// Words that make an `Event` a tournament.
const TOURNAMENT_WORDS: [&str; 13] = [
    "tournament",
    "arena",
    "swiss",
    "championship",
    "olympiad",
    "cup",
    "open",
    "match",
    "memorial",
    "candidates",
    "congress",
    "interzonal",
    "league",
];

/// `rated` or `casual`: from a `Rated` tag, from the `Event`, else by whether anybody has a rating.
pub(super) fn mode(tags: &Tags) -> &'static str {
    let said = |name: &str| tags.known(name).map(str::to_ascii_lowercase);
    let rated = match (said("Rated").as_deref(), said("Event").as_deref()) {
        (Some("true" | "yes" | "1"), _) => true,
        (Some("false" | "no" | "0"), _) => false,
        (_, Some(event)) if event.starts_with("casual") || event.starts_with("unrated") => false,
        (_, Some(event)) if event.starts_with("rated") => true,
        _ => rating(tags, "WhiteElo").is_some() || rating(tags, "BlackElo").is_some(),
    };
    if rated { "rated" } else { "casual" }
}

/// A rating tag, where it is a number.
pub(super) fn rating(tags: &Tags, name: &str) -> Option<i32> {
    tags.known(name)?.parse().ok()
}

/// The opening, where the tags have its code.
pub(super) fn opening(tags: &Tags) -> Option<Opening<'static>> {
    let code = tags.known("ECO")?;
    let name = tags
        .known("Opening")
        .map(str::to_owned)
        .or_else(|| tags.known("ECOUrl").and_then(opening_in_url));
    Some(Opening {
        code: clip(code).into(),
        name: name.map(|name| clip(&name).into()),
    })
}

/// `…/French-Defense-Knight-Variation-3.Nf6` names the French Defense, Knight Variation; moves are not part of a name.
fn opening_in_url(url: &str) -> Option<String> {
    let mut words = Vec::new();
    for word in last_segment(url)?.split('-') {
        let (name, moves) = word
            .split_once("...")
            .map_or((word, None), |(name, moves)| (name, Some(moves)));
        let is_move = name.starts_with(|c: char| c.is_ascii_digit())
            && (moves.is_some() || name.contains('.'));
        if !is_move && !name.is_empty() {
            words.push(name);
        }
        if is_move || moves.is_some() {
            break;
        }
    }
    Some(words.join(" ")).filter(|name| !name.is_empty())
}

/// The tournament: its own tag, a link in the `Event`, or an `Event` that is one. A game whose date no event can carry keeps
/// its `Event` and year here, which is then the only place for them.
pub(super) fn tournament(tags: &Tags, dated: bool) -> Option<String> {
    if let Some(tag) = tags.known("Tournament") {
        return Some(clip(last_segment(tag).unwrap_or(tag)));
    }
    let event = tags.known("Event")?;
    if let Some((_, link)) = event.split_once("://") {
        return last_segment(link).map(clip);
    }
    let year = tags
        .known("Date")
        .and_then(|date| date.get(..4))
        .filter(|y| y.bytes().all(|b| b.is_ascii_digit()));
    match year {
        Some(year) if !dated && !event.contains(year) => {
            return Some(clip(&format!("{event}, {year}")));
        }
        _ if !dated => return Some(clip(event)),
        _ => {}
    }
    let lower = event.to_ascii_lowercase();
    let is_tournament =
        tags.known("Round").is_some() || TOURNAMENT_WORDS.iter().any(|word| lower.contains(word));
    is_tournament.then(|| clip(event))
}

/// What stands behind the last slash, without query and fragment; `None` when that is nothing.
pub(super) fn last_segment(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.trim_end_matches('/')
        .rsplit('/')
        .next()
        .filter(|segment| !segment.is_empty())
}

/// As much of a text as the contract takes, on one line.
pub(super) fn clip(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(domain::ShortText::MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        let mut tags = Tags::default();
        for (name, value) in pairs {
            tags.push(*name, *value);
        }
        tags
    }

    #[test]
    fn a_game_is_rated_when_it_says_so_or_somebody_has_a_rating() {
        for (pairs, wanted) in [
            (
                &[("Event", "Live Chess"), ("WhiteElo", "1500")][..],
                "rated",
            ),
            (
                &[("Event", "Casual blitz game"), ("WhiteElo", "1500")],
                "casual",
            ),
            (&[("Event", "Rated Bullet game")], "rated"),
            (&[("Rated", "false"), ("Event", "Rated?")], "casual"),
            (&[("Event", "London"), ("WhiteElo", "?")], "casual"),
        ] {
            assert_eq!(mode(&tags(pairs)), wanted, "{pairs:?}");
        }
    }

    #[test]
    fn an_opening_is_named_without_its_moves() {
        for (url, name) in [
            (
                "https://x/openings/French-Defense-Horwitz-Papa-Ticulat-Gambit-3...dxe4-4.Nc3-Nf6",
                "French Defense Horwitz Papa Ticulat Gambit",
            ),
            (
                "https://x/openings/Kings-Pawn-Opening-St-George-Defense-2.d4",
                "Kings Pawn Opening St George Defense",
            ),
            (
                "https://x/openings/Indian-Game-Accelerated-Variation...5.cxd5-Nxd5",
                "Indian Game Accelerated Variation",
            ),
            ("https://x/openings/Clemenz-Opening", "Clemenz Opening"),
        ] {
            let opening = opening(&tags(&[("ECO", "C00"), ("ECOUrl", url)])).unwrap();
            assert_eq!(opening.name.as_deref(), Some(name));
        }
        assert_eq!(opening(&tags(&[("Opening", "Sicilian")])), None);
    }

    #[test]
    fn a_tournament_is_its_link_its_tag_or_an_event_that_is_one() {
        let of = |pairs: &[(&str, &str)], dated| tournament(&tags(pairs), dated);
        let link = "https://www.chess.com/tournament/live/early-titled-tuesday-4490237";
        assert_eq!(
            of(&[("Tournament", link)], true).as_deref(),
            Some("early-titled-tuesday-4490237")
        );
        let event = [(
            "Event",
            "Rated Blitz tournament https://lichess.org/tournament/Ab3dEf7h",
        )];
        assert_eq!(of(&event, true).as_deref(), Some("Ab3dEf7h"));
        assert_eq!(of(&[("Event", "Live Chess"), ("Round", "-")], true), None);
        assert_eq!(
            of(&[("Event", "Hastings"), ("Round", "3")], true).as_deref(),
            Some("Hastings")
        );
        let old = [("Event", "London"), ("Date", "1851.06.21")];
        assert_eq!(of(&old, false).as_deref(), Some("London, 1851"));
    }
}
