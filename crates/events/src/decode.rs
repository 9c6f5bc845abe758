//! From a record's key and value to a checked event, or to the reason why it is none.

mod ends;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use domain::{
    Action, EndKind, EventTime, GameEnd, GameEvent, GameId, NewGame, NewPlayer, Opening, PlayerId,
    PlayerRating, Reason, ShortText, Slug,
};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::SCHEMA_VERSION;
use crate::wire::{
    EndDetails, EndResult, Envelope, GameAborted, GameCreated, GameEnded, GameResigned,
    GameTimeout, MoveMade, event_type,
};

/// The longest explanation a rejection keeps, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// Why a record is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Rejection {
    /// The dead letter's reason.
    pub reason: Reason,
    /// The game it claims to belong to, where that much can be read.
    pub game_id: Option<GameId>,
    /// What exactly is wrong, for a person.
    pub detail: String,
}

/// Reads a record.
///
/// # Errors
/// A [`Rejection`]; the order of the checks is the one in the crate's documentation.
pub fn decode<'a>(key: Option<&[u8]>, value: Option<&'a [u8]>) -> Result<GameEvent<'a>, Rejection> {
    let value =
        value.ok_or_else(|| reject(Reason::Undecodable, None, "the record has no value"))?;
    let text =
        std::str::from_utf8(value).map_err(|error| reject(Reason::Undecodable, None, error))?;
    let envelope = match read_move(text) {
        Some(envelope) => envelope,
        None => read_any(text)?,
    };
    let game_id = envelope.game_id.clone();
    decode_body(key, envelope)
        .map_err(|(reason, detail)| reject(reason, GameId::parse(&game_id).ok(), detail))
}

/// A payload, or why it is none: told only after what the envelope says was checked.
type Unchecked<'a> = Result<Payload<'a>, Refused>;

/// Reads a move in one pass over its text. Nearly every record is one, and [`read_any`] goes over a payload twice.
///
/// `None` says nothing about the record: [`read_any`] gives the answer then. What is read here, it would read the same.
fn read_move<'a>(text: &'a str) -> Option<Envelope<'a, Unchecked<'a>>> {
    let read = serde_json::from_str::<Object<Envelope<'a, Object<MoveMade<'a>>>>>(text);
    let Object(envelope) = read.ok()?;
    let is_move = [event_type::MOVE_MADE, event_type::MOVE_PLAYED].contains(&&*envelope.event_type);
    is_move.then(|| envelope.map(|Object(payload)| Ok(Payload::MoveMade(payload))))
}

/// Reads any event: first around its payload, then the payload as its type asks for.
fn read_any<'a>(text: &'a str) -> Result<Envelope<'a, Unchecked<'a>>, Rejection> {
    let Object(envelope) = serde_json::from_str::<Object<Envelope<'a, &'a RawValue>>>(text)
        .map_err(|error| reject(Reason::Undecodable, None, error))?;
    // Cloned only where the name holds escapes.
    let kind = envelope.event_type.clone();
    Ok(envelope.map(|raw| Payload::read(&kind, raw)))
}

fn reject(reason: Reason, game_id: Option<GameId>, detail: impl fmt::Display) -> Rejection {
    let detail = detail
        .to_string()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_DETAIL_CHARS)
        .collect();
    Rejection {
        reason,
        game_id,
        detail,
    }
}

type Refused = (Reason, String);

fn invalid(field: &str, error: impl fmt::Display) -> Refused {
    (Reason::Invalid, format!("{field} {error}"))
}

fn decode_body<'a>(
    key: Option<&[u8]>,
    envelope: Envelope<'a, Unchecked<'a>>,
) -> Result<GameEvent<'a>, Refused> {
    if envelope.schema_version != SCHEMA_VERSION {
        return Err((
            Reason::Unsupported,
            format!("schemaVersion {} is not known", envelope.schema_version),
        ));
    }
    let payload = envelope.payload?;
    match key {
        None => return Err((Reason::KeyMismatch, "the record has no key".into())),
        Some(key) if key != envelope.game_id.as_bytes() => {
            return Err((
                Reason::KeyMismatch,
                "the record's key is not its gameId".into(),
            ));
        }
        Some(_) => {}
    }
    GameId::check(&envelope.game_id).map_err(|error| invalid("gameId", error))?;
    // An event's id has the limits of any other id.
    GameId::check(&envelope.event_id).map_err(|error| invalid("eventId", error))?;
    let at = EventTime::from_datetime(envelope.occurred_at)
        .map_err(|error| invalid("occurredAt", error))?;
    let region = envelope
        .region
        .map(|region| slug("region", &region))
        .transpose()?;
    Ok(GameEvent {
        game_id: envelope.game_id,
        at,
        action: payload.into_action(region)?,
    })
}

