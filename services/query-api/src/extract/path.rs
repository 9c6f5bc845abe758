//! Ids out of the path, from its raw bytes: the framework would decode some of them leniently.

use actix_web::HttpRequest;
use domain::{GameId, PlayerId};

use super::Refusal;
use super::params::decode;

/// The game's id of `/…/{id}/…`.
pub(crate) fn game_id(request: &HttpRequest) -> Result<GameId, Refusal> {
    Ok(GameId::parse(&segment(request, "{id}")?)?)
}

/// The player's id of `/…/{id}/…`.
pub(crate) fn player_id(request: &HttpRequest) -> Result<PlayerId, Refusal> {
    Ok(PlayerId::parse(&segment(request, "{id}")?)?)
}

/// The two players' ids of `/…/{a}/vs/{b}`.
pub(crate) fn rivals(request: &HttpRequest) -> [Result<PlayerId, Refusal>; 2] {
    let id = |name: &str| -> Result<PlayerId, Refusal> {
        Ok(PlayerId::parse(&segment(request, name)?)?)
    };
    [id("{a}"), id("{b}")]
}

/// The path's segment that stands where the route's pattern has `name`, decoded.
fn segment(request: &HttpRequest, name: &str) -> Result<String, Refusal> {
    let pattern = request.match_pattern().unwrap_or_default();
    let place = pattern.split('/').position(|segment| segment == name);
    let raw = place.and_then(|place| request.uri().path().split('/').nth(place));
    decode(raw.unwrap_or_default())
}
