//! Walks of any list by any filter, forward and back, at any limit and with any budget, while games arrive.
//!
//! Straight on the store, where a budget can be small enough to be felt; `players.rs` and `feed.rs` walk over HTTP.

use chrono::{DateTime, Duration, Utc};
use domain::{GameId, PlayerId, PlayerResult, ShortText, Slug};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::read::{
    self, Budget, Edge, EverybodyPerspective, GameList, GameResult, Order, Perspective, Place,
    PlayerPerspective, Scope,
};
use store::{DatabaseConfig, Pool};
use test_support::TestDatabase;
use tokio_postgres::Client;

use crate::seed::{self, now};

/// A game between two of three players.
#[derive(Debug, Clone)]
struct Game {
    id: String,
    ended_at: DateTime<Utc>,
    white: usize,
    rated: bool,
    cup: bool,
    /// 0 white wins, 1 black wins, 2 drawn.
    outcome: u8,
}

const PLAYERS: [&str; 3] = ["ann", "ben", "cat"];

impl Game {
    fn players(&self) -> [&'static str; 2] {
        [PLAYERS[self.white], PLAYERS[(self.white + 1) % 3]]
    }

    fn result_of(&self, player: &str) -> &'static str {
        match (self.outcome, self.players()[0] == player) {
            (2, _) => "draw",
            (0, true) | (1, false) => "win",
            _ => "loss",
        }
    }

    fn place(&self) -> (DateTime<Utc>, &str) {
        (self.ended_at, &self.id)
    }
}

/// Writes games as the ingestor would, in two statements.
async fn insert(client: &Client, games: &[Game]) {
    if games.is_empty() {
        return;
    }
    let (mut whole, mut seats) = (Vec::new(), Vec::new());
    for game in games {
        let Game { id, ended_at, .. } = game;
        let at = ended_at.to_rfc3339();
        let mode = if game.rated { "rated" } else { "casual" };
        let cup = if game.cup { "'cup'" } else { "NULL" };
        let [white, black] = game.players();
        let result = if game.outcome == 2 { "draw" } else { "win" };
        let winner = match game.outcome {
            0 => format!("'{white}'"),
            1 => format!("'{black}'"),
            _ => "NULL".to_owned(),
        };
        let players = format!(
            r#"[{{"id":"{white}","role":"white","rating":1500,"ratingAfter":null,"result":"{}"}},{{"id":"{black}","role":"black","rating":null,"ratingAfter":null,"result":"{}"}}]"#,
            game.result_of(white),
            game.result_of(black)
        );
        whole.push(format!(
            "('{id}', '{at}', '{at}', 'chess', 'standard', '{mode}', {cup}, '{result}', {winner}, 'mate', 3, false, '{players}', '')"
        ));
        for (player, other, role) in [(white, black, "white"), (black, white, "black")] {
            seats.push(format!(
                "('{player}', '{id}', '{at}', '{at}', '{role}', '{}', ARRAY['{other}'], 'chess', 'standard', '{mode}', {cup}, 'mate', 3, false)",
                game.result_of(player)
            ));
        }
    }
    let statements = format!(
        "BEGIN; INSERT INTO games (game_id, ended_at, started_at, game, variant, mode, tournament, result, winner, \
         termination, move_count, incomplete, players, moves) VALUES {}; \
         INSERT INTO player_games (player_id, game_id, ended_at, started_at, role, result, opponents, game, variant, mode, \
         tournament, termination, move_count, incomplete) VALUES {}; COMMIT",
        whole.join(","),
        seats.join(",")
    );
    client.batch_execute(&statements).await.unwrap();
}

/// Minutes before the end of the time the games are in: many at the same one, some months apart.
fn minutes() -> impl Strategy<Value = i64> {
    let months = 5 * 30 * 24 * 60_i64;
    prop_oneof![0..3_i64, 0..months, (months - 2)..months]
}

