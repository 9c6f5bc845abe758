//! The true events of a game as records: create, move, and the end that was planned.

use chess::{Color, Outcome};
use domain::EventTime;
use events::wire::{
    EndDetails, EndResult, GameAborted, GameCreated, GameEnded, GameResigned, GameTimeout,
    MoveMade, Opening, Player, Rating, event_type,
};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use uuid::Uuid;

use super::Record;
use super::live::{Live, Plan};
use super::record::About;

/// Below this many plies a game has no opening.
const MIN_OPENING_PLIES: usize = 8;

/// A UUIDv7 of this moment, from the stream's own source.
pub(super) fn event_id(rng: &mut ChaCha8Rng, at_ms: i64) -> Uuid {
    let mut random = [0; 10];
    rng.fill_bytes(&mut random);
    let at_ms = u64::try_from(at_ms).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(at_ms, &random).into_uuid()
}

fn encode<P: Serialize>(
    live: &Live,
    event_type: &'static str,
    event_id: Uuid,
    payload: &P,
) -> Record {
    let about = About {
        event_type,
        event_id,
        region: live.region,
    };
    // The contract knows no time from 2100 on; a stream that long has other troubles.
    Record::encode(
        &live.id,
        about,
        live.now_ms.min(EventTime::END_MS - 1),
        payload,
    )
}

pub(super) fn created(live: &Live, mode: &'static str, id: Uuid) -> Record {
    let seat = |side: usize, role: &'static str| Player {
        player_id: (&*live.names[side]).into(),
        role: role.into(),
        rating: Some(live.ratings[side]),
    };
    let payload = GameCreated {
        game: "chess".into(),
        variant: live.variant.into(),
        mode: mode.into(),
        time_control: Some(live.time_control.into()),
        platform: Some(live.platform.into()),
        tournament: live
            .tournament
            .map(|number| format!("arena-{number}").into()),
        start_position: None,
        players: vec![seat(0, "white"), seat(1, "black")],
    };
    encode(live, event_type::GAME_CREATED, id, &payload)
}

pub(super) fn moved(
    live: &Live,
    side: usize,
    ply: usize,
    text: &str,
    clock_ms: Option<i64>,
    id: Uuid,
) -> Record {
    let payload = MoveMade {
        move_number: i64::try_from(ply).unwrap_or(i64::MAX),
        player_id: (&*live.names[side]).into(),
        text: text.into(),
        clock_ms,
    };
    encode(live, event_type::MOVE_MADE, id, &payload)
}

pub(super) fn resigned(live: &Live, loser: Color, details: EndDetails<'_>, id: Uuid) -> Record {
    let payload = GameResigned {
        player_id: name(live, loser).into(),
        winner: None,
        details,
    };
    encode(live, event_type::GAME_RESIGNED, id, &payload)
}

fn name(live: &Live, color: Color) -> &str {
    &live.names[usize::from(color == Color::Black)]
}

/// Result, termination and winner.
pub(super) fn told(plan: Plan) -> (&'static str, &'static str, Option<Color>) {
    match plan {
        Plan::Board(Outcome::Checkmate { winner }) => ("win", "checkmate", Some(winner)),
        Plan::Board(Outcome::Draw(drawn)) => ("draw", drawn.as_str(), None),
        Plan::Resign { loser } => ("win", "resignation", Some(loser.other())),
        Plan::TimeOut { loser } => ("win", "timeout", Some(loser.other())),
        Plan::Agree => ("draw", "agreement", None),
        Plan::Abort => ("none", "aborted", None),
        Plan::Stop => ("live", "abandoned", None),
    }
}

pub(super) fn ended_by(
    live: &Live,
    ratings: Option<[i32; 2]>,
    opening: Option<(&'static str, &'static str)>,
    id: Uuid,
) -> Record {
    let rated = ratings
        .into_iter()
        .flat_map(|ratings| ratings.into_iter().zip(&live.names));
    let details = EndDetails {
        ratings: rated
            .map(|(rating, name)| Rating {
                player_id: (&**name).into(),
                rating,
            })
            .collect(),
        move_count: i64::try_from(live.plies).ok(),
        opening: opening
            .filter(|_| live.plies >= MIN_OPENING_PLIES)
            .map(|(code, name)| Opening {
                code: code.into(),
                name: Some(name.into()),
            }),
    };
    let (_, termination, winner) = told(live.plan);
    match live.plan {
        Plan::Resign { loser } => resigned(live, loser, details, id),
        Plan::TimeOut { loser } => {
            let payload = GameTimeout {
                player_id: name(live, loser).into(),
                winner: None,
                details,
            };
            encode(live, event_type::GAME_TIMEOUT, id, &payload)
        }
        Plan::Abort | Plan::Stop => {
            let payload = GameAborted {
                termination: termination.into(),
                details,
            };
            encode(live, event_type::GAME_ABORTED, id, &payload)
        }
        Plan::Board(_) | Plan::Agree => {
            let payload = GameEnded {
                result: if winner.is_some() {
                    EndResult::Win
                } else {
                    EndResult::Draw
                },
                winner: winner.map(|color| name(live, color).into()),
                termination: termination.into(),
                details,
            };
            encode(live, event_type::GAME_ENDED, id, &payload)
        }
    }
}
