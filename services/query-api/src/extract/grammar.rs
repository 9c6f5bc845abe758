//! The parameters of lists, counts, statistics and exports as the document shows them. Read by [`super::filter`] and
//! [`super::page`]; tests hold the two together.

#![expect(dead_code, reason = "the shapes of queries, for the document")]

use utoipa::{IntoParams, ToSchema};

macro_rules! filter_params {
    ($(#[$meta:meta])* $name:ident { $($fields:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, IntoParams)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            /// Which game it was, such as `chess`.
            #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "chess")]
            game: Option<String>,
            /// The setting it was played in, such as `rated` or `casual`.
            #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "rated")]
            mode: Option<String>,
            /// The rules, such as `standard` or `chess960`.
            #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "standard")]
            variant: Option<String>,
            /// How time was kept, such as `180+1`. No time control holds a space, so a `+` that was not percent-encoded (and
            /// therefore arrives as a space) is taken for what it is.
            #[param(min_length = 1, max_length = 200, example = "180+1")]
            time_control: Option<String>,
            /// Where it was played.
            #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "eu")]
            region: Option<String>,
            /// The tournament it belonged to.
            #[param(min_length = 1, max_length = 200, example = "spring-open-2026")]
            tournament: Option<String>,
            /// By what it ended.
            #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "checkmate")]
            termination: Option<String>,
            /// What the opening's code begins with: `B9` holds `B90` to `B99`.
            #[param(min_length = 1, max_length = 200, example = "B9")]
            opening: Option<String>,
            /// What the opening's name begins with, in upper or lower case.
            #[param(min_length = 1, max_length = 200, example = "sicilian defense")]
            opening_name: Option<String>,
            /// Whether moves are missing.
            #[param(example = false)]
            incomplete: Option<bool>,
            /// At least so many moves, each player's counted.
            #[param(minimum = 0, maximum = 1_000_000, example = 20)]
            move_count_min: Option<i64>,
            /// At most so many moves.
            #[param(minimum = 0, maximum = 1_000_000, example = 200)]
            move_count_max: Option<i64>,
            /// It took at least so long.
            #[param(minimum = 0, maximum = 34_560_000_000_i64, example = 60_000)]
            duration_ms_min: Option<i64>,
            /// It took at most so long.
            #[param(minimum = 0, maximum = 34_560_000_000_i64, example = 3_600_000)]
            duration_ms_max: Option<i64>,
            /// The least rating before the game: of the player whose games these are, else of every player.
            #[param(minimum = 0, maximum = 100_000, example = 1_500)]
            rating_min: Option<i64>,
            /// The highest rating before the game.
            #[param(minimum = 0, maximum = 100_000, example = 3_000)]
            rating_max: Option<i64>,
            /// The time that `since` and `until` are about: `ended_at` without it.
            #[param(inline)]
            time_field: Option<TimeFieldParam>,
            /// Games of this time or later: RFC 3339, or milliseconds since 1970.
            #[param(example = "2024-01-01T00:00:00Z")]
            since: Option<String>,
            /// Games before this time: RFC 3339, or milliseconds since 1970.
            #[param(example = "2027-01-01T00:00:00Z")]
            until: Option<String>,
            $($fields)*
        }
    };
}

filter_params! {
    /// The filters of one player's games.
    PlayerFilterParams {
        /// Which side or seat the player had.
        #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "white")]
        role: Option<String>,
        /// What the game was for this player.
        #[param(inline)]
        result: Option<PlayerResultParam>,
        /// A player who took part besides this one.
        #[param(min_length = 1, max_length = 100, example = "hikaru")]
        opponent: Option<String>,
        /// The least rating before the game of the one opponent.
        #[param(minimum = 0, maximum = 100_000, example = 1_500)]
        opponent_rating_min: Option<i64>,
        /// The highest rating before the game of the one opponent.
        #[param(minimum = 0, maximum = 100_000, example = 3_000)]
        opponent_rating_max: Option<i64>,
    }
}

filter_params! {
    /// The filters of everybody's games.
    FeedFilterParams {
        /// Who took part. Given several times, at most 8, all of them did.
        #[param(min_length = 1, max_length = 100, example = "magnus")]
        player: Option<String>,
        /// Who won.
        #[param(min_length = 1, max_length = 100, example = "magnus")]
        winner: Option<String>,
        /// How the game ended.
        #[param(inline)]
        result: Option<GameResultParam>,
        /// What it was played on.
        #[param(min_length = 1, max_length = 200, example = "web")]
        platform: Option<String>,
    }
}

/// The values of `time_field`.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum TimeFieldParam {
    EndedAt,
    StartedAt,
}

/// The values of `result` of a player's game.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum PlayerResultParam {
    Win,
    Loss,
    Draw,
    None,
}

/// The values of `result` of a game.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum GameResultParam {
    Win,
    Draw,
    None,
}

/// The order.
#[derive(Debug, ToSchema)]
pub(crate) enum SortParam {
    #[schema(rename = "-ended_at")]
    NewestFirst,
    #[schema(rename = "ended_at")]
    OldestFirst,
}

/// Which page.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50, example = 50)]
    limit: Option<u32>,
    /// Where to go on: `page.next` or `page.prev` of another page of this list, with the same filters. `limit` and `fields` may
    /// change on the way.
    #[param(min_length = 1, max_length = 1024)]
    cursor: Option<String>,
}

/// How a list of games is walked and shown.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// The order: `-ended_at`, newest first, without it.
    #[param(inline)]
    sort: Option<SortParam>,
    /// Where the list ends: before this game, which has to be a finished one. For who has everything up to it.
    #[param(min_length = 1, max_length = 100)]
    until_id: Option<String>,
    /// Only these fields of each game, joined by commas.
    #[param(min_length = 1, max_length = 1024, example = "game_id,ended_at")]
    fields: Option<String>,
}

/// How games are exported.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// The form; without it the one that `Accept` names, else `ndjson`.
    #[param(inline)]
    format: Option<ExportFormatParam>,
    /// The order: `ended_at`, oldest first, without it, so that a later export goes on where this one ended.
    #[param(inline)]
    sort: Option<SortParam>,
    /// Where to go on: the `cursor` of a mark of an export with the same filters.
    #[param(min_length = 1, max_length = 1024)]
    cursor: Option<String>,
    /// Whether marks are written among the games: one to resume from after each chunk, and the end. `true` without it.
    #[param(default = true)]
    marks: Option<bool>,
}

/// The forms of an export.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum ExportFormatParam {
    Ndjson,
    Pgn,
    Csv,
}

/// Which groups.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GroupParams {
    /// By what, at most three, joined by commas: `game`, `variant`, `mode`, `time_control`, `region`, `tournament`, `role`,
    /// `termination`, `opening`, `opening_name`, `opponent`, `opponent_rating_band`, `month`, `weekday` (1 is Monday), `hour`.
    #[param(min_length = 1, max_length = 100, example = "mode,role")]
    group_by: Option<String>,
    /// Only groups of at least so many games.
    #[param(minimum = 1, maximum = 1_000_000, example = 10)]
    min_games: Option<u32>,
    /// How many groups at most, the largest first.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    limit: Option<u32>,
}
