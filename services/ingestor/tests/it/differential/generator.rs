//! Logs of random records: games as they are played, then bent: fields missing, doubled, of another kind or at the edge of their
//! limits, times and numbers written in every way, bytes cut and flipped.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::Record;

const KINDS: [&str; 9] = [
    "GameCreated",
    "MoveMade",
    "MovePlayed",
    "GameEnded",
    "GameResigned",
    "GameTimeout",
    "GameAborted",
    "movemade",
    "",
];
const PLAYERS: [&str; 5] = ["w", "b", "é", "p 3", "nobody"];
const TIMES: [&str; 30] = [
    "2026-03-01T10:00:00Z",
    "2026-03-01T10:00:00.5Z",
    "2026-03-01T10:00:00.123456789Z",
    "2026-03-01T10:00:00.9999999999Z",
    "2026-03-01T12:00:00+02:00",
    "2026-03-01T10:00:00-23:59",
    "2026-03-01t10:00:00z",
    "2026-03-01 10:00:00Z",
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "2099-12-31T23:59:59.999Z",
    "2100-01-01T00:00:00Z",
    "2100-01-01T01:00:00+02:00",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-02-29T00:00:00Z",
    "2028-02-29T00:00:00Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T10:60:00Z",
    "2026-06-30T23:59:60Z",
    "2026-03-01T10:00:61Z",
    "2026-03-01T10:00:00",
    "2026-03-01",
    "2026-3-1T10:00:00Z",
    "+2026-03-01T10:00:00Z",
    "2026-03-01T10:00:00.Z",
    "2026-03-01T10:00:00+0200",
    "2026-03-01T10:00:00+24:00",
    "2027-05-01T10:00:00Z",
    " 2026-03-01T10:00:00Z",
];
const NUMBERS: [&str; 24] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-0",
    "1.0",
    "1e0",
    "1E2",
    "0.5",
    "01",
    "+1",
    "4294967295",
    "4294967296",
    "-2147483648",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    "\"1\"",
    "null",
    "true",
    "NaN",
];
const TEXTS: [&str; 22] = [
    "\"\"",
    "\"x\"",
    "\"e2e4\"",
    "\"\\u0065\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\ude00\\ud83d\"",
    "\"\\u0000\"",
    "\"\\n\"",
    "\"\u{85}\"",
    "\"\u{7f}\"",
    "\"\\x\"",
    "\"\t\"",
    "\"ß-ü\"",
    "\"Rated\"",
    "\"a b\"",
    "\"win\"",
    "null",
    "1",
    "[]",
    "{}",
    "\"/\\/\\\"\\\\\"",
];
const JUNK: [&str; 12] = [
    "null",
    "true",
    "[1,2,[3]]",
    "{\"a\":{\"b\":[]}}",
    "1e5",
    "\"\\u12\"",
    "[1,]",
    "{\"a\":1,}",
    "{\"a\"}",
    "{a:1}",
    "//",
    "[[[[[[[[[]]]]]]]]]",
];

/// A member of an object: its name and its value, both as they stand in the text.
type Member = (String, String);

struct Generator {
    random: StdRng,
}

/// A log of so many records, decided by the seed alone.
pub(super) fn log(seed: u64, records: usize) -> Vec<Record> {
    let mut generator = Generator {
        random: StdRng::seed_from_u64(seed),
    };
    // A log leans to one kind of trouble, so that long clean games happen as well as storms.
    let trouble = *[0.01, 0.03, 0.1, 0.5]
        .choose(&mut generator.random)
        .unwrap();
    let games = generator.random.random_range(2..25);
    let mut plies = vec![0_u32; games];
    let mut log: Vec<Record> = Vec::with_capacity(records);
    while log.len() < records {
        if !log.is_empty() && generator.chance(0.04) {
            let again = generator.random.random_range(0..log.len());
            log.push(log[again].clone());
            continue;
        }
        let game = generator.random.random_range(0..games);
        let record = generator.record(game, &mut plies[game], trouble);
        log.push(record);
    }
    log
}

