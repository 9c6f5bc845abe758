//! What a game is when it begins, and the one canonical byte form it has in memory and in snapshots.
//!
//! A live game keeps its beginning as [`CreatedBytes`]: equal beginnings have equal bytes, so telling a repeated create from
//! a conflicting one is a comparison of slices, and half a million live games stay small.

use serde::{Deserialize, Serialize};

use crate::{PlayerId, ShortText, Slug};

/// The most players one game can have.
pub const MAX_PLAYERS: usize = 16;

/// A game's beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewGame {
    /// 1 to [`MAX_PLAYERS`] players, no two with the same id. First in the encoding: see [`CreatedBytes::players`].
    pub players: Vec<NewPlayer>,
    /// Which game, such as `chess`.
    pub game: Slug,
    /// Which rules of it, such as `standard`.
    pub variant: Slug,
    /// In which setting it is played, such as `rated` or `casual`.
    pub mode: Slug,
    /// How time is kept, such as `180+1`.
    pub time_control: Option<ShortText>,
    /// Where it is played, such as `eu`.
    pub region: Option<Slug>,
    /// What it is played on, such as `web`.
    pub platform: Option<ShortText>,
    /// The tournament it belongs to.
    pub tournament: Option<ShortText>,
    /// The position it starts from when that is not the usual one (FEN for chess).
    pub start_position: Option<ShortText>,
}

/// A player as the game begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPlayer {
    /// Who.
    pub id: PlayerId,
    /// Which side or seat, such as `white`.
    pub role: Slug,
    /// The rating before the game.
    pub rating: Option<i32>,
}

/// A [`NewGame`] in canonical bytes. The time it began is not part of it: a create that is sent again may carry another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CreatedBytes(Box<[u8]>);

/// A player in the encoding, borrowed.
#[derive(Deserialize)]
struct PlayerBytes<'a> {
    id: &'a str,
    _role: &'a str,
    _rating: Option<i32>,
}

impl CreatedBytes {
    /// Encodes a beginning.
    #[must_use]
    pub fn encode(game: &NewGame) -> Self {
        // Encoding into memory fails only for types postcard can't describe, and `NewGame` is plain text and numbers: an
        // empty encoding would fail to decode loudly.
        Self(
            postcard::to_allocvec(game)
                .unwrap_or_default()
                .into_boxed_slice(),
        )
    }

    /// Decodes the beginning.
    ///
    /// # Errors
    /// When the bytes are not an encoding of a [`NewGame`]: a damaged or foreign snapshot.
    pub fn decode(&self) -> Result<NewGame, postcard::Error> {
        postcard::from_bytes(&self.0)
    }

    /// How many bytes the encoding has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no encoding at all, which no [`NewGame`] has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The players' ids in their order, without decoding the rest.
    pub fn players(&self) -> impl Iterator<Item = &str> {
        let (mut left, mut rest) = postcard::take_from_bytes::<usize>(&self.0).unwrap_or((0, &[]));
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let (player, tail) = postcard::take_from_bytes::<PlayerBytes<'_>>(rest).ok()?;
            rest = tail;
            Some(player.id)
        })
    }

    /// The place of a player among the game's players.
    #[must_use]
    pub fn player_index(&self, player_id: &str) -> Option<u8> {
        self.players()
            .position(|id| id == player_id)
            .and_then(|index| u8::try_from(index).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game() -> NewGame {
        NewGame {
            players: vec![
                NewPlayer {
                    id: PlayerId::parse("magnus").unwrap(),
                    role: Slug::parse("white").unwrap(),
                    rating: Some(2850),
                },
                NewPlayer {
                    id: PlayerId::parse("hikaru").unwrap(),
                    role: Slug::parse("black").unwrap(),
                    rating: None,
                },
            ],
            game: Slug::parse("chess").unwrap(),
            variant: Slug::parse("standard").unwrap(),
            mode: Slug::parse("rated").unwrap(),
            time_control: Some(ShortText::parse("180+1").unwrap()),
            region: None,
            platform: None,
            tournament: None,
            start_position: None,
        }
    }

    #[test]
    fn a_beginning_survives_its_encoding() {
        assert_eq!(CreatedBytes::encode(&game()).decode().unwrap(), game());
    }

    #[test]
    fn players_are_found_without_decoding_the_rest() {
        let bytes = CreatedBytes::encode(&game());
        assert_eq!(bytes.players().collect::<Vec<_>>(), ["magnus", "hikaru"]);
        assert_eq!(bytes.player_index("hikaru"), Some(1));
        assert_eq!(bytes.player_index("nobody"), None);
    }

    #[test]
    fn a_beginning_stays_small_in_memory() {
        assert!(
            CreatedBytes::encode(&game()).len() < 64,
            "{}",
            CreatedBytes::encode(&game()).len()
        );
    }
}
