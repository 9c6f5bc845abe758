//! What is asked of the API: each route with how many connections ask, and what is aimed for.

use std::net::SocketAddr;

use anyhow::Context;

use super::client::Client;
use super::hot_set::HotSet;
use super::load::Targets;

/// Connections for what a person or a program does in passing.
const FEW_TO_MANY: [usize; 3] = [1, 32, 256];
/// Connections for what takes so long that 32 of them would only measure the queue before two cores.
const FEW: [usize; 2] = [1, 4];
/// Games that are asked for again and again.
const HOT_GAMES: u64 = 500;
/// Players whose 50th page is asked for; their cursors are found beforehand.
const PAGED_PLAYERS: u64 = 50;

/// Whether the API may keep games in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Off,
    On,
}

impl Cache {
    /// The API's settings for it: as it comes, or none at all.
    pub(super) fn settings(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Off => vec![("QUERY_API__CACHE__BYTES", "0".to_owned())],
            Self::On => Vec::new(),
        }
    }
}

/// How soon an answer shall come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Aim {
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
}

/// Ours, at 32 connections.
const QUICK: Aim = Aim {
    p95_ms: 10.0,
    p99_ms: 20.0,
};
/// The product's, at all times.
pub(super) const PRODUCT: Aim = Aim {
    p95_ms: 50.0,
    p99_ms: 100.0,
};

/// One kind of request.
#[derive(Debug)]
pub(super) struct Route {
    /// What its figures' names begin with.
    pub(super) name: &'static str,
    /// In words.
    pub(super) title: &'static str,
    pub(super) targets: Targets,
    pub(super) connections: &'static [usize],
    /// The number of connections that the aim is about.
    pub(super) main: usize,
    pub(super) aim: Aim,
}

impl Route {
    fn new(
        name: &'static str,
        title: &'static str,
        target: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            title,
            targets: Targets::new(target),
            connections: &FEW_TO_MANY,
            main: 32,
            aim: QUICK,
        }
    }

    fn heavy(self) -> Self {
        Self {
            connections: &FEW,
            main: 1,
            aim: PRODUCT,
            ..self
        }
    }
}

/// Spreads numbers over a set: a step that is prime and so shares no factor with its size.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(1_000_003) >> 1
}

/// A game by its id, each asked for once.
pub(super) fn get_game(set: HotSet, cache: Cache) -> Route {
    let (name, title) = match cache {
        Cache::Off => ("get_game", "a game, cache off"),
        Cache::On => ("get_game_miss", "a game the cache does not have"),
    };
    Route::new(name, title, move |number| {
        format!("/v1/games/{}", set.game_id(number.wrapping_mul(1_000_003)))
    })
}

/// A game by its id, few of them again and again.
pub(super) fn get_game_hit(set: HotSet) -> Route {
    Route::new("get_game_hit", "a game the cache has", move |number| {
        format!("/v1/games/{}", set.game_id(number % HOT_GAMES * 3_001))
    })
}

/// The first page of players with some 5,000 games.
pub(super) fn player_page(set: HotSet) -> Route {
    Route::new("player_page", "a player's first page", move |number| {
        format!("/v1/players/{}/games", set.strong_player(number))
    })
}

/// Everything that does not touch the cache.
///
/// # Errors
/// The API does not give a page that is needed to know what to ask.
pub(super) async fn uncached(set: HotSet, address: SocketAddr) -> anyhow::Result<Vec<Route>> {
    let cursors = fiftieth_pages(set, address).await?;
    let many = HotSet::player_with_many();
    Ok(vec![
        get_game(set, Cache::Off),
        player_page(set),
        Route::new("player_page_50", "a player's 50th page", move |number| {
            let place = usize::try_from(number).unwrap_or(0) % cursors.len();
            cursors[place].clone()
        }),
        Route::new(
            "player_page_old",
            "the first page of one with 85 games in 5 years",
            move |number| format!("/v1/players/{}/games", set.ordinary_player(spread(number))),
        ),
        Route::new(
            "player_page_filtered",
            "a player's page of wins as white",
            move |number| {
                format!(
                    "/v1/players/{}/games?result=win&role=white",
                    set.strong_player(number)
                )
            },
        ),
        Route::new("feed_page", "a page of everybody's games", |_| {
            "/v1/games".to_owned()
        }),
        Route::new("stats", "statistics of 85 games", move |number| {
            format!("/v1/players/{}/stats", set.ordinary_player(spread(number)))
        }),
        Route::new("opponents", "opponents in 85 games", move |number| {
            format!(
                "/v1/players/{}/opponents",
                set.ordinary_player(spread(number))
            )
        }),
        Route::new("vs", "two players' games, 85 each", move |number| {
            let (a, b) = (spread(number), spread(number + 1));
            format!(
                "/v1/players/{}/vs/{}",
                set.ordinary_player(a),
                set.ordinary_player(b + u64::from(a == b))
            )
        }),
        Route::new(
            "stats_many",
            "statistics of the player with most games",
            move |_| format!("/v1/players/{many}/stats"),
        )
        .heavy(),
        Route::new(
            "stats_many_grouped",
            "the same in groups by mode and role",
            move |_| format!("/v1/players/{many}/stats?group_by=mode,role"),
        )
        .heavy(),
        Route::new("summary_many", "the player with most games", move |_| {
            format!("/v1/players/{many}")
        })
        .heavy(),
        Route::new(
            "opponents_many",
            "opponents of the player with most games",
            move |_| format!("/v1/players/{many}/opponents"),
        )
        .heavy(),
        Route::new(
            "vs_many",
            "the player with most games against another",
            move |number| format!("/v1/players/{many}/vs/{}", set.strong_player(number)),
        )
        .heavy(),
        Route::new(
            "vs_many_back",
            "the same, told from the other side",
            move |number| format!("/v1/players/{}/vs/{many}", set.strong_player(number)),
        )
        .heavy(),
    ])
}

/// What is asked while the ingestor works.
pub(super) fn while_ingesting(set: HotSet) -> Vec<Route> {
    let names = [
        "get_game_while_ingesting",
        "player_page_while_ingesting",
        "stats_while_ingesting",
    ];
    let stats = Route::new("stats", "statistics of 85 games", move |number| {
        format!("/v1/players/{}/stats", set.ordinary_player(spread(number)))
    });
    let routes = [get_game(set, Cache::Off), player_page(set), stats];
    let routes = routes.into_iter().zip(names).map(|(route, name)| Route {
        name,
        connections: &[32],
        aim: PRODUCT,
        ..route
    });
    routes.collect()
}

/// The targets of the 50th pages of some players: 49 pages of 50 are 12 of 200 and one of 50.
async fn fiftieth_pages(set: HotSet, address: SocketAddr) -> anyhow::Result<Vec<String>> {
    let mut client = Client::new(address);
    let mut targets = Vec::new();
    for player in 0..set.strong().min(PAGED_PLAYERS) {
        let path = format!("/v1/players/{}/games", set.strong_player(player));
        let mut target = format!("{path}?limit=200");
        for page in 1..=13 {
            let found = client.json(&target).await?;
            let next = found["page"]["next"].as_str().with_context(|| {
                format!("{path} ends before its 50th page: ask for more `--games`")
            })?;
            target = match page {
                12 => format!("{path}?limit=50&cursor={next}"),
                13 => format!("{path}?cursor={next}"),
                _ => format!("{path}?limit=200&cursor={next}"),
            };
        }
        targets.push(target);
    }
    Ok(targets)
}