impl Generator {
    fn chance(&mut self, chance: f64) -> bool {
        self.random.random_bool(chance)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.choose(&mut self.random).unwrap()
    }

    fn record(&mut self, game: usize, ply: &mut u32, trouble: f64) -> Record {
        let id = format!("g-{game}");
        let troubled = self.chance(trouble);
        let kind = self.kind(*ply);
        let mut payload = self.payload(kind, ply);
        let time = if self.chance(trouble) {
            self.pick(&TIMES)
        } else {
            "2026-03-01T10:00:00Z"
        };
        let mut envelope = vec![
            member("eventId", &quoted("e-1")),
            member("eventType", &quoted(kind)),
            member("schemaVersion", "1"),
            member("gameId", &quoted(&id)),
            member("occurredAt", &quoted(time)),
        ];
        if self.chance(0.3) {
            let region = if troubled {
                self.pick(&TEXTS)
            } else {
                "\"eu\""
            };
            envelope.push(member("region", region));
        }
        if troubled {
            for _ in 0..self.random.random_range(1..3) {
                if self.chance(0.5) {
                    self.bend(&mut payload);
                } else {
                    self.bend(&mut envelope);
                }
            }
        }
        let payload = self.object(&payload);
        envelope.push(member("payload", &payload));
        if self.chance(0.1) {
            let at = self.random.random_range(0..envelope.len());
            let last = envelope.len() - 1;
            envelope.swap(at, last);
        }
        let mut value = self.object(&envelope).into_bytes();
        if troubled && self.chance(0.2) {
            self.damage(&mut value);
        }
        let key = match self.random.random_range(0..100) {
            0 => None,
            1 => Some(b"other".to_vec()),
            2 => Some(Vec::new()),
            _ => Some(id.into_bytes()),
        };
        let value = (!self.chance(0.002)).then_some(value);
        (key, value)
    }

