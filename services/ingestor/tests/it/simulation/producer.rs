//! Makes the records of one partition: games whose events are lost, repeated, contradicted, reordered, re-sent and begun again,
//! among records that are no events at all.

use std::sync::Arc;

use super::bytes::Envelope;
use super::random::Random;
use super::script::{Beginning, Ending, Entry, Event, Outcome, Says, Seat, What};

const PLAYERS: [&str; 3] = ["ann", "bob", "cem"];
const MOVES: [&str; 5] = ["e2e4", "g1f3", "e7e8q", "P@f7", "12-16"];
const BEGAN_MS: i64 = 1_763_719_200_000;
const DAY_MS: i64 = 86_400_000;
/// As many moves as a game may hold that wait for a missing one.
const HELD: u32 = 64;

/// The records of a partition.
pub(crate) fn partition(random: &mut Random, partition: usize, first_offset: i64) -> Vec<Entry> {
    let most = random.pick(&[2, 2, 6, 6, 6]);
    let games = 1 + random.below(most);
    let mut queues: Vec<Vec<Event>> = (0..games)
        .map(|game| game_events(random, &format!("g{partition}{game}")))
        .collect();
    let rubbish = random.pick(&[0, 3, 10]);
    let mut offset = first_offset;
    let mut entries = Vec::new();
    while queues.iter().any(|queue| !queue.is_empty()) {
        let queue = random.below(queues.len());
        if queues[queue].is_empty() {
            continue;
        }
        for _ in 0..=random.below(3) {
            if let Some(event) = (!queues[queue].is_empty()).then(|| queues[queue].remove(0)) {
                if random.chance(rubbish) {
                    run_of_rubbish(random, &event, &mut offset, &mut entries);
                }
                let value = Envelope::of(&event, random).json();
                let key = event.game.as_bytes().to_vec();
                push(
                    random,
                    &mut offset,
                    &mut entries,
                    Some(key),
                    Some(value),
                    Says::Event(event),
                );
            }
        }
    }
    entries
}

fn push(
    random: &mut Random,
    offset: &mut i64,
    entries: &mut Vec<Entry>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    says: Says,
) {
    if random.chance(4) {
        *offset += random.range(1, 5);
    }
    entries.push(Entry {
        offset: *offset,
        key,
        value,
        says,
    });
    *offset += 1;
}

/// A game's events as they stand in the log.
fn game_events(random: &mut Random, id: &str) -> Vec<Event> {
    let mut game = Game::new(random, id);
    let mut events = game.script(random);
    if random.chance(30) {
        spoil_order(random, &mut events);
    }
    if random.chance(35) && !events.is_empty() {
        // A producer starts again and sends a run a second time.
        let from = random.below(events.len());
        let to = (from + 1 + random.below(4)).min(events.len());
        events.extend_from_within(from..to);
        if random.chance(50) {
            let whole = 1 + random.below(events.len().min(3));
            events.extend_from_within(..whole);
        }
    }
    events
}

fn spoil_order(random: &mut Random, events: &mut Vec<Event>) {
    for _ in 0..=random.below(2) {
        if events.len() > 1 {
            let from = random.below(events.len());
            let event = events.remove(from);
            let by = random.range(-2, 3);
            let to = (i64::try_from(from).unwrap_or(0) + by)
                .clamp(0, i64::try_from(events.len()).unwrap_or(0));
            events.insert(usize::try_from(to).unwrap_or(0), event);
        }
    }
}

struct Game {
    id: Arc<str>,
    players: Vec<Seat>,
    at_ms: i64,
}

impl Game {
    fn new(random: &mut Random, id: &str) -> Self {
        let count = random.pick(&[2, 2, 2, 2, 1, 3]);
        let players = PLAYERS
            .iter()
            .zip(["white", "black", "red"])
            .take(count)
            .map(|(id, role)| Seat {
                id,
                role,
                rating: random.chance(50).then(|| 1500 + seat_rating(random)),
            });
        let players = players.collect();
        let at_ms = BEGAN_MS + random.range(0, 40 * DAY_MS);
        Self {
            id: id.into(),
            players,
            at_ms,
        }
    }

    fn event(&mut self, random: &mut Random, what: What) -> Event {
        // Producers' clocks jump back now and then.
        self.at_ms += random.range(-200, 3_000);
        Event {
            game: self.id.clone(),
            at_ms: self.at_ms,
            what,
        }
    }

    fn beginning(&self, random: &mut Random) -> What {
        What::Create(Beginning {
            mode: random.pick(&["rated", "rated", "casual"]),
            time_control: random.pick(&[None, Some("180+1")]),
            region: random.pick(&[None, Some("eu")]),
            players: self.players.clone(),
        })
    }

