//! The rows of the simulated database, and the product's durable bytes read by their documentation alone.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ply {
    pub(crate) ply: u32,
    pub(crate) seat: usize,
    pub(crate) text: String,
    pub(crate) clock_ms: Option<u64>,
    pub(crate) at_ms: i64,
}

/// A player of a finished game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlayerRow {
    pub(crate) id: String,
    pub(crate) role: String,
    pub(crate) rating: Option<i32>,
    pub(crate) rating_after: Option<i32>,
    pub(crate) result: String,
}

/// A finished game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GameRow {
    pub(crate) id: String,
    pub(crate) end_offset: i64,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: i64,
    pub(crate) mode: String,
    pub(crate) time_control: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) result: String,
    pub(crate) winner: Option<String>,
    pub(crate) termination: String,
    pub(crate) opening: Option<(String, Option<String>)>,
    pub(crate) move_count: u32,
    pub(crate) incomplete: bool,
    pub(crate) players: Vec<PlayerRow>,
    pub(crate) moves: Vec<Ply>,
}

/// A live game as its snapshot has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) mode: String,
    pub(crate) time_control: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) players: Vec<(String, String, Option<i32>)>,
    pub(crate) started_ms: i64,
    pub(crate) moves: Vec<Ply>,
    pub(crate) held: BTreeMap<u32, Ply>,
}

#[derive(Deserialize)]
struct StateBytes {
    created: Vec<u8>,
    started_ms: i64,
    last: (u32, i64),
    moves: Vec<u8>,
    held: Option<Vec<HeldBytes>>,
}

#[derive(Deserialize)]
struct HeldBytes {
    ply: u32,
    player: u8,
    text: String,
    clock_ms: Option<u64>,
    at_ms: i64,
}

#[derive(Deserialize)]
struct CreatedBytes {
    players: Vec<(String, String, Option<i32>)>,
    _game: String,
    _variant: String,
    mode: String,
    time_control: Option<String>,
    region: Option<String>,
    _rest: (Option<String>, Option<String>, Option<String>),
}

/// Reads a row of `live_games`; `None` for bytes that are none.
pub(crate) fn snapshot(bytes: &[u8]) -> Option<Snapshot> {
    let (1, body) = bytes
        .split_first()
        .map(|(version, body)| (*version, body))?
    else {
        return None;
    };
    let state: StateBytes = postcard::from_bytes(body).ok()?;
    let created: CreatedBytes = postcard::from_bytes(&state.created).ok()?;
    let moves = moves(&state.moves, state.started_ms)?;
    let last = moves
        .last()
        .map_or((0, state.started_ms), |last| (last.ply, last.at_ms));
    if last != state.last {
        return None;
    }
    let held = state.held.into_iter().flatten().map(|held| {
        let ply = Ply {
            ply: held.ply,
            seat: usize::from(held.player),
            text: held.text,
            clock_ms: held.clock_ms,
            at_ms: held.at_ms,
        };
        (ply.ply, ply)
    });
    Some(Snapshot {
        mode: created.mode,
        time_control: created.time_control,
        region: created.region,
        players: created.players,
        started_ms: state.started_ms,
        moves,
        held: held.collect(),
    })
}

/// Reads packed moves, version 1; `None` for bytes that are none.
pub(crate) fn moves(bytes: &[u8], started_ms: i64) -> Option<Vec<Ply>> {
    let mut rest = bytes;
    let (mut ply, mut at_ms) = (0u32, started_ms);
    let mut moves = Vec::new();
    while !rest.is_empty() {
        let flags = take(&mut rest, 1)?[0];
        ply = if flags & 4 != 0 {
            u32::try_from(varint(&mut rest)?).ok()?
        } else {
            ply + 1
        };
        let text = if flags & 2 != 0 {
            let packed = take(&mut rest, 2)?;
            squares(u16::from_le_bytes([packed[0], packed[1]]))?
        } else {
            let length = usize::try_from(varint(&mut rest)?).ok()?;
            String::from_utf8(take(&mut rest, length)?.to_vec()).ok()?
        };
        let clock_ms = if flags & 1 != 0 {
            Some(varint(&mut rest)?)
        } else {
            None
        };
        let step = varint(&mut rest)?;
        at_ms += (step >> 1).cast_signed() ^ -((step & 1).cast_signed());
        moves.push(Ply {
            ply,
            seat: usize::from(flags >> 3),
            text,
            clock_ms,
            at_ms,
        });
    }
    Some(moves)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn squares(packed: u16) -> Option<String> {
    let square = |at: u16| {
        let file = char::from(b"abcdefgh"[usize::from(at & 7)]);
        let rank = char::from(b"12345678"[usize::from((at >> 3) & 7)]);
        format!("{file}{rank}")
    };
    let promotion = match packed >> 12 {
        0 => "",
        1 => "n",
        2 => "b",
        3 => "r",
        4 => "q",
        _ => return None,
    };
    Some(format!(
        "{}{}{promotion}",
        square(packed & 63),
        square(packed >> 6 & 63)
    ))
}
