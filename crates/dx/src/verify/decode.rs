//! From a record's key and value to what it says, written from the documents of the wire contract and not from its code.
//!
//! The checks run in the documented order, and the first that fails names the reason: `undecodable` envelope, `unsupported`
//! type or version, `undecodable` payload, `key_mismatch`, `invalid` value. A field that nobody knows is passed over, whatever
//! stands in it; a field that is known may stand there once.

use std::borrow::Cow;

use super::event::{Action, Beginning, Ending, Event, How, Reason, Refusal, Seat};
use super::json::{self, Malformed};
use super::time;

const MAX_ID: usize = 100;
const MAX_TEXT: usize = 200;
const MAX_WORD: usize = 32;
const MAX_PLAYERS: usize = 16;

/// Reads a record.
pub(super) fn decode<'a>(
    key: Option<&[u8]>,
    value: Option<&'a [u8]>,
) -> Result<Event<'a>, Refusal> {
    let undecodable = |why: &str| Refusal {
        reason: Reason::Undecodable,
        game_id: None,
        detail: why.to_owned(),
    };
    let value = value.ok_or_else(|| undecodable("no value"))?;
    let text = std::str::from_utf8(value).map_err(|_place| undecodable("not UTF-8"))?;
    let envelope = Envelope::read(text).map_err(|Malformed(why)| undecodable(why))?;
    let game_id = check_text(&envelope.game_id, MAX_ID)
        .is_ok()
        .then(|| envelope.game_id.clone().into_owned());
    envelope
        .judge(key)
        .map_err(|Fault(reason, detail)| Refusal {
            reason,
            game_id,
            detail,
        })
}

/// A reason and what is wrong.
struct Fault(Reason, String);

impl From<Malformed> for Fault {
    fn from(Malformed(why): Malformed) -> Self {
        Self(Reason::Undecodable, format!("payload: {why}"))
    }
}

fn invalid(what: impl Into<String>) -> Fault {
    Fault(Reason::Invalid, what.into())
}

struct Envelope<'a> {
    event_id: Cow<'a, str>,
    event_type: Cow<'a, str>,
    schema_version: u32,
    game_id: Cow<'a, str>,
    occurred_ms: i64,
    region: Option<Cow<'a, str>>,
    payload: &'a str,
}

impl<'a> Envelope<'a> {
    fn read(text: &'a str) -> Result<Self, Malformed> {
        let fields = Fields::of(text)?;
        Ok(Self {
            event_id: json::string(fields.needed("eventId")?)?,
            event_type: json::string(fields.needed("eventType")?)?,
            schema_version: sized(fields.needed("schemaVersion")?)?,
            game_id: json::string(fields.needed("gameId")?)?,
            occurred_ms: time::rfc3339_ms(&json::string(fields.needed("occurredAt")?)?)
                .ok_or(Malformed("occurredAt is no RFC 3339 time"))?,
            region: fields.text("region")?,
            payload: fields.needed("payload")?,
        })
    }

    fn judge(self, key: Option<&[u8]>) -> Result<Event<'a>, Fault> {
        if self.schema_version != 1 {
            return Err(Fault(
                Reason::Unsupported,
                format!("version {}", self.schema_version),
            ));
        }
        let payload = Payload::read(&self.event_type, self.payload)?;
        if key != Some(self.game_id.as_bytes()) {
            return Err(Fault(Reason::KeyMismatch, "key and gameId differ".into()));
        }
        check_text(&self.game_id, MAX_ID)?;
        check_text(&self.event_id, MAX_ID)?;
        if !time::ACCEPTED_MS.contains(&self.occurred_ms) {
            return Err(invalid("occurredAt is outside 1970 to 2100"));
        }
        let region = self.region.map(|region| word(&region)).transpose()?;
        Ok(Event {
            game_id: self.game_id,
            at_ms: self.occurred_ms,
            action: payload.check(region)?,
        })
    }
}

/// The members of an object, looked up by name.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Result<Self, Malformed> {
        json::members(text).map(Self)
    }

    fn find(&self, name: &str) -> Result<Option<&'a str>, Malformed> {
        let mut found = self
            .0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, raw)| *raw);
        let first = found.next();
        match found.next() {
            Some(_) => Err(Malformed("a known field stands there twice")),
            None => Ok(first),
        }
    }

    fn needed(&self, name: &str) -> Result<&'a str, Malformed> {
        self.find(name)?
            .ok_or(Malformed("a needed field is missing"))
    }

    /// A field that may be missing or null.
    fn optional(&self, name: &str) -> Result<Option<&'a str>, Malformed> {
        Ok(self.find(name)?.filter(|raw| *raw != "null"))
    }

    fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.optional(name)?.map(json::string).transpose()
    }

    fn needed_text(&self, name: &str) -> Result<Cow<'a, str>, Malformed> {
        json::string(self.needed(name)?)
    }

    /// A text that has a default when it is missing, and none when it is null.
    fn text_or(&self, name: &str, default: &'static str) -> Result<Cow<'a, str>, Malformed> {
        self.find(name)?
            .map_or(Ok(Cow::Borrowed(default)), json::string)
    }
}

