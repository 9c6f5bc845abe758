//! Which games are wanted, in which order, and where in it to go on: the same words for every list, count, statistic and export.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use domain::{EventTime, GameId, PlayerId, PlayerResult, ShortText, Slug};

/// Which games are wanted: those that match every field given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GameFilter {
    /// Which game it was, such as `chess`.
    pub game: Option<Slug>,
    /// In which setting it was played, such as `rated`.
    pub mode: Option<Slug>,
    /// By which rules, such as `standard`.
    pub variant: Option<Slug>,
    /// How time was kept, such as `180+1`.
    pub time_control: Option<ShortText>,
    /// Where it was played.
    pub region: Option<Slug>,
    /// The tournament it belonged to.
    pub tournament: Option<ShortText>,
    /// By what it ended, such as `checkmate`.
    pub termination: Option<Slug>,
    /// What its opening's code begins with: `B` and `B9` hold `B90`.
    pub opening: Option<ShortText>,
    /// What its opening's name begins with, whatever the case.
    pub opening_name: Option<ShortText>,
    /// Whether moves are missing.
    pub incomplete: Option<bool>,
    /// How many moves it had.
    pub move_count: Span<i32>,
    /// How long it took, in milliseconds.
    pub duration_ms: Span<i64>,
    /// The rating before the game: of the player whose list it is, else of every player.
    pub rating: Span<i32>,
    /// Which time `since` and `until` are about.
    pub time_field: TimeField,
    /// At this time or later.
    pub since: Option<EventTime>,
    /// Before this time.
    pub until: Option<EventTime>,
    /// What only one kind of list knows.
    pub of: Perspective,
}

/// What is asked of a game from a player's side, or from nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Perspective {
    /// One player's games.
    Player(PlayerPerspective),
    /// Everybody's games.
    Everybody(EverybodyPerspective),
}

/// What is asked of a game from a player's side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlayerPerspective {
    /// Which side or seat the player had.
    pub role: Option<Slug>,
    /// What it was for the player.
    pub result: Option<PlayerResult>,
    /// Who played against the player.
    pub opponent: Option<PlayerId>,
    /// The one opponent's rating before the game.
    pub opponent_rating: Span<i32>,
    /// Only games that have a rating of the player.
    pub has_rating: bool,
}

/// What is asked of a game from nobody's side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EverybodyPerspective {
    /// Who took part, all of them.
    pub players: Vec<PlayerId>,
    /// Who won.
    pub winner: Option<PlayerId>,
    /// How it ended.
    pub result: Option<GameResult>,
    /// What it was played on.
    pub platform: Option<ShortText>,
}

impl Default for Perspective {
    fn default() -> Self {
        Self::Everybody(EverybodyPerspective::default())
    }
}

/// How a game ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GameResult {
    /// Somebody won.
    Win,
    /// Nobody won.
    Draw,
    /// It has no result.
    None,
}

impl GameResult {
    /// The name in the database and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::Draw => "draw",
            Self::None => "none",
        }
    }
}

/// From the least to the most, both included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span<T> {
    /// At least.
    pub min: Option<T>,
    /// At most.
    pub max: Option<T>,
}

impl<T: Copy> From<RangeInclusive<T>> for Span<T> {
    fn from(range: RangeInclusive<T>) -> Self {
        Self {
            min: Some(*range.start()),
            max: Some(*range.end()),
        }
    }
}

/// The time a window is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeField {
    /// When games ended.
    #[default]
    EndedAt,
    /// When games began.
    StartedAt,
}

/// Whose games a list has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One player's.
    Player(PlayerId),
    /// Everybody's.
    Everybody,
}

/// The order of a list, by the time games ended and then by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// By whose rows the games of two players are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RivalWalk {
    /// All rows of the player are looked at.
    #[default]
    Rows,
    /// The player's rows whose opponent the index names are looked at.
    Own,
    /// The same of the opponent's; then the player's row of each game.
    Opponents,
}

/// A list of games.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameList {
    /// Whose games.
    pub scope: Scope,
    /// Which of them.
    pub filter: GameFilter,
    /// In which order.
    pub order: Order,
    /// The list ends before this game.
    pub until_place: Option<Place>,
    /// How far a page may look for games that match.
    pub budget: Budget,
    /// By whose rows the games of two players are found: see [`super::choose_walk`]. It changes the way to the games, never which
    /// they are.
    pub rivals: RivalWalk,
}

impl GameList {
    /// All games of this scope, newest first.
    #[must_use]
    pub fn of(scope: Scope) -> Self {
        Self {
            filter: GameFilter {
                of: match scope {
                    Scope::Player(_) => Perspective::Player(PlayerPerspective::default()),
                    Scope::Everybody => Perspective::default(),
                },
                ..GameFilter::default()
            },
            scope,
            order: Order::default(),
            until_place: None,
            budget: Budget::default(),
            rivals: RivalWalk::default(),
        }
    }
}

/// How many games a page may look at for those that match its filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Games.
    pub games: u32,
}

impl Budget {
    /// A page looks as far as it takes to be full.
    pub const UNBOUNDED: Self = Self { games: u32::MAX };
}

impl Default for Budget {
    /// Measured: 20 ms on two shared cores.
    fn default() -> Self {
        Self { games: 10_000 }
    }
}

/// A game's place in a list that is ordered by `(ended_at, game_id)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// When the game ended, to the microsecond as Postgres keeps it.
    pub ended_at: DateTime<Utc>,
    /// The game.
    pub game_id: GameId,
}

/// Where a page begins, and which way it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The place it begins at.
    pub place: Place,
    /// Whether the game at that place belongs to the page.
    pub inclusive: bool,
    /// Whether the page lies before the place in the list's order, rather than behind it.
    pub backward: bool,
}

impl Edge {
    /// A page behind a place.
    #[must_use]
    pub fn behind(place: Place) -> Self {
        Self {
            place,
            inclusive: false,
            backward: false,
        }
    }

    /// A page before a place.
    #[must_use]
    pub fn before(place: Place) -> Self {
        Self {
            place,
            inclusive: false,
            backward: true,
        }
    }
}
