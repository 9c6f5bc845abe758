//! The types of the wire, field by field as they stand in the JSON.
//!
//! Texts borrow from the record where JSON needs no unescaping. Unknown fields are ignored: the archive keeps them, the
//! projection does not read them. The documentation of each field is also the description in its JSON Schema.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `eventType` of each payload.
pub mod event_type {
    /// See [`super::GameCreated`].
    pub const GAME_CREATED: &str = "GameCreated";
    /// See [`super::MoveMade`].
    pub const MOVE_MADE: &str = "MoveMade";
    /// An older name for [`MOVE_MADE`], accepted and never written.
    pub const MOVE_PLAYED: &str = "MovePlayed";
    /// See [`super::GameEnded`].
    pub const GAME_ENDED: &str = "GameEnded";
    /// See [`super::GameResigned`].
    pub const GAME_RESIGNED: &str = "GameResigned";
    /// See [`super::GameTimeout`].
    pub const GAME_TIMEOUT: &str = "GameTimeout";
    /// See [`super::GameAborted`].
    pub const GAME_ABORTED: &str = "GameAborted";
}

/// What every event carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<'a, P> {
    /// The event's own id: opaque, 1 to 100 characters, a UUIDv7 by recommendation. Carried for tracing; what makes a move a
    /// duplicate is its `moveNumber`, not this.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 100))]
    pub event_id: Cow<'a, str>,
    /// Which payload follows.
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
    /// The version of the payload's schema. A change that breaks an old reader gets a new one.
    #[schemars(range(min = 1))]
    pub schema_version: u32,
    /// The game: opaque, 1 to 100 characters. It is also the record's key, which keeps a game's events in order.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 100))]
    pub game_id: Cow<'a, str>,
    /// When it happened, by the producer's clock: RFC 3339, cut to milliseconds, between 1970 and 2100.
    #[serde(deserialize_with = "crate::decode::rfc3339")]
    pub occurred_at: DateTime<Utc>,
    /// Where it happened: `[a-z0-9_-]`, 1 to 32 characters. Chooses the archive's folder.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub region: Option<Cow<'a, str>>,
    /// What happened.
    pub payload: P,
}

impl<'a, P> Envelope<'a, P> {
    /// The same envelope around what `change` makes of the payload.
    pub(crate) fn map<Q>(self, change: impl FnOnce(P) -> Q) -> Envelope<'a, Q> {
        Envelope {
            event_id: self.event_id,
            event_type: self.event_type,
            schema_version: self.schema_version,
            game_id: self.game_id,
            occurred_at: self.occurred_at,
            region: self.region,
            payload: change(self.payload),
        }
    }
}

/// A game begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameCreated<'a> {
    /// Which game: `[a-z0-9_-]`, 1 to 32 characters.
    #[serde(borrow, default = "chess")]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub game: Cow<'a, str>,
    /// Which rules of it: `[a-z0-9_-]`, 1 to 32 characters.
    #[serde(borrow, default = "standard")]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub variant: Cow<'a, str>,
    /// In which setting, such as `rated` or `casual`: `[a-z0-9_-]`, 1 to 32 characters.
    #[serde(borrow)]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub mode: Cow<'a, str>,
    /// How time is kept, such as `180+1`: 1 to 200 characters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub time_control: Option<Cow<'a, str>>,
    /// What it is played on, such as `web`: 1 to 200 characters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub platform: Option<Cow<'a, str>>,
    /// The tournament it belongs to: 1 to 200 characters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub tournament: Option<Cow<'a, str>>,
    /// The position it starts from when that is not the usual one (FEN for chess): 1 to 200 characters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub start_position: Option<Cow<'a, str>>,
    /// Who plays, in seat order, no player twice.
    #[serde(borrow, deserialize_with = "crate::decode::objects")]
    #[schemars(length(min = 1, max = 16))]
    pub players: Vec<Player<'a>>,
}

fn chess() -> Cow<'static, str> {
    Cow::Borrowed("chess")
}

