//! Rows put into the tables by SQL, as the ingestor would.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, DurationRound as _, Utc};
use domain::{
    Action, EventTime, LiveGame, MoveRef, NewGame, NewPlayer, PackedMoves, PlayerId, ShortText,
    Slug,
};
use serde_json::json;
use store::partitions::{self, Month};
use store::{DatabaseConfig, connect};
use tokio_postgres::{Client, NoTls};

/// A finished game between two players; the first one has white and wins.
#[derive(Debug, Clone)]
pub(crate) struct Seeded {
    pub(crate) id: String,
    pub(crate) ended_at: DateTime<Utc>,
    pub(crate) players: [String; 2],
    pub(crate) mode: &'static str,
    pub(crate) game: &'static str,
    pub(crate) moves: Vec<&'static str>,
    pub(crate) incomplete: bool,
}

impl Seeded {
    /// A game with the fool's mate.
    pub(crate) fn new(id: &str, ended_at: DateTime<Utc>) -> Self {
        Self {
            id: id.to_owned(),
            ended_at,
            players: ["alice".to_owned(), "bob".to_owned()],
            mode: "rated",
            game: "chess",
            moves: vec!["f2f3", "e7e5", "g2g4", "d8h4"],
            incomplete: false,
        }
    }

    fn started_at(&self) -> DateTime<Utc> {
        self.ended_at - Duration::seconds(60)
    }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Now, in whole milliseconds as events have them.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
        .duration_trunc(Duration::milliseconds(1))
        .unwrap()
}

pub(crate) async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Writes finished games, partitions included.
pub(crate) async fn finished(url: &str, games: &[Seeded]) {
    let months: BTreeSet<Month> = games
        .iter()
        .map(|g| Month::of_datetime(g.ended_at))
        .collect();
    let mut session = connect::establish(&DatabaseConfig::new(url)).await.unwrap();
    partitions::ensure(&mut session, &months).await.unwrap();
    let client = client(url).await;
    for game in games {
        insert(&client, game).await;
    }
}

async fn insert(client: &Client, game: &Seeded) {
    let (started_at, move_count) = (game.started_at(), i32::try_from(game.moves.len()).unwrap());
    let [white, black] = &game.players;
    client
        .execute(
            "INSERT INTO game_directory (game_id, ended_at, \"end\", topic_id, partition, end_offset) \
             VALUES ($1, $2::text::timestamptz, 'won checkmate', 't', 0, 1)",
            &[&game.id, &game.ended_at.to_rfc3339()],
        )
        .await
        .unwrap();
    let players = json!([
        {"id": white, "role": "white", "rating": 2850, "ratingAfter": 2853, "result": "win"},
        {"id": black, "role": "black", "rating": 2801, "ratingAfter": null, "result": "loss"},
    ]);
    client
        .execute(
            "INSERT INTO games (game_id, ended_at, started_at, game, variant, mode, time_control, region, platform, \
             result, winner, termination, opening_code, opening_name, move_count, incomplete, players, moves, written_at) \
             VALUES ($1, $2::text::timestamptz, $3::text::timestamptz, $4, 'standard', $5, '180+1', 'eu', 'web', 'win', $6, 'checkmate', 'A00', \
             'Barnes Opening', $7, $8, $9::text::jsonb, $10, '2026-11-21T12:00:00.5Z')",
            &[
                &game.id, &game.ended_at.to_rfc3339(), &started_at.to_rfc3339(), &game.game, &game.mode, white,
                &move_count, &game.incomplete, &players.to_string(), &packed(game),
            ],
        )
        .await
        .unwrap();
    for (player, opponent, role, result) in [
        (white, black, "white", "win"),
        (black, white, "black", "loss"),
    ] {
        client
            .execute(
                "INSERT INTO player_games (player_id, ended_at, game_id, started_at, role, result, opponents, \
                 opponent_rating, rating, rating_after, game, variant, mode, time_control, region, termination, \
                 opening_code, opening_name, move_count, incomplete) \
                 VALUES ($1, $2::text::timestamptz, $3, $4::text::timestamptz, $5, $6, ARRAY[$7], 2801, 2850, 2853, $8, 'standard', $9, '180+1', 'eu', \
                 'checkmate', 'A00', NULL, $10, $11)",
                &[
                    player, &game.ended_at.to_rfc3339(), &game.id, &started_at.to_rfc3339(), &role, &result, opponent,
                    &game.game, &game.mode, &move_count, &game.incomplete,
                ],
            )
            .await
            .unwrap();
    }
}

fn packed(game: &Seeded) -> Vec<u8> {
    let started_at = EventTime::from_datetime(game.started_at()).unwrap();
    let (mut moves, mut last) = (PackedMoves::default(), (0, started_at));
    for (ply, text) in (1_u32..).zip(&game.moves) {
        let at = EventTime::from_ms(started_at.as_ms() + i64::from(ply) * 1_500).unwrap();
        moves.push(
            last,
            MoveRef {
                ply,
                player: u8::from(ply % 2 == 0),
                text,
                clock_ms: Some(180_000_u64.saturating_sub(u64::from(ply) * 700)),
                at,
            },
        );
        last = (ply, at);
    }
    moves.into_bytes()
}

/// Writes a live game between alice and bob after these moves, one every two seconds.
pub(crate) async fn live(url: &str, id: &str, started_at: DateTime<Utc>, moves: &[&str]) {
    let player = |id: &str, role: &str| NewPlayer {
        id: PlayerId::parse(id).unwrap(),
        role: Slug::parse(role).unwrap(),
        rating: Some(1500),
    };
    let slug = |text: &str| Slug::parse(text).unwrap();
    let created = NewGame {
        players: vec![player("alice", "white"), player("bob", "black")],
        game: slug("chess"),
        variant: slug("standard"),
        mode: slug("casual"),
        time_control: Some(ShortText::parse("180+1").unwrap()),
        region: None,
        platform: None,
        tournament: None,
        start_position: None,
    };
    let started_at = EventTime::from_datetime(started_at).unwrap();
    let mut game = LiveGame::begin(&created, started_at);
    for (ply, text) in (1_u32..).zip(moves) {
        let action = Action::Move {
            ply,
            player_id: ["bob", "alice"][usize::from(ply % 2 == 1)].into(),
            text: (*text).into(),
            clock_ms: None,
        };
        let at = EventTime::from_ms(started_at.as_ms() + i64::from(ply) * 2_000).unwrap();
        game.apply(id, at, &action).unwrap();
    }
    client(url)
        .await
        .execute(
            "INSERT INTO live_games (partition, game_id, as_of_offset, state) VALUES (3, $1, 4711, $2)",
            &[&id, &game.encode()],
        )
        .await
        .unwrap();
}

/// Makes the partitions of every month from one time to another.
pub(crate) async fn months(url: &str, from: DateTime<Utc>, to: DateTime<Utc>) {
    let mut months = BTreeSet::new();
    let (mut month, last) = (Month::of_datetime(from), Month::of_datetime(to));
    while month <= last {
        months.insert(month);
        month = month.next();
    }
    let mut session = connect::establish(&DatabaseConfig::new(url)).await.unwrap();
    partitions::ensure(&mut session, &months).await.unwrap();
}
