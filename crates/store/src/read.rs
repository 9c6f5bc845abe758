//! The statements that read the history. Each takes a session from [`crate::Pool`] and returns what it found, or rows.
//!
//! Lists are walked by keyset over `(ended_at, game_id)`, in either order and direction: an [`Edge`] says where a page begins.
//! There is one path for all of them ([`GameList`]): no offsets, no caps, and a page costs the same wherever it lies.

mod batch;
mod count;
mod feed;
mod filter;
mod freshness;
mod game;
mod opponents;
mod page;
mod player_games;
mod players;
mod predicates;
mod ratings;
mod rivals;
mod sql;
mod stats;

pub use batch::{games, games_at, place_of};
pub use count::{Count, count};
pub use feed::{GameSummary, feed, places};
pub use filter::{
    Budget, Edge, EverybodyPerspective, GameFilter, GameList, GameResult, Order, Perspective,
    Place, PlayerPerspective, RivalWalk, Scope, Span, TimeField,
};
pub use freshness::projection_lag_ms;
pub use game::{Departed, Edition, FoundGame, LiveSnapshot, StoredGame, edition, game};
pub use opponents::{Opponent, OpponentPlace, opponents};
pub use page::Found;
pub use player_games::{PlayerGame, player_games};
pub use players::PlayersColumn;
pub use ratings::{LatestRating, RatingDay, latest_ratings, rating_days};
pub use rivals::choose_walk;
pub use stats::{GroupKey, GroupStats, Grouping, Tally, stats};
