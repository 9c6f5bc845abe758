//! Records that no reader can apply, each with the reason under which it has to be set aside.
//!
//! They are written by hand rather than encoded: the encoder refuses them. A test holds every one against the contract.

use domain::Reason;
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;

/// A live game for the poison to be about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) game_id: &'a str,
    /// One of its players.
    pub(super) player: &'a str,
    pub(super) started_ms: i64,
    pub(super) now_ms: i64,
}

type Bytes = Option<Vec<u8>>;

/// One kind of poison.
pub(super) struct Poison {
    pub(super) name: &'static str,
    pub(super) expected: Reason,
    /// Key and value.
    pub(super) make: fn(&Scene<'_>, &mut ChaCha8Rng) -> (Bytes, Bytes),
}

/// Everything that has ever been found on such a topic, and some more.
pub(super) const CORPUS: [Poison; 30] = [
    poison("garbage", Reason::Undecodable, |s, rng| {
        let mut bytes = vec![0; 40];
        rng.fill_bytes(&mut bytes);
        bytes[0] = 0xff;
        keyed(s, bytes)
    }),
    poison("empty value", Reason::Undecodable, |s, _| keyed(s, "")),
    poison("null value", Reason::Undecodable, |s, _| {
        (Some(s.game_id.into()), None)
    }),
    poison("truncated", Reason::Undecodable, |s, rng| {
        let whole = a_move(s, "1", "e2e4");
        let length = rng.random_range(1..whole.len());
        keyed(s, whole.get(..length).unwrap_or_default())
    }),
    poison("not an object", Reason::Undecodable, |s, _| {
        keyed(s, "[1,2,3]")
    }),
    poison("deep nesting", Reason::Undecodable, |s, _| {
        keyed(s, "[".repeat(50_000))
    }),
    poison("byte order mark", Reason::Undecodable, |s, _| {
        keyed(s, format!("\u{feff}{}", a_move(s, "1", "e2e4")))
    }),
    poison("not UTF-8", Reason::Undecodable, |s, _| {
        let text = a_move(s, "1", "e2e4").replace("e2e4", "\u{1a}\u{1a}");
        keyed(
            s,
            text.bytes()
                .map(|b| if b == 0x1a { 0xfe } else { b })
                .collect::<Vec<u8>>(),
        )
    }),
    poison("half a surrogate pair", Reason::Undecodable, |s, _| {
        keyed(s, a_move(s, "1", "\\ud800"))
    }),
    poison("field twice", Reason::Undecodable, |s, _| {
        keyed(
            s,
            a_move(s, "1", "e2e4").replacen('{', "{\"gameId\":\"x\",", 1),
        )
    }),
    poison("version is text", Reason::Undecodable, |s, _| {
        keyed(
            s,
            a_move(s, "1", "e2e4").replace("\"schemaVersion\":1", "\"schemaVersion\":\"one\""),
        )
    }),
    poison("move number is text", Reason::Undecodable, |s, _| {
        keyed(s, a_move(s, "\"seven\"", "e2e4"))
    }),
    poison("no payload", Reason::Undecodable, |s, _| {
        keyed(
            s,
            a_move(s, "1", "e2e4").replace("\"payload\"", "\"paylaod\""),
        )
    }),
    poison("no player", Reason::Undecodable, |s, _| {
        keyed(
            s,
            a_move(s, "1", "e2e4").replace("\"playerId\"", "\"player\""),
        )
    }),
    poison("time is no time", Reason::Undecodable, |s, _| {
        keyed(s, event(s.game_id, "noon", "MoveMade", "{}"))
    }),
    poison("unknown type", Reason::Unsupported, |s, _| {
        keyed(s, at_now(s, "GamePaused", "{}"))
    }),
    poison("unknown version", Reason::Unsupported, |s, _| {
        keyed(
            s,
            a_move(s, "1", "e2e4").replace("\"schemaVersion\":1", "\"schemaVersion\":2"),
        )
    }),
    poison("null key", Reason::KeyMismatch, |s, _| {
        (None, Some(a_move(s, "1", "e2e4").into()))
    }),
    poison("other key", Reason::KeyMismatch, |s, _| {
        (
            Some(format!("{}-other", s.game_id).into()),
            Some(a_move(s, "1", "e2e4").into()),
        )
    }),
    poison("NUL in the game's id", Reason::Invalid, |s, _| {
        let (key, id) = (
            format!("{}\0x", s.game_id),
            format!("{}\\u0000x", s.game_id),
        );
        (
            Some(key.into()),
            Some(event(&id, &time(s.now_ms), "MoveMade", &payload(s, "1", "e2e4")).into()),
        )
    }),
    poison("NUL in the move", Reason::Invalid, |s, _| {
        keyed(s, a_move(s, "1", "e2\\u0000e4"))
    }),
    poison("year 9999", Reason::Invalid, |s, _| {
        keyed(
            s,
            event(
                s.game_id,
                "9999-12-31T23:59:59Z",
                "MoveMade",
                &payload(s, "1", "e2e4"),
            ),
        )
    }),
    poison("year 1", Reason::Invalid, |s, _| {
        keyed(
            s,
            event(s.game_id, "0001-01-01T00:00:00Z", "GameAborted", "{}"),
        )
    }),
    poison("huge move", Reason::Invalid, |s, _| {
        keyed(s, a_move(s, "1", &"x".repeat(100_000)))
    }),
    poison("ply 0", Reason::Invalid, |s, _| {
        keyed(s, a_move(s, "0", "e2e4"))
    }),
    poison("ply below 0", Reason::Invalid, |s, _| {
        keyed(s, a_move(s, "-1", "e2e4"))
    }),
    poison("winner of a draw", Reason::Invalid, |s, _| {
        let payload = format!(
            "{{\"result\":\"draw\",\"winner\":\"{}\",\"termination\":\"agreement\"}}",
            s.player
        );
        keyed(s, at_now(s, "GameEnded", &payload))
    }),
    poison("move of a stranger", Reason::Invalid, |s, _| {
        let stranger = Scene {
            player: "nobody-of-this-game",
            ..*s
        };
        keyed(s, a_move(&stranger, "1", "e2e4"))
    }),
    poison("end before its create", Reason::Invalid, |s, _| {
        let before = time(s.started_ms - 86_400_000);
        keyed(
            s,
            event(
                s.game_id,
                &before,
                "GameResigned",
                &format!("{{\"playerId\":\"{}\"}}", s.player),
            ),
        )
    }),
    poison("game that nobody created", Reason::Orphan, |s, rng| {
        let id = format!("{}-{}", s.game_id, rng.random_range(0..1_000_000));
        let value = event(&id, &time(s.now_ms), "MoveMade", &payload(s, "1", "e2e4"));
        (Some(id.into()), Some(value.into()))
    }),
];

const fn poison(
    name: &'static str,
    expected: Reason,
    make: fn(&Scene<'_>, &mut ChaCha8Rng) -> (Bytes, Bytes),
) -> Poison {
    Poison {
        name,
        expected,
        make,
    }
}

fn keyed(scene: &Scene<'_>, value: impl Into<Vec<u8>>) -> (Bytes, Bytes) {
    (Some(scene.game_id.into()), Some(value.into()))
}

fn time(at_ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn payload(scene: &Scene<'_>, ply: &str, text: &str) -> String {
    format!(
        "{{\"moveNumber\":{ply},\"playerId\":\"{}\",\"move\":\"{text}\"}}",
        scene.player
    )
}

fn a_move(scene: &Scene<'_>, ply: &str, text: &str) -> String {
    at_now(scene, "MoveMade", &payload(scene, ply, text))
}

fn at_now(scene: &Scene<'_>, kind: &str, payload: &str) -> String {
    event(scene.game_id, &time(scene.now_ms), kind, payload)
}

fn event(game_id: &str, at: &str, kind: &str, payload: &str) -> String {
    format!(
        "{{\"eventId\":\"poison\",\"eventType\":\"{kind}\",\"schemaVersion\":1,\"gameId\":\"{game_id}\",\"occurredAt\":\"{at}\",\
         \"payload\":{payload}}}"
    )
}