/// A whole number that fits its type.
fn sized<N: TryFrom<i64>>(raw: &str) -> Result<N, Malformed> {
    N::try_from(json::integer(raw)?).map_err(|_range| Malformed("a number that does not fit"))
}

/// A payload whose shape is right and whose values are not checked yet.
enum Payload<'a> {
    Created {
        texts: CreatedTexts<'a>,
        players: Vec<(Cow<'a, str>, Cow<'a, str>, Option<i32>)>,
    },
    Moved {
        number: i64,
        player: Cow<'a, str>,
        text: Cow<'a, str>,
        clock_ms: Option<i64>,
    },
    Ended {
        result: EndResult,
        winner: Option<Cow<'a, str>>,
        termination: Cow<'a, str>,
        more: More<'a>,
    },
    /// A resignation, or a timeout where `timeout` is set.
    Lost {
        timeout: bool,
        player: Cow<'a, str>,
        winner: Option<Cow<'a, str>>,
        more: More<'a>,
    },
    Aborted {
        termination: Cow<'a, str>,
        more: More<'a>,
    },
}

struct CreatedTexts<'a> {
    game: Cow<'a, str>,
    variant: Cow<'a, str>,
    mode: Cow<'a, str>,
    time_control: Option<Cow<'a, str>>,
    platform: Option<Cow<'a, str>>,
    tournament: Option<Cow<'a, str>>,
    start_position: Option<Cow<'a, str>>,
}

#[derive(PartialEq, Eq)]
enum EndResult {
    Win,
    Draw,
    None,
}

/// What every end may carry.
struct More<'a> {
    ratings: Vec<(Cow<'a, str>, i32)>,
    move_count: Option<i64>,
    opening: Option<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

impl<'a> Payload<'a> {
    fn read(kind: &str, raw: &'a str) -> Result<Self, Fault> {
        let read: fn(&Fields<'a>) -> Result<Self, Malformed> = match kind {
            "GameCreated" => Self::created,
            "MoveMade" | "MovePlayed" => Self::moved,
            "GameEnded" => Self::ended,
            "GameResigned" => |fields| Self::lost(fields, false),
            "GameTimeout" => |fields| Self::lost(fields, true),
            "GameAborted" => |fields| {
                Ok(Self::Aborted {
                    termination: fields.text_or("termination", "aborted")?,
                    more: More::read(fields)?,
                })
            },
            _ => return Err(Fault(Reason::Unsupported, format!("type {kind:?}"))),
        };
        Ok(read(&Fields::of(raw)?)?)
    }

    fn created(fields: &Fields<'a>) -> Result<Self, Malformed> {
        let players = json::items(fields.needed("players")?)?
            .into_iter()
            .map(|raw| {
                let player = Fields::of(raw)?;
                Ok((
                    player.needed_text("playerId")?,
                    player.needed_text("role")?,
                    player.optional("rating")?.map(sized).transpose()?,
                ))
            });
        Ok(Self::Created {
            players: players.collect::<Result<_, _>>()?,
            texts: CreatedTexts {
                game: fields.text_or("game", "chess")?,
                variant: fields.text_or("variant", "standard")?,
                mode: fields.needed_text("mode")?,
                time_control: fields.text("timeControl")?,
                platform: fields.text("platform")?,
                tournament: fields.text("tournament")?,
                start_position: fields.text("startPosition")?,
            },
        })
    }

    fn moved(fields: &Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self::Moved {
            number: json::integer(fields.needed("moveNumber")?)?,
            player: fields.needed_text("playerId")?,
            text: fields.needed_text("move")?,
            clock_ms: fields.optional("clockMs")?.map(json::integer).transpose()?,
        })
    }

    fn ended(fields: &Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self::Ended {
            result: match &*fields.needed_text("result")? {
                "win" => EndResult::Win,
                "draw" => EndResult::Draw,
                "none" => EndResult::None,
                _ => return Err(Malformed("an unknown result")),
            },
            winner: fields.text("winner")?,
            termination: fields.needed_text("termination")?,
            more: More::read(fields)?,
        })
    }

    fn lost(fields: &Fields<'a>, timeout: bool) -> Result<Self, Malformed> {
        Ok(Self::Lost {
            timeout,
            player: fields.needed_text("playerId")?,
            winner: fields.text("winner")?,
            more: More::read(fields)?,
        })
    }

    fn check(self, region: Option<String>) -> Result<Action<'a>, Fault> {
        match self {
            Self::Created { texts, players } => beginning(&texts, &players, region),
            Self::Moved {
                number,
                player,
                text,
                clock_ms,
            } => {
                check_text(&player, MAX_ID)?;
                check_text(&text, MAX_TEXT)?;
                let ply = u32::try_from(number).ok().filter(|ply| *ply >= 1);
                let clock_ms = clock_ms.map(u64::try_from).transpose();
                Ok(Action::Move {
                    ply: ply.ok_or_else(|| invalid("moveNumber"))?,
                    player,
                    text,
                    clock_ms: clock_ms.map_err(|_negative| invalid("clockMs"))?,
                })
            }
            Self::Ended {
                result,
                winner,
                termination,
                more,
            } => {
                let by = word(&termination)?;
                let how = match (result, id_if_any(winner)?) {
                    (EndResult::Win, Some(winner)) => How::Won { winner, by },
                    (EndResult::Draw, None) => How::Drawn { by },
                    (EndResult::None, None) => How::NoResult { by },
                    _ => return Err(invalid("a winner belongs to a win, and only there")),
                };
                more.check(how)
            }
            Self::Lost {
                timeout,
                player,
                winner,
                more,
            } => {
                let (player, winner) = (text(&player, MAX_ID)?, id_if_any(winner)?);
                more.check(if timeout {
                    How::TimedOut { player, winner }
                } else {
                    How::Resigned { player, winner }
                })
            }
            Self::Aborted { termination, more } => more.check(How::Aborted {
                by: word(&termination)?,
            }),
        }
    }
}

