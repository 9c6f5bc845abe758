//! The schedule of an attack: which action when. Pure: the same seed, length and abilities give the same schedule.
//!
//! Actions are dealt from a shuffled deck that holds every kind, so that a long run repeats all of them and a short one begins with
//! those that its proof needs: a stopped member, a lost reply, a killed member.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::archive::{self, Blow};

/// How a server is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// In order: SIGTERM for the broker, `fast` for PostgreSQL.
    Orderly,
    /// At once: SIGKILL for the broker, `immediate` for PostgreSQL.
    AtOnce,
}

/// One blow. `pick` chooses a member among those that live when the time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Kill -9, and another one takes its place.
    KillMember { pick: u32 },
    /// SIGSTOP for longer than the session timeout, then SIGCONT: a zombie wakes up.
    FreezeMember { pick: u32, time: Duration },
    /// One more member.
    AddMember,
    /// SIGTERM for one member.
    RemoveMember { pick: u32 },
    /// The broker ends and starts again.
    RestartBroker(End),
    /// PostgreSQL ends and starts again.
    RestartPostgres(End),
    /// Every connection through the proxy is cut.
    CutConnections,
    /// Nothing passes the proxy in either direction.
    StallConnections { time: Duration },
    /// The next COMMITs of a batch reach the server, their replies reach nobody.
    LoseReplies { count: u32 },
    /// The next COMMITs of a batch never reach the server.
    LoseCommits { count: u32 },
    /// The disk that the history lies on is full.
    FillDisk { time: Duration },
    /// A copy of the database's files is taken.
    TakeCopy,
    /// The database is put back to the last copy.
    PutBack,
    /// A blow against the archivers or their store, from the schedule of its own.
    Archive(Blow),
}

impl Action {
    /// The kind, for counting.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::KillMember { .. } => "member_killed",
            Self::FreezeMember { .. } => "member_stopped_and_continued",
            Self::AddMember => "member_added",
            Self::RemoveMember { .. } => "member_removed",
            Self::RestartBroker(End::Orderly) => "broker_restarted",
            Self::RestartBroker(End::AtOnce) => "broker_killed",
            Self::RestartPostgres(End::Orderly) => "postgres_restarted_fast",
            Self::RestartPostgres(End::AtOnce) => "postgres_restarted_immediate",
            Self::CutConnections => "connections_cut",
            Self::StallConnections { .. } => "connections_stalled",
            Self::LoseReplies { .. } => "commit_replies_lost",
            Self::LoseCommits { .. } => "commits_lost",
            Self::FillDisk { .. } => "disk_filled",
            Self::TakeCopy => "copy_taken",
            Self::PutBack => "database_put_back",
            Self::Archive(blow) => blow.kind(),
        }
    }

    /// How long it is about to keep the attacker busy.
    fn occupies(self) -> Duration {
        match self {
            Self::StallConnections { time } | Self::FillDisk { time } => time,
            Self::RestartBroker(_) => Duration::from_secs(8),
            Self::RestartPostgres(_) => Duration::from_secs(2),
            Self::TakeCopy | Self::PutBack => Duration::from_secs(4),
            // A stopped member wakes up while other things go on, but not before the next blow in a short run.
            Self::FreezeMember { .. } => Duration::from_secs(3),
            _ => Duration::ZERO,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().replace('_', " ");
        match self {
            Self::FreezeMember { time, .. }
            | Self::StallConnections { time }
            | Self::FillDisk { time } => {
                write!(f, "{name}, {:.1} s", time.as_secs_f32())
            }
            Self::LoseReplies { count } | Self::LoseCommits { count } => {
                write!(f, "{name}: the next {count}")
            }
            Self::Archive(blow) => blow.fmt(f),
            _ => f.write_str(&name),
        }
    }
}

/// An action and when it is due, counted from the start of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) at: Duration,
    pub(super) action: Action,
}

/// What the machine lets the attack do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Abilities {
    /// Whether the history lies on a disk of its own that can be filled.
    pub(super) disk: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    Kill,
    Freeze,
    Add,
    Remove,
    Broker,
    BrokerKill,
    PostgresFast,
    PostgresImmediate,
    Cut,
    Stall,
    LoseReply,
    LoseCommit,
    Disk,
    Copy,
    PutBack,
}

/// What a run must show, and what a short one begins with.
const ESSENTIAL: [Card; 3] = [Card::Freeze, Card::LoseReply, Card::Kill];
const OTHERS: [Card; 12] = [
    Card::Add,
    Card::Remove,
    Card::Broker,
    Card::BrokerKill,
    Card::PostgresFast,
    Card::PostgresImmediate,
    Card::Cut,
    Card::Stall,
    Card::LoseCommit,
    Card::Disk,
    Card::Copy,
    Card::PutBack,
];
/// When the stream is fat enough for the first blow.
const FIRST_AT: Duration = Duration::from_secs(4);

