//! When a PGN game began, moved and ended, from its tags and clocks.
//!
//! Invariant: start ≤ each move ≤ the next ≤ end, in milliseconds since 1970.

use chess::pgn::{PgnGame, Tags};
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};

use super::ending::Ending;

/// What a move takes where no clock tells, in milliseconds.
const UNCLOCKED_MOVE_MS: i64 = 1_000;

/// The times of one game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) start_ms: i64,
    pub(super) moves_ms: Vec<i64>,
    pub(super) end_ms: i64,
    /// Whether the tags give a start that an event can carry; else the game ends at the time it was given.
    pub(super) dated: bool,
}

impl Times {
    pub(super) fn of(game: &PgnGame, ending: &Ending, undated_end_ms: i64) -> Self {
        let start = start(&game.tags);
        let end = start.and_then(|start| end(&game.tags, start));
        let span_ms = end
            .zip(start)
            .map(|(end, start)| (end - start).num_milliseconds());
        let (moves, last_ms) = since_start(game, ending, span_ms);
        let length_ms = span_ms.unwrap_or(last_ms);
        let start_ms = match start {
            Some(start) => start.and_utc().timestamp_millis(),
            None => undated_end_ms.saturating_sub(length_ms).max(0),
        };
        Self {
            start_ms,
            moves_ms: moves
                .into_iter()
                .map(|ms| start_ms.saturating_add(ms))
                .collect(),
            end_ms: start_ms.saturating_add(length_ms),
            dated: start.is_some(),
        }
    }
}

/// Each move's time since the start, no later than `span_ms`, and the end by the clocks alone.
fn since_start(game: &PgnGame, ending: &Ending, span_ms: Option<i64>) -> (Vec<i64>, i64) {
    let (base_ms, increment_ms) = time_control(&game.tags);
    let black_begins = game
        .start_fen
        .as_deref()
        .is_some_and(|fen| fen.contains(" b "));
    let clocked = game.moves.iter().any(|m| m.clock.is_some());
    let count = i64::try_from(game.moves.len()).unwrap_or(i64::MAX);
    // Without any clock the moves share the game's time evenly.
    let even_ms = span_ms
        .filter(|_| !clocked)
        .map_or(UNCLOCKED_MOVE_MS, |span| span / (count + 1));
    let mut left_ms = [base_ms, base_ms];
    let mut now_ms = 0_i64;
    let mut moves = Vec::with_capacity(game.moves.len());
    for (index, mv) in game.moves.iter().enumerate() {
        let side = (index + usize::from(black_begins)) % 2;
        let clock_ms = mv
            .clock
            .map(|clock| i64::try_from(clock.as_ms()).unwrap_or(i64::MAX));
        let spent_ms = match (left_ms[side], clock_ms) {
            (Some(before), Some(after)) => (before.saturating_add(increment_ms) - after).max(0),
            (None, Some(_)) => 0,
            (_, None) => even_ms,
        };
        left_ms[side] = clock_ms.or(left_ms[side]);
        now_ms = now_ms
            .saturating_add(spent_ms)
            .min(span_ms.unwrap_or(i64::MAX));
        moves.push(now_ms);
    }
    // Whoever lost on time used up what was left.
    let flagged = match ending {
        Ending::TimedOut { loser } => {
            left_ms[usize::from(*loser == chess::Color::Black)].filter(|_| clocked)
        }
        _ => None,
    };
    (moves, now_ms.saturating_add(flagged.unwrap_or(0)))
}

/// Base and increment in milliseconds, where the time control is `base` or `base+increment` in seconds.
fn time_control(tags: &Tags) -> (Option<i64>, i64) {
    let text = tags.known("TimeControl").unwrap_or_default();
    let (base, increment) = text.split_once('+').unwrap_or((text, "0"));
    let ms = |seconds: &str| seconds.parse::<u32>().ok().map(|s| i64::from(s) * 1_000);
    match (ms(base), ms(increment)) {
        (Some(base), Some(increment)) => (Some(base), increment),
        _ => (None, 0),
    }
}

/// The start, where the tags give a whole date from 1970 on; midnight where they give no time.
fn start(tags: &Tags) -> Option<NaiveDateTime> {
    let day = date(tags, "UTCDate").or_else(|| date(tags, "Date"))?;
    let time = time(tags, "UTCTime")
        .or_else(|| time(tags, "StartTime"))
        .unwrap_or_default();
    let in_range =
        NaiveDate::from_ymd_opt(1970, 1, 1)? <= day && day < NaiveDate::from_ymd_opt(2100, 1, 1)?;
    in_range.then(|| day.and_time(time))
}