fn games() -> impl Strategy<Value = Vec<(i64, usize, bool, bool, u8)>> {
    let game = (minutes(), 0..3_usize, any::<bool>(), any::<bool>(), 0..3_u8);
    prop::collection::vec(game, 0..40)
}

/// One of the filters, by its number, with what it keeps.
fn filter(list: &mut GameList, number: usize) -> fn(&Game) -> bool {
    let slug = |text: &str| Slug::parse(text).ok();
    let player = |text: &str| PlayerId::parse(text).unwrap();
    match (&mut list.filter.of, number % 6) {
        (_, 0) => return |_| true,
        (_, 1) => {
            list.filter.mode = slug("rated");
            return |game| game.rated;
        }
        (_, 2) => {
            list.filter.tournament = ShortText::parse("cup").ok();
            return |game| game.cup;
        }
        (_, 3) => {
            list.filter.mode = slug("blitz");
            return |_| false;
        }
        (Perspective::Player(asked), 4) => {
            asked.result = Some(PlayerResult::Win);
            list.filter.mode = slug("casual");
            return |game| !game.rated && game.result_of("ann") == "win";
        }
        (Perspective::Player(asked), _) => {
            *asked = PlayerPerspective {
                opponent: Some(player("cat")),
                ..PlayerPerspective::default()
            };
            return |game| game.players().contains(&"cat");
        }
        (Perspective::Everybody(asked), 4) => {
            *asked = EverybodyPerspective {
                players: vec![player("ann"), player("ben")],
                ..EverybodyPerspective::default()
            };
            return |game| game.players().contains(&"ann") && game.players().contains(&"ben");
        }
        (Perspective::Everybody(asked), _) => {
            asked.players = vec![player("cat")];
            asked.result = Some(GameResult::Draw);
            list.filter.tournament = ShortText::parse("cup").ok();
        }
    }
    |game| game.players().contains(&"cat") && game.outcome == 2 && game.cup
}

struct Walker {
    pool: Pool,
    client: Client,
    arrivals: std::cell::Cell<usize>,
}

impl Walker {
    /// Walks from an edge to the end of the list; a game arrives behind each page.
    async fn walk(&self, list: &GameList, mut from: Option<Edge>, limit: u32) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        loop {
            let found = {
                let mut connection = self.pool.get().await.unwrap();
                read::places(&mut connection, list, from.as_ref(), limit, Utc::now())
                    .await
                    .unwrap()
            };
            assert!(found.rows.len() <= limit as usize);
            pages.push(
                found
                    .rows
                    .iter()
                    .map(|place| place.game_id.to_string())
                    .collect(),
            );
            assert!(pages.len() < 1_000, "the walk does not end");
            let Some(more) = found.more else { return pages };
            self.arrive(&more.place).await;
            from = Some(more);
        }
    }

    /// A game arrives right where the walk is.
    async fn arrive(&self, place: &Place) {
        let number = self.arrivals.get();
        self.arrivals.set(number + 1);
        // Few enough, or a walk that goes their way would never end.
        if !number.is_multiple_of(3) {
            return;
        }
        let game = Game {
            id: format!("new-{number:05}"),
            ended_at: place.ended_at,
            white: number % 3,
            rated: number.is_multiple_of(2),
            cup: true,
            outcome: 0,
        };
        insert(&self.client, &[game]).await;
    }
}

fn place(ended_at: DateTime<Utc>) -> Place {
    Place {
        ended_at,
        game_id: GameId::parse("x").unwrap(),
    }
}

