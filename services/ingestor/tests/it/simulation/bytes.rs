//! Events as a producer writes them: hand-made JSON, so that a mistake of the product's encoder is not repeated here.

use chrono::{DateTime, SecondsFormat};

use super::random::Random;
use super::script::{Beginning, Ending, Event, Outcome, What};

fn optional<T: std::fmt::Display>(name: &str, value: Option<T>) -> String {
    value.map_or_else(String::new, |value| format!(",\"{name}\":{value}"))
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn created(beginning: &Beginning) -> String {
    let players: Vec<String> = beginning
        .players
        .iter()
        .map(|seat| {
            let rating = optional("rating", seat.rating);
            format!(
                "{{\"playerId\":\"{}\",\"role\":\"{}\"{rating}}}",
                seat.id, seat.role
            )
        })
        .collect();
    let control = optional("timeControl", beginning.time_control.map(quoted));
    format!(
        "{{\"mode\":\"{}\"{control},\"players\":[{}]}}",
        beginning.mode,
        players.join(",")
    )
}

fn ended(ending: &Ending) -> (&'static str, String) {
    let termination = quoted(ending.termination);
    let (kind, mut payload) = match &ending.outcome {
        Outcome::Win(winner) => (
            "GameEnded",
            format!("\"result\":\"win\",\"winner\":\"{winner}\",\"termination\":{termination}"),
        ),
        Outcome::Draw => (
            "GameEnded",
            format!("\"result\":\"draw\",\"termination\":{termination}"),
        ),
        Outcome::NoResult => (
            "GameEnded",
            format!("\"result\":\"none\",\"termination\":{termination}"),
        ),
        Outcome::Resigned { player, winner } => (
            "GameResigned",
            format!(
                "\"playerId\":\"{player}\"{}",
                optional("winner", winner.map(quoted))
            ),
        ),
        Outcome::TimedOut { player, winner } => (
            "GameTimeout",
            format!(
                "\"playerId\":\"{player}\"{}",
                optional("winner", winner.map(quoted))
            ),
        ),
        Outcome::Aborted => ("GameAborted", format!("\"termination\":{termination}")),
    };
    if !ending.ratings.is_empty() {
        let ratings = ending
            .ratings
            .iter()
            .map(|(id, rating)| format!("{{\"playerId\":\"{id}\",\"rating\":{rating}}}"));
        payload.push_str(&format!(
            ",\"ratings\":[{}]",
            ratings.collect::<Vec<_>>().join(",")
        ));
    }
    payload.push_str(&optional("moveCount", ending.move_count));
    payload.push_str(&optional(
        "opening",
        ending
            .opening
            .map(|(code, name)| format!("{{\"code\":\"{code}\",\"name\":\"{name}\"}}")),
    ));
    (kind, format!("{{{payload}}}"))
}

/// The payload's type and JSON.
fn payload(what: &What, random: &mut Random) -> (&'static str, String) {
    match what {
        What::Create(beginning) => ("GameCreated", created(beginning)),
        What::Move {
            ply,
            player,
            text,
            clock_ms,
        } => {
            let clock = optional("clockMs", *clock_ms);
            let kind = if random.chance(10) {
                "MovePlayed"
            } else {
                "MoveMade"
            };
            (
                kind,
                format!(
                    "{{\"moveNumber\":{ply},\"playerId\":\"{player}\",\"move\":\"{text}\"{clock}}}"
                ),
            )
        }
        What::End(ending) => ended(ending),
    }
}

/// An event's envelope in pieces, for those who want to break it.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) event_id: String,
    pub(crate) kind: String,
    pub(crate) version: u32,
    pub(crate) game: String,
    pub(crate) at: String,
    pub(crate) region: Option<&'static str>,
    pub(crate) payload: String,
}

impl Envelope {
    pub(crate) fn of(event: &Event, random: &mut Random) -> Self {
        let (kind, payload) = payload(&event.what, random);
        let region = match &event.what {
            What::Create(beginning) => beginning.region,
            _ => None,
        };
        let at = DateTime::from_timestamp_millis(event.at_ms).unwrap_or_default();
        Self {
            event_id: format!("e{}", random.below(1_000_000)),
            kind: kind.to_owned(),
            version: 1,
            game: event.game.to_string(),
            at: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            region,
            payload,
        }
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        let Self {
            event_id,
            kind,
            version,
            game,
            at,
            region,
            payload,
        } = self;
        let region = optional("region", region.map(quoted));
        format!(
            "{{\"eventId\":\"{event_id}\",\"eventType\":\"{kind}\",\"schemaVersion\":{version},\"gameId\":\"{game}\",\
             \"occurredAt\":\"{at}\"{region},\"payload\":{payload}}}"
        )
        .into_bytes()
    }
}