/// The end, where the tags give one that does not lie before the start.
fn end(tags: &Tags, start: NaiveDateTime) -> Option<NaiveDateTime> {
    let time = time(tags, "EndTime")?;
    let end = match date(tags, "EndDate") {
        Some(day) => day.and_time(time),
        // Without a date: the first such time from the start on.
        None if start.time() <= time => start.date().and_time(time),
        None => start.date().checked_add_days(Days::new(1))?.and_time(time),
    };
    (end >= start).then_some(end)
}

fn date(tags: &Tags, name: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(tags.known(name)?, "%Y.%m.%d").ok()
}

/// `hh:mm:ss`, in UTC: a time with another zone behind it is none.
fn time(tags: &Tags, name: &str) -> Option<NaiveTime> {
    let text = tags.known(name)?;
    let (time, zone) = text.split_once(' ').unwrap_or((text, ""));
    let utc = matches!(zone, "" | "UTC" | "GMT" | "GMT+0000");
    NaiveTime::parse_from_str(time, "%H:%M:%S")
        .ok()
        .filter(|_| utc)
}

#[cfg(test)]
mod tests {
    use chess::Color;
    use chess::pgn::Reader;

    use super::*;

    const NOON_MS: i64 = 1_704_196_800_000; // 2024-01-02T12:00:00Z
    const RESIGNED: Ending = Ending::Resigned {
        loser: Color::Black,
    };

    fn times(tags: &str, moves: &str, ending: &Ending) -> Times {
        let text = format!("{tags}\n\n{moves} 1-0");
        let game = Reader::new(text.as_bytes()).next().unwrap().unwrap().game;
        Times::of(&game, ending, 50_000)
    }

    const TAGS: &str = "[UTCDate \"2024.01.02\"]\n[UTCTime \"12:00:00\"]\n[TimeControl \"180+2\"]";

    #[test]
    fn moves_take_what_the_clocks_lost_and_the_increment_gave() {
        let moves = "1. e4 {[%clk 0:02:59.5]} e5 {[%clk 0:02:58]} 2. d4 {[%clk 0:02:55]}";
        let times = times(TAGS, moves, &RESIGNED);
        assert_eq!(times.start_ms, NOON_MS);
        assert_eq!(
            times.moves_ms,
            [2_500, 6_500, 13_000].map(|ms| NOON_MS + ms)
        );
        assert_eq!((times.end_ms, times.dated), (NOON_MS + 13_000, true));
    }

    #[test]
    fn the_end_tag_bounds_every_move() {
        let tags = format!("{TAGS}\n[EndDate \"2024.01.02\"]\n[EndTime \"12:00:05\"]");
        let moves = "1. e4 {[%clk 0:02:59]} e5 {[%clk 0:02:00]} 2. d4 {[%clk 0:02:00]}";
        let times = times(&tags, moves, &RESIGNED);
        assert_eq!(times.moves_ms, [3_000, 5_000, 5_000].map(|ms| NOON_MS + ms));
        assert_eq!(times.end_ms, NOON_MS + 5_000);
    }

    #[test]
    fn an_end_after_midnight_without_a_date_is_the_next_day() {
        let tags =
            "[UTCDate \"2024.01.02\"]\n[UTCTime \"12:00:00\"]\n[EndTime \"00:30:00 GMT+0000\"]";
        assert_eq!(
            times(tags, "1. e4", &RESIGNED).end_ms,
            NOON_MS + 12 * 3_600_000 + 1_800_000
        );
        let elsewhere =
            "[UTCDate \"2024.01.02\"]\n[UTCTime \"12:00:00\"]\n[EndTime \"05:00:00 PST\"]";
        assert_eq!(times(elsewhere, "1. e4", &RESIGNED).end_ms, NOON_MS + 1_000);
    }

    #[test]
    fn whoever_loses_on_time_uses_it_up() {
        let moves = "1. e4 {[%clk 0:02:59]} e5 {[%clk 0:00:07]}";
        let lost = Ending::TimedOut {
            loser: Color::White,
        };
        let times = times(TAGS, moves, &lost);
        assert_eq!(times.end_ms - times.moves_ms[1], 179_000);
    }

    #[test]
    fn without_clocks_moves_share_the_time_evenly() {
        let tags = format!("{TAGS}\n[EndTime \"12:00:09\"]");
        let times = times(&tags, "1. e4 e5", &RESIGNED);
        assert_eq!(times.moves_ms, [3_000, 6_000].map(|ms| NOON_MS + ms));
    }

    #[test]
    fn a_game_without_a_date_that_events_can_carry_ends_when_it_is_told_to() {
        for tags in [
            "[Date \"1851.06.21\"]",
            "[Date \"2024.??.??\"]",
            "[Date \"9999.01.01\"]",
            "",
        ] {
            let times = times(tags, "1. e4 e5", &RESIGNED);
            assert_eq!(
                (times.start_ms, times.end_ms, times.dated),
                (48_000, 50_000, false),
                "{tags}"
            );
            assert_eq!(times.moves_ms, [49_000, 50_000]);
        }
    }
}
