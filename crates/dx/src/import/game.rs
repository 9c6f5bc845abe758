//! One PGN game as the events of its life: created, moved, ended. Pure: the same game gives the same events.

use chess::Color;
use chess::pgn::FoundGame;
use domain::{EventTime, PlayerId};
use events::wire::{EndDetails, GameCreated, MoveMade, Player};
use events::{Event, Payload};
use uuid::Uuid;

use super::ending::Ending;
use super::identity;
use super::tags;
use super::times::Times;

/// The longest a game may last by the contract, in milliseconds: 400 days.
const MAX_GAME_MS: i64 = 400 * 24 * 3_600 * 1_000;

/// What an import is told beyond the file.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The region of every event.
    pub(crate) region: Option<String>,
    /// The platform of every game.
    pub(crate) platform: Option<String>,
    /// When games end whose date no event can carry, in milliseconds since 1970.
    pub(crate) undated_end_ms: i64,
    /// Whether games without a result are imported as live ones.
    pub(crate) unfinished: bool,
}

/// Why a readable game is not imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("names no {0} player")]
    NoPlayer(Color),
    #[error("has {0:?} on both sides")]
    SamePlayer(String),
    #[error("{0} player's name {1}")]
    PlayerName(Color, domain::TextError),
    #[error("has no result (--unfinished imports it as a live game)")]
    NoResult,
    #[error("ends in a mate by {mated_by}, and its result says otherwise")]
    MateByLoser { mated_by: Color },
    #[error("lasts more than 400 days by its tags")]
    TooLong,
    #[error("{0} by its tags")]
    Time(#[from] domain::TimeError),
    #[error("can't be told as events: {0}")]
    Contract(#[from] events::Rejection),
    #[error("stands in this import already, as {0}")]
    Twice(String),
    #[error("has the id of {0} and is another game")]
    SameId(String),
}

/// A game ready to be published.
#[derive(Debug, Clone)]
pub(crate) struct ImportedGame {
    pub(crate) id: String,
    /// A digest of what makes it this game.
    pub(crate) content: Uuid,
    /// In their order.
    pub(crate) events: Vec<Event<'static>>,
    /// Whether its times are those of its tags.
    pub(crate) dated: bool,
}

/// The events of a game.
///
/// # Errors
/// A [`Refusal`] when the game can't be told as events, or not honestly.
pub(crate) fn events_of(found: &FoundGame, settings: &Settings) -> Result<ImportedGame, Refusal> {
    let tags = &found.game.tags;
    let (white, black) = (player(found, Color::White)?, player(found, Color::Black)?);
    if white == black {
        return Err(Refusal::SamePlayer(white.to_string()));
    }
    let ending = Ending::of(found)?;
    if ending == Ending::Open && !settings.unfinished {
        return Err(Refusal::NoResult);
    }
    let times = Times::of(&found.game, &ending, settings.undated_end_ms);
    if times.end_ms - times.start_ms > MAX_GAME_MS {
        return Err(Refusal::TooLong);
    }
    let content = identity::content(&found.game);
    let id = identity::game_id(tags, content);
    let event =
        |place: &str, at_ms: i64, payload: Payload<'static>| -> Result<Event<'static>, Refusal> {
            Ok(Event {
                event_id: identity::event_id(&id, place),
                game_id: id.clone().into(),
                occurred_at: EventTime::from_ms(at_ms)?,
                region: settings.region.clone().map(Into::into),
                payload,
            })
        };
    let mut events = Vec::with_capacity(found.game.moves.len() + 2);
    let created = created(found, settings, &times, [&white, &black]);
    events.push(event(
        "created",
        times.start_ms,
        Payload::GameCreated(created),
    )?);
    for ((mv, made), at_ms) in moves(found, [&white, &black]).zip(&times.moves_ms) {
        events.push(event(&mv.to_string(), *at_ms, Payload::MoveMade(made))?);
    }
    let details = EndDetails {
        ratings: Vec::new(),
        move_count: i64::try_from(found.game.moves.len()).ok(),
        opening: tags::opening(tags),
    };
    if let Some(payload) = ending.payload(white.as_str(), black.as_str(), details) {
        events.push(event("ended", times.end_ms, payload)?);
    }
    // Create and end carry everything that a tag could spoil; moves hold nothing but squares and the checked players.
    for event in events.first().into_iter().chain(events.last()) {
        events::encode(event)?;
    }
    Ok(ImportedGame {
        id,
        content,
        events,
        dated: times.dated,
    })
}

fn player(found: &FoundGame, color: Color) -> Result<PlayerId, Refusal> {
    let name = found
        .game
        .tags
        .known(&color.to_string())
        .ok_or(Refusal::NoPlayer(color))?;
    PlayerId::parse(name).map_err(|error| Refusal::PlayerName(color, error))
}

fn created(
    found: &FoundGame,
    settings: &Settings,
    times: &Times,
    [white, black]: [&PlayerId; 2],
) -> GameCreated<'static> {
    let tags = &found.game.tags;
    let seat = |id: &PlayerId, role: &'static str, elo: &str| Player {
        player_id: id.to_string().into(),
        role: role.into(),
        rating: tags::rating(tags, elo),
    };
    let set_up = found.game.start_fen.clone();
    GameCreated {
        game: "chess".into(),
        variant: if set_up.is_some() {
            "from_position"
        } else {
            "standard"
        }
        .into(),
        mode: tags::mode(tags).into(),
        time_control: tags
            .known("TimeControl")
            .map(|text| tags::clip(text).into()),
        platform: settings.platform.clone().map(Into::into),
        tournament: tags::tournament(tags, times.dated).map(Into::into),
        start_position: set_up.map(Into::into),
        players: vec![
            seat(white, "white", "WhiteElo"),
            seat(black, "black", "BlackElo"),
        ],
    }
}

/// Each move with its ply.
fn moves<'a>(
    found: &'a FoundGame,
    players: [&'a PlayerId; 2],
) -> impl Iterator<Item = (i64, MoveMade<'static>)> + 'a {
    let black_begins = found
        .game
        .start_fen
        .as_deref()
        .is_some_and(|fen| fen.contains(" b "));
    let sides = players.into_iter().cycle().skip(usize::from(black_begins));
    found
        .game
        .moves
        .iter()
        .zip(sides)
        .zip(1_i64..)
        .map(|((mv, player), ply)| {
            let made = MoveMade {
                move_number: ply,
                player_id: player.to_string().into(),
                text: mv.uci.to_string().into(),
                clock_ms: mv.clock.and_then(|clock| i64::try_from(clock.as_ms()).ok()),
            };
            (ply, made)
        })
}

#[cfg(test)]
mod tests;
