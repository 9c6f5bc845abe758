//! A game's moves in few bytes: the form they have in memory, in snapshots and in the `moves` column.
//!
//! Durable format, version 1. One entry a move, in ply order:
//!
//! ```text
//! flags    u8       bit 0: clock follows · bit 1: move is two bytes of UCI, else length and text · bit 2: ply is explicit
//!                   bits 3–7: place of the player among the game's players
//! ply      varint   only with bit 2; otherwise the ply after the one before, counting from 1
//! move     u16 LE   from | to << 6 | promotion << 12      or      varint length, UTF-8
//! clock    varint   milliseconds, only with bit 0
//! time     zigzag varint   milliseconds since the move before it, or since the game began
//! ```
//!
//! A chess move takes about nine bytes. Entries never change meaning: a new layout gets a new version byte in front of the
//! snapshot or column that holds it.

use serde::{Deserialize, Serialize};

use crate::EventTime;

const CLOCK: u8 = 1;
const UCI: u8 = 1 << 1;
const EXPLICIT_PLY: u8 = 1 << 2;
const PLAYER_SHIFT: u32 = 3;
const PROMOTIONS: [u8; 4] = *b"nbrq";

/// The bytes are not a sequence of moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("packed moves are damaged at byte {at}")]
pub struct PackedMovesError {
    /// Offset of the first byte that can't be read.
    pub at: usize,
}

/// One move, owned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Which move, counting plies from 1.
    pub ply: u32,
    /// Place of the mover among the game's players.
    pub player: u8,
    /// The move as its game writes it.
    pub text: Box<str>,
    /// The mover's clock after the move, in milliseconds.
    pub clock_ms: Option<u64>,
    /// When, by the producer's clock.
    pub at: EventTime,
}

impl Move {
    /// The move, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> MoveRef<'_> {
        MoveRef {
            ply: self.ply,
            player: self.player,
            text: &self.text,
            clock_ms: self.clock_ms,
            at: self.at,
        }
    }
}

/// One move, borrowing its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveRef<'a> {
    /// Which move, counting plies from 1.
    pub ply: u32,
    /// Place of the mover among the game's players.
    pub player: u8,
    /// The move as its game writes it.
    pub text: &'a str,
    /// The mover's clock after the move, in milliseconds.
    pub clock_ms: Option<u64>,
    /// When, by the producer's clock.
    pub at: EventTime,
}

/// A sequence of moves in ply order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackedMoves(Vec<u8>);

impl PackedMoves {
    /// Takes bytes that were packed before.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The packed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The packed bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Bytes reserved in memory.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Appends a move. `previous` is the ply and time of the move before it, or ply 0 and the time the game began.
    pub fn push(&mut self, previous: (u32, EventTime), next: MoveRef<'_>) {
        // Grow by an eighth instead of doubling: most of the memory of a live game is here.
        if self.0.capacity() - self.0.len() < 32 {
            self.0.reserve_exact(48 + self.0.len() / 8);
        }
        let uci = pack_uci(next.text);
        let explicit = next.ply != previous.0 + 1;
        let flags = (u8::from(next.clock_ms.is_some()) * CLOCK)
            | (u8::from(uci.is_some()) * UCI)
            | (u8::from(explicit) * EXPLICIT_PLY)
            | (next.player << PLAYER_SHIFT);
        self.0.push(flags);
        if explicit {
            put_varint(&mut self.0, u64::from(next.ply));
        }
        match uci {
            Some(packed) => self.0.extend(packed.to_le_bytes()),
            None => {
                put_varint(&mut self.0, next.text.len() as u64);
                self.0.extend(next.text.as_bytes());
            }
        }
        if let Some(clock_ms) = next.clock_ms {
            put_varint(&mut self.0, clock_ms);
        }
        put_varint(&mut self.0, zigzag(next.at.as_ms() - previous.1.as_ms()));
    }

