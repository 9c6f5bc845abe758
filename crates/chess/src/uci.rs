//! A move in UCI notation, five bytes at most, without a position: what events carry and pages of games are made of.

use std::fmt;

/// A move such as `e2e4` or `e7e8q`: well-formed text, legal or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UciMove {
    /// Padded with zero where the move has no promotion.
    bytes: [u8; 5],
}

impl UciMove {
    /// Reads UCI; `None` when it is not two squares and perhaps one of `nbrq`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let square =
            |file: u8, rank: u8| (b'a'..=b'h').contains(&file) && (b'1'..=b'8').contains(&rank);
        match *text.as_bytes() {
            [a, b, c, d] if square(a, b) && square(c, d) => Some(Self {
                bytes: [a, b, c, d, 0],
            }),
            [a, b, c, d, p @ (b'n' | b'b' | b'r' | b'q')] if square(a, b) && square(c, d) => {
                Some(Self {
                    bytes: [a, b, c, d, p],
                })
            }
            _ => None,
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = if self.bytes[4] == 0 { 4 } else { 5 };
        // ASCII by construction, so this never falls back.
        self.bytes
            .get(..len)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl AsRef<str> for UciMove {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for UciMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for UciMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_moves_are_read() {
        assert_eq!(UciMove::parse("e2e4").unwrap().as_str(), "e2e4");
        assert_eq!(UciMove::parse("a7b8n").unwrap().to_string(), "a7b8n");
        for text in ["", "e2", "0000", "e2e9", "e7e8k", "e7e8Q", "é2e4", "e2e4 "] {
            assert_eq!(UciMove::parse(text), None, "{text}");
        }
    }
}