/// The schedule of one run.
pub(super) fn draw(seed: u64, length: Duration, abilities: Abilities) -> Vec<Planned> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut deck = VecDeque::new();
    let mut planned = Vec::new();
    let (mut at, mut has_copy, mut first_deck) = (FIRST_AT, false, true);
    loop {
        if deck.is_empty() {
            deck = shuffled(&mut random, first_deck);
            first_deck = false;
        }
        let Some(card) = deck.pop_front() else {
            return planned;
        };
        let card = match card {
            Card::Disk if !abilities.disk => continue,
            // Nothing to put back to yet: take the copy now, and put it back when the deck ends.
            Card::PutBack if !has_copy => {
                deck.retain(|card| *card != Card::Copy);
                deck.push_back(Card::PutBack);
                Card::Copy
            }
            card => card,
        };
        has_copy |= card == Card::Copy;
        let action = action(&mut random, card);
        if at + action.occupies() >= length {
            return planned;
        }
        planned.push(Planned { at, action });
        at += action.occupies() + Duration::from_millis(random.random_range(1_500..6_000));
    }
}

/// The schedule of a run with archivers: their blows among the others. One that is due while another is still being struck follows it.
pub(super) fn draw_with_archivers(
    seed: u64,
    length: Duration,
    abilities: Abilities,
) -> Vec<Planned> {
    let mut planned = draw(seed, length, abilities);
    let blows = archive::draw(seed, length);
    planned.extend(blows.into_iter().map(|(at, blow)| Planned {
        at,
        action: Action::Archive(blow),
    }));
    planned.sort_by_key(|planned| planned.at);
    planned
}

fn shuffled(random: &mut ChaCha8Rng, essential_first: bool) -> VecDeque<Card> {
    let (mut first, mut rest) = (ESSENTIAL.to_vec(), OTHERS.to_vec());
    if !essential_first {
        rest.append(&mut first);
    }
    first.shuffle(random);
    rest.shuffle(random);
    first.into_iter().chain(rest).collect()
}

fn action(random: &mut ChaCha8Rng, card: Card) -> Action {
    let mut time = |range: std::ops::Range<u64>| Duration::from_millis(random.random_range(range));
    match card {
        Card::Freeze => Action::FreezeMember {
            time: time(8_500..15_000),
            pick: random.random(),
        },
        Card::Stall => Action::StallConnections {
            time: time(5_000..20_000),
        },
        Card::Disk => Action::FillDisk {
            time: time(5_000..15_000),
        },
        Card::Kill => Action::KillMember {
            pick: random.random(),
        },
        Card::Remove => Action::RemoveMember {
            pick: random.random(),
        },
        Card::LoseReply => Action::LoseReplies {
            count: random.random_range(1..4),
        },
        Card::LoseCommit => Action::LoseCommits {
            count: random.random_range(1..4),
        },
        Card::Add => Action::AddMember,
        Card::Broker => Action::RestartBroker(End::Orderly),
        Card::BrokerKill => Action::RestartBroker(End::AtOnce),
        Card::PostgresFast => Action::RestartPostgres(End::Orderly),
        Card::PostgresImmediate => Action::RestartPostgres(End::AtOnce),
        Card::Cut => Action::CutConnections,
        Card::Copy => Action::TakeCopy,
        Card::PutBack => Action::PutBack,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::{Abilities, Action, draw, draw_with_archivers};

    const DISK: Abilities = Abilities { disk: true };

    fn kinds(seed: u64, seconds: u64, abilities: Abilities) -> BTreeSet<&'static str> {
        draw(seed, Duration::from_secs(seconds), abilities)
            .iter()
            .map(|planned| planned.action.kind())
            .collect()
    }

    #[test]
    fn a_seed_always_draws_the_same_schedule_and_another_seed_another() {
        let length = Duration::from_secs(300);
        assert_eq!(draw(7, length, DISK), draw(7, length, DISK));
        assert_ne!(draw(7, length, DISK), draw(8, length, DISK));
    }

    #[test]
    fn five_minutes_hold_every_kind_of_action() {
        for seed in 0..200 {
            assert_eq!(kinds(seed, 300, DISK).len(), 15, "seed {seed}");
        }
    }

    #[test]
    fn half_a_minute_holds_what_a_run_must_show() {
        for seed in 0..200 {
            let kinds = kinds(seed, 32, DISK);
            for kind in [
                "member_stopped_and_continued",
                "commit_replies_lost",
                "member_killed",
            ] {
                assert!(kinds.contains(kind), "seed {seed}: {kinds:?}");
            }
        }
    }

    #[test]
    fn the_database_is_put_back_only_after_a_copy_was_taken() {
        for seed in 0..200 {
            let mut copied = false;
            for planned in draw(seed, Duration::from_secs(600), DISK) {
                copied |= planned.action == Action::TakeCopy;
                assert!(planned.action != Action::PutBack || copied, "seed {seed}");
            }
        }
    }

    #[test]
    fn archivers_add_blows_and_change_none_of_the_others() {
        let length = Duration::from_secs(120);
        let mut with = draw_with_archivers(7, length, DISK);
        assert!(with.is_sorted_by_key(|planned| planned.at));
        let all = with.len();
        with.retain(|planned| !matches!(planned.action, Action::Archive(_)));
        assert_eq!(with, draw(7, length, DISK));
        assert!(all > with.len() + 10);
    }

    #[test]
    fn a_disk_that_cannot_be_filled_is_left_out() {
        assert!(!kinds(3, 600, Abilities { disk: false }).contains("disk_filled"));
    }
}