fn standard() -> Cow<'static, str> {
    Cow::Borrowed("standard")
}

/// A player as the game begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Player<'a> {
    /// Who: opaque, 1 to 100 characters.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 100))]
    pub player_id: Cow<'a, str>,
    /// Which side or seat, such as `white`: `[a-z0-9_-]`, 1 to 32 characters.
    #[serde(borrow)]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub role: Cow<'a, str>,
    /// The rating before the game.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<i32>,
}

/// A player moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoveMade<'a> {
    /// Which move, counting plies from 1. Two events with the same number are the same move or a conflict.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub move_number: i64,
    /// Who moved: one of the game's players.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 100))]
    pub player_id: Cow<'a, str>,
    /// The move as its game writes it (UCI for chess): 1 to 200 characters.
    #[serde(borrow, rename = "move")]
    #[schemars(length(min = 1, max = 200))]
    pub text: Cow<'a, str>,
    /// The mover's clock after the move, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub clock_ms: Option<i64>,
}

/// What every end may carry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndDetails<'a> {
    /// Ratings after the game, of some or all players.
    #[serde(
        borrow,
        default,
        deserialize_with = "crate::decode::objects",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(length(max = 16))]
    pub ratings: Vec<Rating<'a>>,
    /// How many moves the game has. Fewer accepted ones make it `incomplete`: the only way to see a missing tail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub move_count: Option<i64>,
    /// The opening that was played.
    #[serde(
        borrow,
        default,
        deserialize_with = "crate::decode::object",
        skip_serializing_if = "Option::is_none"
    )]
    pub opening: Option<Opening<'a>>,
}

/// A player's rating after the game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rating<'a> {
    /// Who: one of the game's players.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 100))]
    pub player_id: Cow<'a, str>,
    /// The new rating.
    pub rating: i32,
}

/// A named opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Opening<'a> {
    /// Its code, such as `C42`: 1 to 200 characters.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 200))]
    pub code: Cow<'a, str>,
    /// Its name: 1 to 200 characters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub name: Option<Cow<'a, str>>,
}

/// What a [`GameEnded`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndResult {
    /// `winner` won.
    Win,
    /// Nobody won.
    Draw,
    /// There is no result.
    None,
}

/// A game ends by its own rules or by agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameEnded<'a> {
    /// What it came to.
    pub result: EndResult,
    /// Who won: one of the game's players, given exactly when `result` is `win`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub winner: Option<Cow<'a, str>>,
    /// By what, such as `checkmate`, `stalemate`, `repetition` or `agreement`: `[a-z0-9_-]`, 1 to 32 characters.
    #[serde(borrow)]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub termination: Cow<'a, str>,
    /// What every end may carry.
    #[serde(flatten)]
    pub details: EndDetails<'a>,
}

/// A player gives up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameResigned<'a> {
    /// Who gave up: one of the game's players. Between two, the other one wins.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 100))]
    pub player_id: Cow<'a, str>,
    /// Who won: needed where more than two play.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub winner: Option<Cow<'a, str>>,
    /// What every end may carry.
    #[serde(flatten)]
    pub details: EndDetails<'a>,
}

/// A player's time runs out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameTimeout<'a> {
    /// Whose time ran out: one of the game's players. Between two, the other one wins.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 100))]
    pub player_id: Cow<'a, str>,
    /// Who won: needed where more than two play.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub winner: Option<Cow<'a, str>>,
    /// What every end may carry.
    #[serde(flatten)]
    pub details: EndDetails<'a>,
}

/// A game is broken off without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameAborted<'a> {
    /// `aborted` when somebody broke it off, `abandoned` when it just stopped: `[a-z0-9_-]`, 1 to 32 characters.
    #[serde(borrow, default = "aborted")]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub termination: Cow<'a, str>,
    /// What every end may carry.
    #[serde(flatten)]
    pub details: EndDetails<'a>,
}

pub(crate) fn aborted() -> Cow<'static, str> {
    Cow::Borrowed("aborted")
}
