//! By whose index a list is walked, and how its rows are looked up where that index belongs to another table.

use domain::PlayerId;

use crate::read::filter::{GameList, Perspective, RivalWalk, Scope};
use crate::read::sql::{Sql, Value};

/// A game's row by the whole key of an outer `k`.
const GAME_OF_KEY: &str =
    "SELECT * FROM games WHERE games.game_id = k.game_id AND games.ended_at = k.ended_at";
/// A player's row of a game, by the whole key of an outer `k`.
const PLAYER_GAME_OF_KEY: &str = "SELECT * FROM player_games p WHERE p.ended_at = k.ended_at AND p.game_id = k.game_id AND p.player_id = ";

/// Whose index is walked.
pub(super) enum Driver<'a> {
    /// One player's rows.
    Player(&'a PlayerId),
    /// One player's rows of the games with another one, found by the rows of one of the two: their index names the one opponent.
    Rivals {
        player: &'a PlayerId,
        walked: &'a PlayerId,
        other: &'a PlayerId,
    },
    /// The games one player took part in.
    GamesOfPlayer(&'a PlayerId),
    /// One tournament's games.
    Tournament(&'a str),
    /// All games.
    Everybody,
}

impl<'a> Driver<'a> {
    pub(super) fn of(list: &'a GameList) -> Self {
        match (&list.scope, &list.filter.of) {
            (Scope::Player(player), Perspective::Player(asked)) => match &asked.opponent {
                Some(opponent) => Self::of_rivals(list.rivals, player, opponent),
                None => Self::Player(player),
            },
            (Scope::Player(player), _) => Self::Player(player),
            (Scope::Everybody, Perspective::Everybody(asked)) if !asked.players.is_empty() => {
                Self::GamesOfPlayer(&asked.players[0])
            }
            (Scope::Everybody, _) => match &list.filter.tournament {
                Some(tournament) => Self::Tournament(tournament.as_str()),
                None => Self::Everybody,
            },
        }
    }

    fn of_rivals(walk: RivalWalk, player: &'a PlayerId, opponent: &'a PlayerId) -> Self {
        let (walked, other) = match walk {
            RivalWalk::Rows => return Self::Player(player),
            RivalWalk::Own => (player, opponent),
            RivalWalk::Opponents => (opponent, player),
        };
        Self::Rivals {
            player,
            walked,
            other,
        }
    }

    /// The table that is walked, its prefix of the index, and whether anything of the prefix has been written.
    pub(super) fn table(&self) -> (Sql, bool) {
        let mut sql = Sql::default();
        match self {
            Self::Player(player)
            | Self::Rivals { walked: player, .. }
            | Self::GamesOfPlayer(player) => {
                sql.text("player_games WHERE player_id = ")
                    .bind(Value::Text(player.to_string()));
                (sql, true)
            }
            Self::Tournament(tournament) => {
                sql.text("games WHERE tournament = ")
                    .bind(Value::Text((*tournament).to_owned()));
                (sql, true)
            }
            Self::Everybody => {
                sql.text("games");
                (sql, false)
            }
        }
    }

    pub(super) fn joins(&self) -> bool {
        matches!(self, Self::GamesOfPlayer(_) | Self::Rivals { .. })
    }

    /// The columns of the keys that are found first, where it joins.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Rivals { .. } => "ended_at, game_id, opponent",
            _ => "ended_at, game_id",
        }
    }

    /// Which keys are looked up: where a game has one opponent, it has to be the other one. A game of several tells by its row.
    pub(super) fn sieve(&self, sql: &mut Sql) {
        if let Self::Rivals { other, .. } = self {
            sql.text(" WHERE (k.opponent = ")
                .bind(Value::Text(other.to_string()))
                .text(" OR k.opponent IS NULL)");
        }
    }

    /// What is looked up for each key that the walk finds, where it joins.
    pub(super) fn row_of_key(&self) -> Sql {
        match self {
            Self::Rivals { player, .. } => {
                let mut sql = Sql::new(PLAYER_GAME_OF_KEY);
                sql.bind(Value::Text(player.to_string()));
                sql
            }
            _ => Sql::new(GAME_OF_KEY),
        }
    }
}
