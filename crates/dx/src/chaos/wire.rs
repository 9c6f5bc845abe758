//! PostgreSQL's protocol as far as the proxy must read it: where a message of the client ends, and which one is the COMMIT of a batch.
//!
//! A batch is a transaction that runs the statement which advances a checkpoint. Prepared statements are followed by name, since
//! their text is sent once a session.

use std::collections::HashSet;

/// Begins the statement that only a batch runs.
const ADVANCES: &[u8] = b"UPDATE stream_checkpoints SET next_offset";
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// Cuts the client's bytes into whole messages.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    from: usize,
    begun: bool,
}

/// The bytes are no PostgreSQL protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Garbled;

impl Frames {
    /// Takes what was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.from == self.bytes.len() {
            self.bytes.clear();
            self.from = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, type byte included where it has one.
    ///
    /// # Errors
    /// [`Garbled`] when a length can't be one.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Garbled> {
        let rest = &self.bytes[self.from..];
        // The first message, and requests for encryption before it, have no type.
        let head = usize::from(self.begun);
        let Some(length) = rest.get(head..head + 4) else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        let whole = head + usize::try_from(length).map_err(|_too_long| Garbled)?;
        if length < 4 {
            return Err(Garbled);
        }
        if rest.len() < whole {
            return Ok(None);
        }
        if !self.begun {
            let code = rest.get(4..8).ok_or(Garbled)?;
            let code = u32::from_be_bytes([code[0], code[1], code[2], code[3]]);
            self.begun = code != SSL_REQUEST && code != GSS_REQUEST;
        }
        let frame = self.from..self.from + whole;
        self.from = frame.end;
        Ok(Some(&self.bytes[frame]))
    }
}

/// Follows the transactions of one session.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    advancing: HashSet<Vec<u8>>,
    in_batch: bool,
}

impl Transactions {
    /// Takes the next message; true when it is the COMMIT of a batch.
    pub(super) fn is_batch_commit(&mut self, frame: &[u8]) -> bool {
        let (Some(kind), Some(body)) = (frame.first(), frame.get(5..)) else {
            return false;
        };
        match kind {
            b'Q' if body == b"COMMIT\0" => return std::mem::take(&mut self.in_batch),
            b'Q' => self.in_batch = false,
            b'P' => {
                let (name, text) = word(body);
                if text.starts_with(ADVANCES) {
                    self.advancing.insert(name.to_vec());
                } else {
                    self.advancing.remove(name);
                }
            }
            b'B' => {
                let (_portal, rest) = word(body);
                self.in_batch |= self.advancing.contains(word(rest).0);
            }
            _ => {}
        }
        false
    }
}

/// What stands before the first zero byte, and what after it.
fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Frames, Garbled, Transactions};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn startup() -> Vec<u8> {
        [
            &12_u32.to_be_bytes()[..],
            &196_608_u32.to_be_bytes(),
            b"u\0v\0",
        ]
        .concat()
    }

    #[test]
    fn messages_are_cut_where_they_end_however_they_arrive() {
        let mut all = [
            &8_u32.to_be_bytes()[..],
            &super::SSL_REQUEST.to_be_bytes(),
            &startup(),
        ]
        .concat();
        all.extend(message(b'Q', b"BEGIN\0"));
        all.extend(message(b'Q', b"COMMIT\0"));
        let mut frames = Frames::default();
        let mut lengths = Vec::new();
        for byte in all {
            frames.push(&[byte]);
            while let Some(frame) = frames.next().unwrap() {
                lengths.push(frame.len());
            }
        }
        assert_eq!(lengths, [8, 12, 11, 12]);
    }

    #[test]
    fn a_length_that_cannot_be_one_is_refused() {
        let mut frames = Frames::default();
        frames.push(&[0, 0, 0, 1, 9, 9, 9, 9]);
        assert_eq!(frames.next().unwrap_err(), Garbled);
    }

    #[test]
    fn only_the_commit_of_a_transaction_that_advances_a_checkpoint_is_a_batchs() {
        let mut transactions = Transactions::default();
        let mut takes = |kind, body: &[u8]| transactions.is_batch_commit(&message(kind, body));
        let advance = b"s1\0UPDATE stream_checkpoints SET next_offset = $6\0\0\0";
        assert!(!takes(b'P', advance));
        assert!(!takes(
            b'P',
            b"s2\0UPDATE stream_checkpoints SET token = $4\0\0\0"
        ));
        for (statement, is_batch) in [(&b"\0s2\0rest"[..], false), (b"\0s1\0rest", true)] {
            assert!(!takes(b'Q', b"BEGIN\0"));
            assert!(!takes(b'B', statement));
            assert_eq!(takes(b'Q', b"COMMIT\0"), is_batch);
        }
        assert!(!takes(b'Q', b"BEGIN\0"));
        assert!(!takes(b'B', b"\0s1\0rest"));
        assert!(!takes(b'Q', b"ROLLBACK\0"));
        assert!(
            !takes(b'Q', b"COMMIT\0"),
            "the batch was rolled back before"
        );
    }
}