enum Payload<'a> {
    GameCreated(GameCreated<'a>),
    MoveMade(MoveMade<'a>),
    GameEnded(GameEnded<'a>),
    GameResigned(GameResigned<'a>),
    GameTimeout(GameTimeout<'a>),
    GameAborted(GameAborted<'a>),
}

impl<'a> Payload<'a> {
    fn read(kind: &str, raw: &'a RawValue) -> Result<Self, Refused> {
        fn parse<'a, P: Deserialize<'a>>(raw: &'a RawValue) -> Result<P, Refused> {
            let Object(payload) = serde_json::from_str::<Object<P>>(raw.get())
                .map_err(|error| (Reason::Undecodable, format!("payload: {error}")))?;
            Ok(payload)
        }
        Ok(match kind {
            event_type::MOVE_MADE | event_type::MOVE_PLAYED => Self::MoveMade(parse(raw)?),
            event_type::GAME_CREATED => Self::GameCreated(parse(raw)?),
            event_type::GAME_ENDED => Self::GameEnded(parse(raw)?),
            event_type::GAME_RESIGNED => Self::GameResigned(parse(raw)?),
            event_type::GAME_TIMEOUT => Self::GameTimeout(parse(raw)?),
            event_type::GAME_ABORTED => Self::GameAborted(parse(raw)?),
            unknown => {
                return Err((
                    Reason::Unsupported,
                    format!("eventType {unknown:?} is not known"),
                ));
            }
        })
    }

    fn into_action(self, region: Option<Slug>) -> Result<Action<'a>, Refused> {
        Ok(match self {
            Self::MoveMade(payload) => made(payload)?,
            Self::GameCreated(payload) => Action::Create(Box::new(created(payload, region)?)),
            Self::GameEnded(payload) => {
                let kind = ended(&payload)?;
                end(kind, payload.details)?
            }
            Self::GameResigned(payload) => {
                let (player, winner) = (
                    player("playerId", &payload.player_id)?,
                    winner(payload.winner.as_deref())?,
                );
                end(EndKind::Resigned { player, winner }, payload.details)?
            }
            Self::GameTimeout(payload) => {
                let (player, winner) = (
                    player("playerId", &payload.player_id)?,
                    winner(payload.winner.as_deref())?,
                );
                end(EndKind::TimedOut { player, winner }, payload.details)?
            }
            Self::GameAborted(payload) => end(
                EndKind::Aborted {
                    termination: slug("termination", &payload.termination)?,
                },
                payload.details,
            )?,
        })
    }
}

fn slug(field: &str, text: &str) -> Result<Slug, Refused> {
    Slug::parse(text).map_err(|error| invalid(field, error))
}

fn short(field: &str, text: &str) -> Result<ShortText, Refused> {
    ShortText::parse(text).map_err(|error| invalid(field, error))
}

fn optional(field: &str, text: Option<Cow<'_, str>>) -> Result<Option<ShortText>, Refused> {
    text.map(|text| short(field, &text)).transpose()
}

fn player(field: &str, text: &str) -> Result<PlayerId, Refused> {
    PlayerId::parse(text).map_err(|error| invalid(field, error))
}

fn winner(text: Option<&str>) -> Result<Option<PlayerId>, Refused> {
    text.map(|text| player("winner", text)).transpose()
}

fn created(payload: GameCreated<'_>, region: Option<Slug>) -> Result<NewGame, Refused> {
    let mut players: Vec<NewPlayer> =
        Vec::with_capacity(payload.players.len().min(domain::MAX_PLAYERS));
    if payload.players.is_empty() || payload.players.len() > domain::MAX_PLAYERS {
        return Err(invalid(
            "players",
            format!("must be 1 to {}", domain::MAX_PLAYERS),
        ));
    }
    for p in &payload.players {
        let id = player("players.playerId", &p.player_id)?;
        if players.iter().any(|known| known.id == id) {
            return Err(invalid("players", "must not name a player twice"));
        }
        players.push(NewPlayer {
            id,
            role: slug("players.role", &p.role)?,
            rating: p.rating,
        });
    }
    Ok(NewGame {
        players,
        game: slug("game", &payload.game)?,
        variant: slug("variant", &payload.variant)?,
        mode: slug("mode", &payload.mode)?,
        time_control: optional("timeControl", payload.time_control)?,
        region,
        platform: optional("platform", payload.platform)?,
        tournament: optional("tournament", payload.tournament)?,
        start_position: optional("startPosition", payload.start_position)?,
    })
}

fn made(payload: MoveMade<'_>) -> Result<Action<'_>, Refused> {
    let ply = u32::try_from(payload.move_number)
        .ok()
        .filter(|ply| *ply > 0);
    let ply = ply.ok_or_else(|| invalid("moveNumber", "must be 1 to 4294967295"))?;
    PlayerId::check(&payload.player_id).map_err(|error| invalid("playerId", error))?;
    ShortText::check(&payload.text).map_err(|error| invalid("move", error))?;
    let clock_ms = payload.clock_ms.map(u64::try_from).transpose();
    let clock_ms = clock_ms.map_err(|_negative| invalid("clockMs", "must not be negative"))?;
    Ok(Action::Move {
        ply,
        player_id: payload.player_id,
        text: payload.text,
        clock_ms,
    })
}

fn ended(payload: &GameEnded<'_>) -> Result<EndKind, Refused> {
    let termination = slug("termination", &payload.termination)?;
    match (payload.result, winner(payload.winner.as_deref())?) {
        (EndResult::Win, Some(winner)) => Ok(EndKind::Won {
            winner,
            termination,
        }),
        (EndResult::Draw, None) => Ok(EndKind::Drawn { termination }),
        (EndResult::None, None) => Ok(EndKind::NoResult { termination }),
        _ => Err(invalid(
            "winner",
            "must be given exactly when the result is a win",
        )),
    }
}

fn end<'a>(kind: EndKind, details: EndDetails<'_>) -> Result<Action<'a>, Refused> {
    if details.ratings.len() > domain::MAX_PLAYERS {
        return Err(invalid(
            "ratings",
            format!("must be at most {}", domain::MAX_PLAYERS),
        ));
    }
    let ratings = details.ratings.iter().map(|r| {
        Ok(PlayerRating {
            player: player("ratings.playerId", &r.player_id)?,
            rating: r.rating,
        })
    });
    let move_count = details.move_count.map(u32::try_from).transpose();
    let opening = details.opening.map(|o| {
        Ok(Opening {
            code: short("opening.code", &o.code)?,
            name: optional("opening.name", o.name)?,
        })
    });
    Ok(Action::End(Box::new(GameEnd {
        kind,
        ratings: ratings.collect::<Result<_, Refused>>()?,
        move_count: move_count.map_err(|_range| invalid("moveCount", "must be 0 to 4294967295"))?,
        opening: opening.transpose()?,
    })))
}

/// A value that must stand as a JSON object: serde alone would also take its fields from an array, by position.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for ObjectVisitor<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer
            .deserialize_map(ObjectVisitor(PhantomData))
            .map(Object)
    }
}

/// A list whose items must stand as JSON objects.
pub(crate) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(deserializer)?
        .into_iter()
        .map(|Object(item)| item)
        .collect())
}

/// An optional value that must stand as a JSON object when it is there.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(item)| item))
}

/// A time as RFC 3339 has it; chrono's own reading of a time is more liberal than the contract.
pub(crate) fn rfc3339<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<DateTime<Utc>, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    DateTime::parse_from_rfc3339(&text)
        .map(|time| time.to_utc())
        .map_err(de::Error::custom)
}
