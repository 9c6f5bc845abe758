//! Page cursors: where a walk stopped, bound to the walk it belongs to, and signed.
//!
//! Opaque to clients: base64url of
//!
//! ```text
//! version   u8        2
//! way       u8        bit 0: backward · bit 1: the place itself belongs to the page
//! ended_at  i64 BE    microseconds since 1970
//! walk      16 bytes  digest of the list and its filters
//! game_id   UTF-8     up to the signature
//! mac       16 bytes  HMAC-SHA256 over all of the above, cut
//! ```
//!
//! A cursor that was changed anywhere is refused, and one that is used with other filters is told apart from a broken one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use domain::GameId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use store::read::{Edge, Place};

const VERSION: u8 = 2;
const BACKWARD: u8 = 1;
const INCLUSIVE: u8 = 1 << 1;
const MAC_LEN: usize = 16;
const WALK_LEN: usize = 16;
const HEAD_LEN: usize = 1 + 1 + 8 + WALK_LEN;
/// Longer texts are no cursors: an id has at most 100 characters of at most 4 bytes.
const MAX_TEXT: usize = 1_024;

/// The list a cursor belongs to, filters included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk([u8; WALK_LEN]);

impl Walk {
    /// The walk of a list with these filters. The parts must tell apart whatever shall not share cursors, and hold no control
    /// characters.
    #[must_use]
    pub fn of<'a>(list: &str, filters: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut digest = Sha256::new_with_prefix(list);
        for (name, value) in filters {
            digest.update([0]);
            digest.update(name);
            digest.update([1]);
            digest.update(value);
        }
        let mut walk = [0; WALK_LEN];
        walk.copy_from_slice(&digest.finalize()[..WALK_LEN]);
        Self(walk)
    }
}

/// Why a cursor is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Not a cursor of this API, or changed, or signed with another secret.
    #[error("is not a cursor that this API gave")]
    Invalid,
    /// A cursor of another list, or of this one with other filters.
    #[error(
        "belongs to a list with other filters; use it with the ones it came with, or begin again without it"
    )]
    OtherWalk,
}

/// Signs and checks cursors.
#[derive(Clone)]
pub struct CursorKey(Hmac<Sha256>);

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey(…)")
    }
}

impl CursorKey {
    /// A key from a secret of any length.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "HMAC takes keys of any length, so this never fails"
    )]
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// The cursor of the page that begins at `edge`.
    #[must_use]
    pub fn write(&self, walk: Walk, edge: &Edge) -> String {
        let place = &edge.place;
        let way = (u8::from(edge.backward) * BACKWARD) | (u8::from(edge.inclusive) * INCLUSIVE);
        let mut bytes = Vec::with_capacity(HEAD_LEN + 100 + MAC_LEN);
        bytes.push(VERSION);
        bytes.push(way);
        bytes.extend(place.ended_at.timestamp_micros().to_be_bytes());
        bytes.extend(walk.0);
        bytes.extend(place.game_id.as_str().as_bytes());
        let mac = self.0.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend(&mac[..MAC_LEN]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Where the page of a cursor begins.
    ///
    /// # Errors
    /// [`CursorError`].
    pub fn read(&self, walk: Walk, text: &str) -> Result<Edge, CursorError> {
        if text.len() > MAX_TEXT {
            return Err(CursorError::Invalid);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_garbled: base64::DecodeError| CursorError::Invalid)?;
        let signed = bytes
            .len()
            .checked_sub(MAC_LEN)
            .ok_or(CursorError::Invalid)?;
        let (body, mac) = bytes.split_at(signed);
        self.0
            .clone()
            .chain_update(body)
            .verify_truncated_left(mac)
            .map_err(|_changed: hmac::digest::MacError| CursorError::Invalid)?;
        let (theirs, edge) = parse(body).ok_or(CursorError::Invalid)?;
        if theirs != walk {
            return Err(CursorError::OtherWalk);
        }
        Ok(edge)
    }
}

fn parse(body: &[u8]) -> Option<(Walk, Edge)> {
    let (&[version, way], rest) = body.split_first_chunk::<2>()?;
    let (micros, rest) = rest.split_first_chunk::<8>()?;
    let (walk, game_id) = rest.split_first_chunk::<WALK_LEN>()?;
    if version != VERSION || way & !(BACKWARD | INCLUSIVE) != 0 {
        return None;
    }
    let place = Place {
        ended_at: DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?,
        game_id: GameId::parse(std::str::from_utf8(game_id).ok()?).ok()?,
    };
    let edge = Edge {
        place,
        inclusive: way & INCLUSIVE != 0,
        backward: way & BACKWARD != 0,
    };
    Some((Walk(*walk), edge))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> CursorKey {
        CursorKey::new(b"a secret for tests")
    }

    fn edge() -> impl Strategy<Value = Edge> {
        let id = "[a-zA-Z0-9é♞-]{1,100}";
        (id, 0..4_102_444_800_000_000_i64, any::<[bool; 2]>()).prop_map(
            |(id, micros, [inclusive, backward])| Edge {
                place: Place {
                    ended_at: DateTime::from_timestamp_micros(micros).unwrap(),
                    game_id: GameId::parse(&id).unwrap(),
                },
                inclusive,
                backward,
            },
        )
    }

    fn walk(player: &str) -> Walk {
        Walk::of("player-games", [("player", player.to_owned())])
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place(edge in edge(), player in "[a-z]{1,20}") {
            let text = key().write(walk(&player), &edge);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(key().read(walk(&player), &text), Ok(edge));
        }

        #[test]
        fn any_flipped_bit_is_refused(edge in edge(), bit in 0..10_000_usize) {
            let text = key().write(walk("a"), &edge);
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(key().read(walk("a"), &changed), Err(CursorError::Invalid));
        }

        #[test]
        fn any_flipped_bit_of_its_text_is_refused(edge in edge(), bit in 0..10_000_usize) {
            let text = key().write(walk("a"), &edge);
            let mut bytes = text.into_bytes();
            let bit = bit % (bytes.len() * 7);
            bytes[bit / 7] ^= 1 << (bit % 7);
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(key().read(walk("a"), &changed), Err(CursorError::Invalid));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            prop_assert_eq!(key().read(walk("a"), &text), Err(CursorError::Invalid));
        }

        #[test]
        fn a_cursor_of_another_walk_is_told_so(edge in edge()) {
            let text = key().write(walk("a"), &edge);
            prop_assert_eq!(key().read(walk("b"), &text), Err(CursorError::OtherWalk));
        }

        #[test]
        fn a_cursor_of_another_secret_is_refused(edge in edge()) {
            let text = CursorKey::new(b"another secret").write(walk("a"), &edge);
            prop_assert_eq!(key().read(walk("a"), &text), Err(CursorError::Invalid));
        }
    }

    #[test]
    fn walks_differ_wherever_their_filters_do() {
        let walk = |filters: &[(&'static str, &str)]| {
            Walk::of(
                "l",
                filters
                    .iter()
                    .map(|(name, value)| (*name, (*value).to_owned())),
            )
        };
        assert_ne!(walk(&[("a", "b")]), walk(&[("ab", "")]));
        assert_ne!(walk(&[("a", "b"), ("c", "d")]), walk(&[("a", "bcd")]));
        assert_eq!(walk(&[("a", "b")]), walk(&[("a", "b")]));
    }
}
