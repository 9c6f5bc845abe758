//! RFC 3339 times to milliseconds since 1970 and back, by arithmetic of its own.

use std::ops::Range;

/// The times an event may carry: 1970 until 2100, in milliseconds since 1970.
pub(super) const ACCEPTED_MS: Range<i64> = 0..4_102_444_800_000;

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970, what is finer cut off; `None` for what is no RFC 3339 time.
pub(super) fn rfc3339_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
    };
    let sign = |at: usize, wanted: &[u8]| bytes.get(at).filter(|b| wanted.contains(b)).map(|_| ());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    for (at, wanted) in [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")] {
        sign(at, wanted.as_bytes())?;
    }
    let fits = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !fits || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ms, zone) = fraction(bytes.get(19..)?)?;
    let local = days_before(year, month, day) * DAY_MS
        + ((hour * 60 + minute) * 60 + second) * 1000
        + fraction_ms;
    Some(local - offset_minutes(zone)? * 60_000)
}

/// The milliseconds of a fraction, and what follows it.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = rest.split_first() else {
        return Some((0, rest));
    };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(digits);
    if digits.is_empty() {
        return None;
    }
    let ms = (0..3).fold(0, |ms, place| {
        ms * 10 + digits.get(place).map_or(0, |d| i64::from(d - b'0'))
    });
    Some((ms, rest))
}

fn offset_minutes(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digits = [h1, h2, m1, m2].map(|d| i64::from(*d) - 48);
            let (hours, minutes) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3]);
            let fits = digits.iter().all(|d| (0..=9).contains(d)) && hours <= 23 && minutes <= 59;
            let minutes = hours * 60 + minutes;
            fits.then_some(if *sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to this day.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Leap days before a year: one every 4 years, save the hundreds, but not the four hundreds. 1 for year 0 itself.
    let leaps = |year: i64| {
        (year + 3).div_euclid(4) - (year + 99).div_euclid(100) + (year + 399).div_euclid(400)
    };
    let years = year * 365 + leaps(year) - (1970 * 365 + leaps(1970));
    years + (1..month).map(|m| days_in(year, m)).sum::<i64>() + day - 1
}

/// The time as a person reads it, to the microsecond where there is one.
pub(super) fn show_us(us: i64) -> String {
    chrono::DateTime::from_timestamp_micros(us).map_or_else(
        || format!("{us} µs since 1970"),
        |time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-11-21T10:00:00.123Z", 1_795_255_200_123),
            ("2026-11-21T12:00:00.123999+02:00", 1_795_255_200_123),
            ("2026-11-21 10:00:00.1z", 1_795_255_200_100),
            ("2099-12-31T23:59:59.999Z", 4_102_444_799_999),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2016-12-31T23:59:60.500Z", 1_483_228_800_500),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ] {
            assert_eq!(rfc3339_ms(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut day = days_before(1, 1, 1);
        assert_eq!(day, -719_162);
        for year in 1..=2400 {
            for month in 1..=12 {
                for date in 1..=days_in(year, month) {
                    assert_eq!(days_before(year, month, date), day, "{year}-{month}-{date}");
                    day += 1;
                }
            }
        }
    }

    #[test]
    fn what_is_no_rfc_3339_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-02-30T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:60:00Z",
            "2026-11-21T10:00:61Z",
            "2026-11-21T10:00:00.Z",
            "2026-11-21T10:00:00+2:00",
            "2026-11-21T10:00:00+0200",
            "2026-11-21T10:00:00+24:00",
            "2026-1-21T10:00:00Z",
            "2026-11-21T10:00:00 Z",
            "2026-11-21T10:00:00UTC",
            "+2026-11-21T10:00:00Z",
            "2026-11-21T10:00:00Zx",
        ] {
            assert_eq!(rfc3339_ms(text), None, "{text}");
        }
    }
}
