//! A chess clock's reading as PGN writes it, kept to the millisecond.

use std::fmt;

/// The time left on a clock, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clock {
    ms: u64,
}

impl Clock {
    /// Takes milliseconds.
    #[must_use]
    pub fn from_ms(ms: u64) -> Self {
        Self { ms }
    }

    /// The milliseconds.
    #[must_use]
    pub fn as_ms(self) -> u64 {
        self.ms
    }

    /// Reads `h:mm:ss`, `mm:ss` or `ss`, with up to three decimals of a second; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        // Right-padded to three digits: ".9" is 900 ms.
        let fraction_ms: u64 = format!("{:0<3}", digits(fraction, 3)?).parse().ok()?;
        if fraction.is_empty() && text.contains('.') {
            return None;
        }
        let mut seconds = 0_u64;
        let mut parts = 0;
        for part in whole.split(':') {
            seconds = seconds * 60 + digits(part, 6)?.parse::<u64>().ok()?;
            parts += 1;
        }
        (parts <= 3).then_some(Self {
            ms: seconds * 1_000 + fraction_ms,
        })
    }

    /// The `[%clk …]` of a PGN comment, where it has one.
    #[must_use]
    pub fn in_comment(comment: &str) -> Option<Self> {
        let (_, rest) = comment.split_once("[%clk")?;
        let (text, _) = rest.split_once(']')?;
        Self::parse(text.trim())
    }
}

/// The text when it is nothing but digits, at most so many.
fn digits(text: &str, most: usize) -> Option<&str> {
    let plain = text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    plain.then_some(text)
}

impl fmt::Display for Clock {
    /// `h:mm:ss`, with as many decimals as the reading has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, fraction_ms) = (self.ms / 1_000, self.ms % 1_000);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        write!(f, "{hours}:{minutes:02}:{:02}", seconds % 60)?;
        if fraction_ms > 0 {
            let decimals = format!("{fraction_ms:03}");
            write!(f, ".{}", decimals.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_and_thousandths_are_kept() {
        for (text, ms) in [
            ("0:02:58.9", 178_900),
            ("1:40:00", 6_000_000),
            ("0:00:00.05", 50),
            ("0:00:07.123", 7_123),
            ("336:00:00", 1_209_600_000),
        ] {
            let clock = Clock::parse(text).unwrap();
            assert_eq!(clock.as_ms(), ms, "{text}");
            assert_eq!(clock.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_clock_is_none() {
        for text in [
            "",
            "-0:00:01",
            "0:00:01.",
            "0:00:01.1234",
            "1:2:3:4",
            "a:00",
            "0:00:1é",
            "99999999:00",
        ] {
            assert_eq!(Clock::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_clock_is_found_among_other_commands() {
        let comment = "[%eval 0.25] good [%clk 0:00:09.4] and more";
        assert_eq!(Clock::in_comment(comment), Some(Clock::from_ms(9_400)));
        assert_eq!(Clock::in_comment("[%clk 0:00:09.4"), None);
    }
}
