//! The schedule of the attack on archivers: a deck of its own beside the ingestors', so that theirs is the same with and without
//! archivers. Pure, like [`crate::chaos::plan`].

use std::fmt;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use test_support::Refusal;

/// One blow against the archivers or their object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chaos) enum Blow {
    /// Kill -9, and another one takes its place.
    Kill { pick: u32 },
    /// SIGSTOP for longer than the session timeout, then SIGCONT: a zombie wakes up.
    Freeze { pick: u32, time: Duration },
    /// SIGTERM, and another one takes its place.
    Replace { pick: u32 },
    /// Every connection to the store is cut.
    Cut,
    /// The store says nothing; what it was told meanwhile it does afterwards.
    Stall { time: Duration },
    /// The store refuses everything.
    Refuse { refusal: Refusal, time: Duration },
    /// The store takes so much longer over each request.
    Slow { each: Duration, time: Duration },
    /// The next creates are carried out and their senders never hear of it: the next try is told "already exists".
    LoseAnswers { count: u64 },
}

impl Blow {
    /// The kind, for counting.
    pub(in crate::chaos) fn kind(self) -> &'static str {
        match self {
            Self::Kill { .. } => "archiver_killed",
            Self::Freeze { .. } => "archiver_stopped_and_continued",
            Self::Replace { .. } => "archiver_replaced",
            Self::Cut => "store_connections_cut",
            Self::Stall { .. } => "store_stalled",
            Self::Refuse { .. } => "store_refuses",
            Self::Slow { .. } => "store_slow",
            Self::LoseAnswers { .. } => "store_answers_lost",
        }
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().replace('_', " ");
        match self {
            Self::Freeze { time, .. } | Self::Stall { time } => {
                write!(f, "{name}, {:.1} s", time.as_secs_f32())
            }
            Self::Refuse { refusal, time } => {
                let status = refusal.status();
                write!(f, "{name} with {status}, {:.1} s", time.as_secs_f32())
            }
            Self::Slow { each, time } => {
                let (each, time) = (each.as_secs_f32(), time.as_secs_f32());
                write!(f, "{name}: {each:.1} s each, {time:.1} s")
            }
            Self::LoseAnswers { count } => write!(f, "{name}: the next {count}"),
            _ => f.write_str(&name),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Card {
    Kill,
    Freeze,
    Replace,
    Cut,
    Stall,
    Refuse,
    Slow,
    LoseAnswers,
}

/// What a run must show, and what a short one begins with.
const ESSENTIAL: [Card; 3] = [Card::Freeze, Card::LoseAnswers, Card::Kill];
const OTHERS: [Card; 5] = [
    Card::Replace,
    Card::Cut,
    Card::Stall,
    Card::Refuse,
    Card::Slow,
];
/// When there is something in the archive.
const FIRST_AT: Duration = Duration::from_secs(5);
/// Keeps this schedule's numbers apart from those of the ingestors' one.
const SALT: u64 = 0x6172_6368_6976_6572;

/// The blows of one run with their times.
pub(in crate::chaos) fn draw(seed: u64, length: Duration) -> Vec<(Duration, Blow)> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ SALT);
    let (mut drawn, mut at, mut first_deck) = (Vec::new(), FIRST_AT, true);
    loop {
        let (mut first, mut rest) = (ESSENTIAL.to_vec(), OTHERS.to_vec());
        if !std::mem::take(&mut first_deck) {
            rest.append(&mut first);
        }
        first.shuffle(&mut random);
        rest.shuffle(&mut random);
        for card in first.into_iter().chain(rest) {
            if at >= length {
                return drawn;
            }
            drawn.push((at, blow(&mut random, card)));
            at += Duration::from_millis(random.random_range(2_000..6_000));
        }
    }
}

fn blow(random: &mut ChaCha8Rng, card: Card) -> Blow {
    let mut time = |range: std::ops::Range<u64>| Duration::from_millis(random.random_range(range));
    match card {
        Card::Freeze => Blow::Freeze {
            time: time(8_500..15_000),
            pick: random.random(),
        },
        Card::Stall => Blow::Stall {
            time: time(3_000..15_000),
        },
        Card::Refuse => Blow::Refuse {
            time: time(2_000..12_000),
            refusal: [
                Refusal::InternalError,
                Refusal::SlowDown,
                Refusal::TooManyRequests,
            ][random.random_range(0..3)],
        },
        Card::Slow => Blow::Slow {
            time: time(4_000..15_000),
            each: Duration::from_millis(random.random_range(200..1_500)),
        },
        Card::Kill => Blow::Kill {
            pick: random.random(),
        },
        Card::Replace => Blow::Replace {
            pick: random.random(),
        },
        Card::LoseAnswers => Blow::LoseAnswers {
            count: random.random_range(2..6),
        },
        Card::Cut => Blow::Cut,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::draw;

    fn kinds(seed: u64, seconds: u64) -> BTreeSet<&'static str> {
        let drawn = draw(seed, Duration::from_secs(seconds));
        drawn.iter().map(|(_, blow)| blow.kind()).collect()
    }

    #[test]
    fn a_seed_always_draws_the_same_blows_against_archivers_and_another_seed_others() {
        let length = Duration::from_secs(300);
        assert_eq!(draw(7, length), draw(7, length));
        assert_ne!(draw(7, length), draw(8, length));
    }

    #[test]
    fn a_minute_holds_every_blow_and_twenty_seconds_what_a_run_must_show() {
        for seed in 0..200 {
            assert_eq!(kinds(seed, 60).len(), 8, "seed {seed}");
            let short = kinds(seed, 20);
            for kind in [
                "archiver_stopped_and_continued",
                "store_answers_lost",
                "archiver_killed",
            ] {
                assert!(short.contains(kind), "seed {seed}: {short:?}");
            }
        }
    }
}