impl<'a> More<'a> {
    fn read(fields: &Fields<'a>) -> Result<Self, Malformed> {
        let ratings = fields
            .find("ratings")?
            .map_or(Ok(Vec::new()), json::items)?;
        let ratings = ratings.into_iter().map(|raw| {
            let rating = Fields::of(raw)?;
            Ok((
                rating.needed_text("playerId")?,
                sized(rating.needed("rating")?)?,
            ))
        });
        let opening = fields.optional("opening")?.map(|raw| {
            let opening = Fields::of(raw)?;
            Ok((opening.needed_text("code")?, opening.text("name")?))
        });
        Ok(Self {
            ratings: ratings.collect::<Result<_, Malformed>>()?,
            move_count: fields
                .optional("moveCount")?
                .map(json::integer)
                .transpose()?,
            opening: opening.transpose()?,
        })
    }

    fn check(self, how: How) -> Result<Action<'a>, Fault> {
        if self.ratings.len() > MAX_PLAYERS {
            return Err(invalid("too many ratings"));
        }
        let ratings = self
            .ratings
            .iter()
            .map(|(id, rating)| Ok((text(id, MAX_ID)?, *rating)));
        let opening = self.opening.map(|(code, name)| {
            Ok::<_, Fault>((
                text(&code, MAX_TEXT)?,
                name.map(|name| text(&name, MAX_TEXT)).transpose()?,
            ))
        });
        let move_count = self.move_count.map(u32::try_from).transpose();
        Ok(Action::End(Box::new(Ending {
            how,
            ratings: ratings.collect::<Result<_, Fault>>()?,
            move_count: move_count.map_err(|_range| invalid("moveCount"))?,
            opening: opening.transpose()?,
        })))
    }
}

fn beginning<'a>(
    texts: &CreatedTexts<'_>,
    players: &[(Cow<'_, str>, Cow<'_, str>, Option<i32>)],
    region: Option<String>,
) -> Result<Action<'a>, Fault> {
    if !(1..=MAX_PLAYERS).contains(&players.len()) {
        return Err(invalid("players must be 1 to 16"));
    }
    let mut seats: Vec<Seat> = Vec::with_capacity(players.len());
    for (id, role, rating) in players {
        let (id, role) = (text(id, MAX_ID)?, word(role)?);
        if seats.iter().any(|seat| seat.id == id) {
            return Err(invalid("a player stands there twice"));
        }
        seats.push(Seat {
            id,
            role,
            rating: *rating,
        });
    }
    let label = |value: &Option<Cow<'_, str>>| {
        value
            .as_deref()
            .map(|value| text(value, MAX_TEXT))
            .transpose()
    };
    Ok(Action::Create(Box::new(Beginning {
        game: word(&texts.game)?,
        variant: word(&texts.variant)?,
        mode: word(&texts.mode)?,
        time_control: label(&texts.time_control)?,
        region,
        platform: label(&texts.platform)?,
        tournament: label(&texts.tournament)?,
        start_position: label(&texts.start_position)?,
        players: seats,
    })))
}

/// One to `max` characters, none of them a control character.
fn check_text(value: &str, max: usize) -> Result<(), Fault> {
    if value.is_empty() || value.chars().count() > max || value.chars().any(char::is_control) {
        return Err(invalid(format!(
            "{value:?} is not a text of 1 to {max} characters"
        )));
    }
    Ok(())
}

fn text(value: &str, max: usize) -> Result<String, Fault> {
    check_text(value, max)?;
    Ok(value.to_owned())
}

fn id_if_any(value: Option<Cow<'_, str>>) -> Result<Option<String>, Fault> {
    value.map(|value| text(&value, MAX_ID)).transpose()
}

/// A machine-readable word: `[a-z0-9_-]`, 1 to 32 characters.
fn word(value: &str) -> Result<String, Fault> {
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if !(1..=MAX_WORD).contains(&value.len()) || !value.bytes().all(plain) {
        return Err(invalid(format!(
            "{value:?} is not a word of a-z, 0-9, _ and -"
        )));
    }
    Ok(value.to_owned())
}