    fn mover(&self, ply: u32) -> &'static str {
        self.players[(ply as usize - 1) % self.players.len()].id
    }

    fn ply(&self, random: &mut Random, ply: u32) -> What {
        What::Move {
            ply,
            player: self.mover(ply),
            text: random.pick(&MOVES),
            clock_ms: random
                .chance(60)
                .then(|| random.range(0, 180_000).unsigned_abs()),
        }
    }

    fn ending(&self, random: &mut Random, plies: u32) -> What {
        let player = self.players[random.below(self.players.len())].id;
        let (outcome, termination) = match random.below(8) {
            0..2 => (Outcome::Win(player), random.pick(&["checkmate", "variant"])),
            2..4 => (Outcome::Draw, random.pick(&["stalemate", "agreement"])),
            4 => (Outcome::NoResult, "cancelled"),
            5 => (self.lost(player, random, true), ""),
            6 => (self.lost(player, random, false), ""),
            _ => (Outcome::Aborted, random.pick(&["aborted", "abandoned"])),
        };
        let rated = random.chance(40);
        What::End(Ending {
            outcome,
            termination,
            ratings: if rated {
                vec![(player, 1500 + seat_rating(random))]
            } else {
                Vec::new()
            },
            move_count: random.chance(30).then_some(plies),
            opening: random.chance(20).then_some(("C42", "Petrov's Defense")),
        })
    }

    /// Resigned or out of time; with a named winner where more than two play, and sometimes where not.
    fn lost(&self, player: &'static str, random: &mut Random, resigned: bool) -> Outcome {
        let other = self
            .players
            .iter()
            .map(|seat| seat.id)
            .find(|id| *id != player);
        let named = random.chance(if self.players.len() > 2 { 80 } else { 20 });
        let winner = if named { other } else { None };
        if resigned {
            Outcome::Resigned { player, winner }
        } else {
            Outcome::TimedOut { player, winner }
        }
    }

    fn script(&mut self, random: &mut Random) -> Vec<Event> {
        if random.rarely(15) {
            return self.overflowing(random);
        }
        let plies = u32::try_from(random.below(13)).unwrap_or(0);
        let mut steps = vec![self.beginning(random)];
        steps.extend((1..=plies).map(|ply| self.ply(random, ply)));
        if random.chance(80) {
            steps.push(self.ending(random, plies));
        }
        let mut events = Vec::new();
        for step in steps {
            if random.chance(4) {
                continue; // Lost at the producer.
            }
            let event = self.event(random, step);
            events.push(event.clone());
            if let Some(echo) = self.echo(random, &event, plies) {
                events.push(echo);
            }
        }
        if random.chance(15) {
            let (again, ply) = (self.beginning(random), self.ply(random, plies + 1));
            events.push(self.event(random, again));
            events.push(self.event(random, ply));
        }
        events
    }

    /// Something after an event that repeats it, contradicts it or can't be.
    fn echo(&mut self, random: &mut Random, event: &Event, plies: u32) -> Option<Event> {
        let what = match (random.below(100), &event.what) {
            (0..8, _) => return Some(event.clone()),
            (
                8..12,
                What::Move {
                    ply, player, text, ..
                },
            ) => What::Move {
                ply: *ply,
                player,
                text,
                clock_ms: Some(7),
            },
            (12..16, What::Move { ply, .. }) => self.ply(random, *ply),
            (16..18, What::Move { ply, .. }) => self.ply(random, ply + 1),
            (18..20, What::Move { ply, text, .. }) => What::Move {
                ply: *ply,
                player: self.players[random.below(self.players.len())].id,
                text,
                clock_ms: None,
            },
            (20..22, What::Move { ply, .. }) => What::Move {
                ply: ply + u32::from(random.chance(50)),
                player: "nobody",
                text: "e2e4",
                clock_ms: None,
            },
            (8..14, What::Create(_)) => self.beginning(random),
            (14..18, What::Create(_)) => return Some(self.impossible_end(random)),
            (8..25, What::End(_)) => self.ending(random, plies),
            (25..29, What::End(end)) => What::End(Ending {
                ratings: Vec::new(),
                move_count: Some(1),
                ..end.clone()
            }),
            _ => return None,
        };
        Some(self.event(random, what))
    }

    fn impossible_end(&mut self, random: &mut Random) -> Event {
        let draw = Ending {
            outcome: Outcome::Draw,
            termination: "agreement",
            ratings: Vec::new(),
            move_count: None,
            opening: None,
        };
        let (shift_ms, ending) = match random.below(4) {
            0 => (-10 * DAY_MS, draw),
            1 => (401 * DAY_MS, draw),
            2 => (
                1_000,
                Ending {
                    outcome: Outcome::Win("nobody"),
                    ..draw
                },
            ),
            _ => (
                1_000,
                Ending {
                    ratings: vec![("nobody", 1)],
                    ..draw
                },
            ),
        };
        Event {
            at_ms: self.at_ms + shift_ms,
            ..self.event(random, What::End(ending))
        }
    }

    /// More moves ahead of a missing one than a game may hold.
    fn overflowing(&mut self, random: &mut Random) -> Vec<Event> {
        let last = HELD + 3 + u32::try_from(random.below(4)).unwrap_or(0);
        let mut steps = vec![self.beginning(random)];
        steps.extend((2..=last).map(|ply| self.ply(random, ply)));
        if random.chance(70) {
            steps.push(self.ply(random, 1));
            steps.extend((last - 2..=last + 1).map(|ply| self.ply(random, ply)));
        }
        if random.chance(60) {
            steps.push(self.ending(random, last));
        }
        steps
            .into_iter()
            .map(|step| self.event(random, step))
            .collect()
    }
}