    /// Whether the move at `ply` is by this player and reads like this. Plies beyond the last answer `None`.
    #[must_use]
    pub fn matches(&self, ply: u32, player: u8, text: &str) -> Option<bool> {
        let mut reader = Reader::new(&self.0, EventTime::from_ms(0).ok()?);
        while let Ok(Some(entry)) = reader.next_entry() {
            if entry.ply == ply {
                return Some(entry.player == player && entry.text.is(text));
            }
        }
        None
    }

    /// Unpacks every move.
    ///
    /// # Errors
    /// [`PackedMovesError`] when the bytes were not packed by [`Self::push`].
    pub fn unpack(&self, started_at: EventTime) -> Result<Vec<Move>, PackedMovesError> {
        let mut reader = Reader::new(&self.0, started_at);
        let mut moves = Vec::with_capacity(self.0.len() / 8);
        while let Some(entry) = reader.next_entry()? {
            moves.push(Move {
                ply: entry.ply,
                player: entry.player,
                text: entry.text.to_boxed_str(),
                clock_ms: entry.clock_ms,
                at: entry.at,
            });
        }
        Ok(moves)
    }
}

struct Entry<'a> {
    ply: u32,
    player: u8,
    text: Text<'a>,
    clock_ms: Option<u64>,
    at: EventTime,
}

enum Text<'a> {
    Uci([u8; 5], usize),
    Plain(&'a str),
}

impl Text<'_> {
    fn is(&self, other: &str) -> bool {
        match self {
            Self::Uci(bytes, len) => &bytes[..*len] == other.as_bytes(),
            Self::Plain(text) => *text == other,
        }
    }

    fn to_boxed_str(&self) -> Box<str> {
        match self {
            Self::Uci(bytes, len) => bytes[..*len]
                .iter()
                .map(|b| char::from(*b))
                .collect::<String>()
                .into(),
            Self::Plain(text) => (*text).into(),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    ply: u32,
    time_ms: i64,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], started_at: EventTime) -> Self {
        Self {
            bytes,
            at: 0,
            ply: 0,
            time_ms: started_at.as_ms(),
        }
    }

    fn next_entry(&mut self) -> Result<Option<Entry<'a>>, PackedMovesError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let flags = self.take(1)?[0];
        self.ply = if flags & EXPLICIT_PLY != 0 {
            u32::try_from(self.varint()?).map_err(|_unfit| self.damaged())?
        } else {
            self.ply.checked_add(1).ok_or(self.damaged())?
        };
        let text = if flags & UCI != 0 {
            let bytes = self.take(2)?;
            let (uci, len) =
                unpack_uci(u16::from_le_bytes([bytes[0], bytes[1]])).ok_or(self.damaged())?;
            Text::Uci(uci, len)
        } else {
            let len = usize::try_from(self.varint()?).map_err(|_unfit| self.damaged())?;
            let start = self.at;
            Text::Plain(
                std::str::from_utf8(self.take(len)?)
                    .map_err(|_unfit| PackedMovesError { at: start })?,
            )
        };
        let clock_ms = if flags & CLOCK != 0 {
            Some(self.varint()?)
        } else {
            None
        };
        self.time_ms = self.time_ms.wrapping_add(unzigzag(self.varint()?));
        let at = EventTime::from_ms(self.time_ms.clamp(EventTime::MIN_MS, EventTime::END_MS - 1));
        let at = at.map_err(|_unfit| self.damaged())?;
        Ok(Some(Entry {
            ply: self.ply,
            player: flags >> PLAYER_SHIFT,
            text,
            clock_ms,
            at,
        }))
    }

    fn damaged(&self) -> PackedMovesError {
        PackedMovesError { at: self.at }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], PackedMovesError> {
        let end = self
            .at
            .checked_add(len)
            .filter(|end| *end <= self.bytes.len())
            .ok_or(self.damaged())?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, PackedMovesError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low seven bits are what a varint byte holds"
)]
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// `e2e4` and `e7e8q` in sixteen bits; anything else stays text.
fn pack_uci(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    let square = |file: u8, rank: u8| -> Option<u16> {
        let on_board = (b'a'..=b'h').contains(&file) && (b'1'..=b'8').contains(&rank);
        on_board.then(|| u16::from(file - b'a') | u16::from(rank - b'1') << 3)
    };
    let (from, to, promotion) = match *bytes {
        [f1, r1, f2, r2] => (square(f1, r1)?, square(f2, r2)?, 0),
        [f1, r1, f2, r2, piece] => {
            let promotion = PROMOTIONS.iter().position(|p| *p == piece)?;
            (
                square(f1, r1)?,
                square(f2, r2)?,
                u16::try_from(promotion).ok()? + 1,
            )
        }
        _ => return None,
    };
    Some(from | to << 6 | promotion << 12)
}