#[test]
fn a_walk_of_any_filter_forward_and_back_lists_every_game_once_while_games_arrive() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (walker, _database) = runtime.block_on(async {
        let database = TestDatabase::create().await;
        let client = seed::client(&database.url()).await;
        seed::months(&database.url(), now() - Duration::days(190), now()).await;
        let walker = Walker {
            pool: Pool::new(&DatabaseConfig::new(database.url())),
            client,
            arrivals: std::cell::Cell::new(0),
        };
        (walker, database)
    });
    let top = now() - Duration::minutes(5);
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let inputs = (games(), 0..6_usize, any::<[bool; 2]>(), 1..9_u32, 1..30_u32);
    let outcome = TestRunner::new(config).run(
        &inputs,
        |(games, number, [everybody, oldest], limit, budget)| {
            let games: Vec<Game> = games
                .into_iter()
                .enumerate()
                .map(|(i, (minutes, white, rated, cup, outcome))| Game {
                    id: format!("old-{i:03}"),
                    ended_at: top - Duration::minutes(minutes),
                    white,
                    rated,
                    cup,
                    outcome,
                })
                .collect();
            let mut list = GameList::of(match everybody {
                true => Scope::Everybody,
                false => Scope::Player(PlayerId::parse("ann").unwrap()),
            });
            let keeps = filter(&mut list, number);
            list.budget = Budget { games: budget };
            list.order = if oldest {
                Order::OldestFirst
            } else {
                Order::NewestFirst
            };
            let mut expected: Vec<&Game> = games
                .iter()
                .filter(|game| keeps(game) && (everybody || game.players().contains(&"ann")))
                .collect();
            expected.sort_by(|a, b| a.place().cmp(&b.place()));
            if !oldest {
                expected.reverse();
            }
            let expected: Vec<&str> = expected.iter().map(|game| game.id.as_str()).collect();
            runtime.block_on(async {
                let wipe = "TRUNCATE games, player_games";
                walker.client.batch_execute(wipe).await.unwrap();
                insert(&walker.client, &games).await;
                let forward = walker.walk(&list, None, limit).await.concat();
                check(&forward, &expected)?;
                let far = if oldest {
                    top + Duration::days(9)
                } else {
                    top - Duration::days(180)
                };
                let mut pages = walker
                    .walk(&list, Some(Edge::before(place(far))), limit)
                    .await;
                pages.reverse();
                check(&pages.concat(), &expected)
            })
        },
    );
    outcome.unwrap();
}

/// Every old game once, in order, and no game twice.
fn check(seen: &[String], expected: &[&str]) -> Result<(), TestCaseError> {
    let mut once = seen.to_vec();
    once.sort_unstable();
    once.dedup();
    prop_assert_eq!(
        once.len(),
        seen.len(),
        "a game was listed twice: {:?}",
        seen
    );
    let old: Vec<&str> = seen
        .iter()
        .map(String::as_str)
        .filter(|id| id.starts_with("old"))
        .collect();
    prop_assert_eq!(&old[..], expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_widest_game_that_the_contract_allows_fits_the_index() {
    let database = TestDatabase::create().await;
    let client = seed::client(&database.url()).await;
    seed::months(&database.url(), now(), now()).await;
    // Four bytes a character and nothing to compress.
    let wide = |count: u32, seed: u32| -> String {
        (0..count)
            .map(|i| char::from_u32(0x1_0000 + (i * 7_919 + seed * 104_729) % 0xf_0000).unwrap())
            .collect()
    };
    let slug = "abcdefghijklmnopqrstuvwxyz012345";
    client
        .execute(
            "INSERT INTO player_games (player_id, game_id, ended_at, started_at, role, result, opponents, opponent_rating, \
             rating, rating_after, game, variant, mode, time_control, region, tournament, termination, opening_code, \
             opening_name, move_count, incomplete) VALUES ($1, $2, now(), now(), $3, 'loss', ARRAY[$1], 1, 1, 1, $3, $3, $3, $4, \
             $3, $5, $3, $6, $5, 1, false)",
            &[&wide(100, 1), &wide(100, 2), &slug, &wide(200, 3), &wide(200, 4), &wide(200, 5)],
        )
        .await
        .unwrap();
    client
        .execute(
            "INSERT INTO games (game_id, ended_at, started_at, game, variant, mode, tournament, result, termination, move_count, \
             incomplete, players, moves) VALUES ($1, now(), now(), $2, $2, $2, $3, 'draw', $2, 1, false, '[]', '')",
            &[&wide(100, 2), &slug, &wide(200, 4)],
        )
        .await
        .unwrap();
}
