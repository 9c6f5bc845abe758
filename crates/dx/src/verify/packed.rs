//! Reads the `moves` column of a finished game: a decoder of its own for the durable format, version 1.
//!
//! ```text
//! flags    u8       bit 0: clock follows · bit 1: move is two bytes of UCI, else length and text · bit 2: ply is explicit
//!                   bits 3–7: place of the player among the game's players
//! ply      varint   only with bit 2; otherwise the ply after the one before, counting from 1
//! move     u16 LE   from | to << 6 | promotion << 12, squares file | rank << 3, promotions n b r q from 1
//!                   or varint length and UTF-8
//! clock    varint   milliseconds, only with bit 0
//! time     varint   zigzag, milliseconds since the move before it, or since the game began
//! ```

use super::fold::Ply;

/// Decodes a column's bytes.
///
/// # Errors
/// Where and why the bytes stop being moves.
pub(super) fn moves(bytes: &[u8], started_ms: i64) -> Result<Vec<Ply>, String> {
    let mut rest = bytes;
    let mut moves: Vec<Ply> = Vec::with_capacity(bytes.len() / 8);
    let (mut ply, mut at_ms) = (0, started_ms);
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let next = entry(&mut rest, ply, at_ms)
            .ok_or_else(|| format!("no move can be read at byte {at}"))?;
        if next.ply <= ply {
            return Err(format!("ply {} follows ply {ply} at byte {at}", next.ply));
        }
        (ply, at_ms) = (next.ply, next.at_ms);
        moves.push(next);
    }
    Ok(moves)
}

fn entry(rest: &mut &[u8], last_ply: u32, last_ms: i64) -> Option<Ply> {
    let [flags, ..] = *take(rest, 1)? else {
        return None;
    };
    let ply = match flags & 4 {
        0 => last_ply.checked_add(1)?,
        _ => u32::try_from(varint(rest)?).ok()?,
    };
    let text = if flags & 2 == 0 {
        let length = usize::try_from(varint(rest)?).ok()?;
        std::str::from_utf8(take(rest, length)?).ok()?.into()
    } else {
        let [low, high] = *take(rest, 2)? else {
            return None;
        };
        uci(u16::from_le_bytes([low, high]))?
    };
    let clock_ms = match flags & 1 {
        0 => None,
        _ => Some(varint(rest)?),
    };
    let zigzag = varint(rest)?;
    let magnitude = i64::try_from(zigzag >> 1).ok()?;
    let since = if zigzag & 1 == 0 {
        magnitude
    } else {
        -magnitude - 1
    };
    Some(Ply {
        ply,
        player: flags >> 3,
        text,
        clock_ms,
        at_ms: last_ms.checked_add(since)?,
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value: u128 = 0;
    for place in 0..10 {
        let [byte, ..] = *take(rest, 1)? else {
            return None;
        };
        value |= u128::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return u64::try_from(value).ok();
        }
    }
    None
}

fn uci(packed: u16) -> Option<Box<str>> {
    let letters = |square: u16| {
        let file = (b'a'..=b'h').nth(usize::from(square % 8));
        let rank = (b'1'..=b'8').nth(usize::from(square / 8 % 8));
        Some([char::from(file?), char::from(rank?)])
    };
    let promotion = match packed >> 12 {
        0 => "",
        1 => "n",
        2 => "b",
        3 => "r",
        4 => "q",
        _ => return None,
    };
    let mut text: String = letters(packed % 64)?
        .into_iter()
        .chain(letters(packed / 64 % 64)?)
        .collect();
    text.push_str(promotion);
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let hex = hex.replace(' ', "");
        let pairs = (0..hex.len()).step_by(2);
        pairs
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn shown(hex: &str) -> Vec<String> {
        let moves = moves(&bytes(hex), 0).unwrap();
        let show = |m: &Ply| {
            format!(
                "{} {} {} {:?} {}",
                m.ply, m.player, m.text, m.clock_ms, m.at_ms
            )
        };
        moves.iter().map(show).collect()
    }

    #[test]
    fn the_documented_example_is_read() {
        // 1. e2e4 with 180,000 ms left after 1 s; 2. e7e8q, 100 ms earlier, no clock; 5. P@f7, ply explicit, clock 0.
        assert_eq!(
            shown("03 0c07 a0fe0a d00f  0a 344f c701  05 05 04 50406637 00 00"),
            [
                "1 0 e2e4 Some(180000) 1000",
                "2 1 e7e8q None 900",
                "5 0 P@f7 Some(0) 900"
            ]
        );
    }

    #[test]
    fn damaged_bytes_are_named_by_their_place() {
        assert_eq!(
            moves(&bytes("03 0c07 a0fe0a d00f 03 0c"), 0).unwrap_err(),
            "no move can be read at byte 8"
        );
        assert_eq!(
            moves(&bytes("02 0c57 00"), 0).unwrap_err(),
            "no move can be read at byte 0"
        );
        assert_eq!(
            moves(&bytes("06 00 0c07 00"), 0).unwrap_err(),
            "ply 0 follows ply 0 at byte 0"
        );
        assert!(moves(&bytes("00 02 fffe 00"), 0).is_err());
        assert!(moves(&bytes("03 0c07 ffffffffffffffffff7f 00"), 0).is_err());
        assert_eq!(moves(&[], 0), Ok(vec![]));
    }
}