fn unpack_uci(packed: u16) -> Option<([u8; 5], usize)> {
    let file = |square: u16| b'a' + (square & 7) as u8;
    let rank = |square: u16| b'1' + ((square >> 3) & 7) as u8;
    let (from, to, promotion) = (packed & 63, (packed >> 6) & 63, usize::from(packed >> 12));
    let mut bytes = [file(from), rank(from), file(to), rank(to), 0];
    if promotion == 0 {
        return Some((bytes, 4));
    }
    bytes[4] = *PROMOTIONS.get(promotion - 1)?;
    Some((bytes, 5))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(ms: i64) -> EventTime {
        EventTime::from_ms(ms).unwrap()
    }

    fn pack(started: EventTime, moves: &[Move]) -> PackedMoves {
        let mut packed = PackedMoves::default();
        let mut previous = (0, started);
        for m in moves {
            packed.push(previous, m.as_ref());
            previous = (m.ply, m.at);
        }
        packed
    }

    #[test]
    fn the_format_of_version_1_stays_as_it_is() {
        let moves = [
            Move {
                ply: 1,
                player: 0,
                text: "e2e4".into(),
                clock_ms: Some(180_000),
                at: time(1_000),
            },
            Move {
                ply: 2,
                player: 1,
                text: "e7e8q".into(),
                clock_ms: None,
                at: time(900),
            },
            Move {
                ply: 5,
                player: 0,
                text: "P@f7".into(),
                clock_ms: Some(0),
                at: time(900),
            },
        ];
        let hex: String = pack(time(0), &moves)
            .as_bytes()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(
            hex,
            "030c07a0fe0ad00f0a34 4f c701 05 05 04 50406637 00 00".replace(' ', "")
        );
    }

    #[test]
    fn a_chess_game_of_sixty_moves_takes_under_ten_bytes_a_move() {
        let moves: Vec<Move> = (1..=60)
            .map(|ply| Move {
                ply,
                player: u8::try_from((ply - 1) % 2).unwrap(),
                text: "g1f3".into(),
                clock_ms: Some(180_000 - u64::from(ply) * 1_500),
                at: time(1_700_000_000_000 + i64::from(ply) * 2_900),
            })
            .collect();
        assert!(pack(time(1_700_000_000_000), &moves).as_bytes().len() < 600);
    }

    fn any_move() -> impl Strategy<Value = (u32, u8, String, Option<u64>, i64)> {
        let text = prop_oneof!["[a-h][1-8][a-h][1-8][nbrq]?", ".{1,12}"];
        (
            1u32..4,
            0u8..16,
            text,
            proptest::option::of(any::<u64>()),
            0..EventTime::END_MS,
        )
    }

    proptest! {
        #[test]
        fn packed_moves_come_back_as_they_were(steps in proptest::collection::vec(any_move(), 0..40)) {
            let mut ply = 0;
            let moves: Vec<Move> = steps
                .into_iter()
                .map(|(step, player, text, clock_ms, at)| {
                    ply += step;
                    Move { ply, player, text: text.into(), clock_ms, at: time(at) }
                })
                .collect();
            let started = time(1_600_000_000_000);
            let packed = pack(started, &moves);
            prop_assert_eq!(packed.unpack(started).unwrap(), moves.clone());
            for m in &moves {
                prop_assert_eq!(packed.matches(m.ply, m.player, &m.text), Some(true));
            }
            prop_assert_eq!(packed.matches(ply + 1, 0, "e2e4"), None);
        }

        #[test]
        fn foreign_bytes_are_an_error_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = PackedMoves::from_bytes(bytes).unpack(time(0));
        }
    }
}