fn seat_rating(random: &mut Random) -> i32 {
    i32::try_from(random.below(900)).unwrap_or(0)
}

/// One or several records in a row that no fold can take.
fn run_of_rubbish(random: &mut Random, near: &Event, offset: &mut i64, entries: &mut Vec<Entry>) {
    let unreadable = random.chance(60);
    let length = if unreadable && random.chance(15) {
        2 + random.below(9)
    } else {
        1
    };
    for _ in 0..length {
        let (key, value, reason, named) = if unreadable {
            unreadable_record(random, near)
        } else {
            misfit(random, near)
        };
        let game = named.then(|| near.game.clone());
        push(
            random,
            offset,
            entries,
            key,
            value,
            Says::Refused { reason, game },
        );
    }
}

type Rubbish = (Option<Vec<u8>>, Option<Vec<u8>>, &'static str, bool);

/// What a newer build might read. The last part tells whether the game can be read from it.
fn unreadable_record(random: &mut Random, near: &Event) -> Rubbish {
    let mut envelope = Envelope::of(near, random);
    let key = Some(near.game.as_bytes().to_vec());
    match random.below(8) {
        0 => (key, None, "undecodable", false),
        1 => (None, Some(b"not json".to_vec()), "undecodable", false),
        2 => {
            let mut json = envelope.json();
            json.truncate(json.len() - 1);
            (key, Some(json), "undecodable", false)
        }
        3 => (key, Some(b"[]".to_vec()), "undecodable", false),
        4 => {
            envelope.payload = "{\"moveNumber\":\"one\"}".into();
            envelope.kind = "MoveMade".into();
            (key, Some(envelope.json()), "undecodable", true)
        }
        5 => {
            envelope.at = "yesterday".into();
            (key, Some(envelope.json()), "undecodable", false)
        }
        6 => {
            envelope.version = 2;
            (key, Some(envelope.json()), "unsupported", true)
        }
        _ => {
            envelope.kind = "GamePaused".into();
            (key, Some(envelope.json()), "unsupported", true)
        }
    }
}

/// What can be read and is outside the contract all the same.
fn misfit(random: &mut Random, near: &Event) -> Rubbish {
    let mut envelope = Envelope::of(near, random);
    let key = Some(near.game.as_bytes().to_vec());
    match random.below(6) {
        0 => (None, Some(envelope.json()), "key_mismatch", true),
        1 => (
            Some(b"other".to_vec()),
            Some(envelope.json()),
            "key_mismatch",
            true,
        ),
        2 => {
            envelope.kind = "MoveMade".into();
            envelope.payload = "{\"moveNumber\":0,\"playerId\":\"ann\",\"move\":\"e2e4\"}".into();
            (key, Some(envelope.json()), "invalid", true)
        }
        3 => {
            envelope.at = "2100-01-01T00:00:00Z".into();
            (key, Some(envelope.json()), "invalid", true)
        }
        4 => {
            envelope.event_id = String::new();
            (key, Some(envelope.json()), "invalid", true)
        }
        _ => {
            envelope.kind = "GameEnded".into();
            envelope.payload = "{\"result\":\"win\",\"termination\":\"checkmate\"}".into();
            (key, Some(envelope.json()), "invalid", true)
        }
    }
}