    fn kind(&mut self, ply: u32) -> &'static str {
        match self.random.random_range(0..100) {
            0..60 if ply == 0 => "GameCreated",
            0..3 => "GameCreated",
            92..97 => self.pick(&KINDS[3..7]),
            97 => self.pick(&KINDS),
            _ if self.chance(0.1) => "MovePlayed",
            _ => "MoveMade",
        }
    }

    fn payload(&mut self, kind: &str, ply: &mut u32) -> Vec<Member> {
        match kind {
            "GameCreated" => {
                let seats = self.pick(&[1, 2, 2, 2, 2, 2, 3]);
                let players: Vec<String> = PLAYERS[..seats]
                    .iter()
                    .map(|id| {
                        format!(
                            "{{\"playerId\":{},\"role\":\"seat\",\"rating\":1500}}",
                            quoted(id)
                        )
                    })
                    .collect();
                let mode = self.pick(&["\"rated\"", "\"rated\"", "\"casual\""]);
                let mut members = vec![
                    member("mode", mode),
                    member("players", &format!("[{}]", players.join(","))),
                ];
                for name in [
                    "game",
                    "variant",
                    "timeControl",
                    "platform",
                    "tournament",
                    "startPosition",
                ] {
                    if self.chance(0.1) {
                        members.push(member(name, "\"chess\""));
                    }
                }
                members
            }
            "MoveMade" | "MovePlayed" | "movemade" => {
                let number = match self.random.random_range(0..40) {
                    0 => self.random.random_range(1..=*ply + 1),
                    1 => *ply + self.random.random_range(1..4),
                    2 => self.random.random_range(1..150),
                    _ => *ply + 1,
                };
                *ply = (*ply).max(number);
                let player = if self.chance(0.03) {
                    self.pick(&PLAYERS)
                } else {
                    self.pick(&PLAYERS[..1])
                };
                let text = self.pick(&["\"e2e4\"", "\"e2e4\"", "\"e2e4\"", "\"O-O\""]);
                let mut members = vec![
                    member("moveNumber", &number.to_string()),
                    member("playerId", &quoted(player)),
                    member("move", text),
                ];
                if self.chance(0.2) {
                    members.push(member("clockMs", "60000"));
                }
                members
            }
            _ => self.end(kind, *ply),
        }
    }

    fn end(&mut self, kind: &str, plies: u32) -> Vec<Member> {
        let mut members = Vec::new();
        let (one, other) = (self.pick(&PLAYERS[..3]), self.pick(&PLAYERS[..3]));
        match kind {
            "GameEnded" => {
                let result = self.pick(&["\"win\"", "\"win\"", "\"draw\"", "\"none\"", "\"loss\""]);
                members.push(member("result", result));
                members.push(member("termination", "\"checkmate\""));
                if result == "\"win\"" || self.chance(0.1) {
                    members.push(member("winner", &quoted(one)));
                }
            }
            "GameAborted" => {
                if self.chance(0.5) {
                    members.push(member("termination", "\"abandoned\""));
                }
            }
            _ => {
                members.push(member("playerId", &quoted(one)));
                if self.chance(0.3) {
                    members.push(member("winner", &quoted(other)));
                }
            }
        }
        if self.chance(0.3) {
            let count = self.pick(&[0, plies, plies + 1]);
            members.push(member("moveCount", &count.to_string()));
        }
        if self.chance(0.3) {
            let rating = format!("{{\"playerId\":{},\"rating\":1600}}", quoted(one));
            let ratings = self.pick(&[1_usize, 2, 16, 17]);
            members.push(member(
                "ratings",
                &format!("[{}]", vec![rating; ratings].join(",")),
            ));
        }
        if self.chance(0.3) {
            let opening = self.pick(&[
                "{\"code\":\"C50\"}",
                "{\"code\":\"C50\",\"name\":\"Italian\"}",
                "null",
                "[\"C50\"]",
            ]);
            members.push(member("opening", opening));
        }
        members
    }

    /// Makes one thing wrong, or at least unusual.
    fn bend(&mut self, members: &mut Vec<Member>) {
        if members.is_empty() {
            return;
        }
        let at = self.random.random_range(0..members.len());
        match self.random.random_range(0..9) {
            0 => drop(members.remove(at)),
            1 => members.push(members[at].clone()),
            2 => members[at].1 = self.pick(&NUMBERS).to_owned(),
            3 => members[at].1 = self.pick(&TEXTS).to_owned(),
            4 => members[at].1 = self.pick(&JUNK).to_owned(),
            5 => members[at].1 = quoted(self.pick(&TIMES)),
            6 => {
                let (length, letter) = (
                    self.pick(&[31_usize, 32, 33, 199, 200, 201]),
                    self.pick(&["x", "é", "\u{1f600}"]),
                );
                members[at].1 = quoted(&letter.repeat(length));
            }
            7 => members.push(member(
                self.pick(&["x", "payload", "gameid", "", "winner"]),
                self.pick(&JUNK),
            )),
            _ => {
                // The same name, written another way.
                let name = members[at].0.trim_matches('"').to_owned();
                if let Some(first) = name.bytes().next().filter(u8::is_ascii_alphabetic) {
                    members[at].0 = format!("\"\\u{:04x}{}\"", first, &name[1..]);
                }
            }
        }
    }

    fn object(&mut self, members: &[Member]) -> String {
        let space = if self.chance(0.05) {
            self.pick(&[" ", "\n\t", "\r", "\u{a0}", "\u{b}"])
        } else {
            ""
        };
        let members: Vec<String> = members
            .iter()
            .map(|(name, value)| format!("{space}{name}{space}:{space}{value}{space}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn damage(&mut self, value: &mut Vec<u8>) {
        let at = self.random.random_range(0..value.len());
        match self.random.random_range(0..5) {
            0 => value.truncate(at),
            1 => value[at] = self.random.random(),
            2 => value.insert(at, self.random.random()),
            3 => drop(value.remove(at)),
            _ => {
                let more = self.pick(&["\u{feff}", "x", "}", "{}", " ", "\0"]);
                if self.chance(0.5) {
                    value.extend(more.as_bytes());
                } else {
                    value.splice(0..0, more.bytes());
                }
            }
        }
    }
}

fn member(name: &str, value: &str) -> Member {
    (format!("\"{name}\""), value.to_owned())
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
