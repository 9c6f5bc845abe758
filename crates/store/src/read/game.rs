//! One game by its id.
//!
//! First one statement asks the directory and the live games together, in one snapshot: a game that ends meanwhile is found in
//! one of them. Then the finished row is read by its whole key, which touches one partition. A correction may move the row
//! between the two; the directory is then asked again.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    EventTime, FinishedGame, GameId, LiveGame, NewGame, NewPlayer, Opening, PackedMoves, PlayerId,
    ShortText, Slug,
};

use super::players::PlayersColumn;
use super::sql::{Columns, Sql, Typed, Value, columns};
use crate::StoreError;
use crate::partitions::Month;
use crate::schema::{game_directory, games, live_games};

const OPERATION: &str = "read a game";
/// A row moves only when a rebuild corrects it; three moves within one read do not happen.
const ATTEMPTS: usize = 3;

/// What there is of a game.
#[derive(Debug)]
pub enum FoundGame {
    /// It ended, and here it is.
    Finished(Box<StoredGame>),
    /// It goes on; this is its last snapshot.
    Live(Box<LiveSnapshot>),
    /// It ended, and retention has removed it.
    Gone(Departed),
    /// There is no such game.
    Unknown,
}

/// What the directory still knows of a game that retention has removed: enough to find it in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// The game.
    pub game_id: GameId,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How, in the directory's words.
    pub end: String,
    /// The id of the topic that its events came by.
    pub topic_id: String,
    /// Their partition.
    pub partition: i32,
    /// The offset of its end in that partition.
    pub end_offset: i64,
}

/// A finished game as it is stored.
#[derive(Debug)]
pub struct StoredGame {
    /// The game.
    pub game: FinishedGame,
    /// Counts its corrections, from 1.
    pub revision: i32,
    /// When this revision was written.
    pub written_at: DateTime<Utc>,
}

/// What tells two editions of a finished game apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition {
    /// When the game ended.
    pub ended_at: DateTime<Utc>,
    /// Counts its corrections, from 1.
    pub revision: i32,
}

/// A live game as of its last snapshot.
#[derive(Debug)]
pub struct LiveSnapshot {
    /// The game so far.
    pub game: LiveGame,
    /// The last offset of its partition that the snapshot covers.
    pub as_of_offset: i64,
}

/// Finds a game by its id.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked, [`StoreError::Damaged`] when what it stores can't be read.
pub async fn game(
    connection: &mut AsyncPgConnection,
    id: &GameId,
) -> Result<FoundGame, StoreError> {
    let mut ended: Option<Departed> = None;
    for _ in 0..ATTEMPTS {
        let entry = match locate(connection, id).await? {
            Located::Ended(entry) => entry,
            Located::Live(snapshot) => return Ok(FoundGame::Live(snapshot)),
            Located::Nowhere => return Ok(FoundGame::Unknown),
        };
        if let Some(row) = finished_row(connection, id, entry.ended_at).await? {
            return Ok(FoundGame::Finished(Box::new(stored(
                row,
                entry.end,
                entry.revision,
            )?)));
        }
        // Asked twice, the same answer: the row is not on the move, it is gone.
        let departed = entry.departed(id);
        if ended.replace(departed.clone()) == Some(departed) {
            break;
        }
    }
    Ok(ended.map_or(FoundGame::Unknown, FoundGame::Gone))
}

/// The edition of a finished game that the directory has now: one look-up by its key, for who has the game already.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn edition(
    connection: &mut AsyncPgConnection,
    id: &GameId,
) -> Result<Option<Edition>, StoreError> {
    let found: Option<(DateTime<Utc>, i32)> = game_directory::table
        .filter(game_directory::game_id.eq(id.as_str()))
        .select((game_directory::ended_at, game_directory::revision))
        .first(connection)
        .await
        .optional()
        .map_err(StoreError::query(OPERATION))?;
    Ok(found.map(|(ended_at, revision)| Edition { ended_at, revision }))
}

enum Located {
    Ended(Entry),
    Live(Box<LiveSnapshot>),
    Nowhere,
}

/// What the directory says.
struct Entry {
    ended_at: DateTime<Utc>,
    end: String,
    revision: i32,
    topic_id: String,
    partition: i32,
    end_offset: i64,
}

impl Entry {
    fn departed(&self, id: &GameId) -> Departed {
        Departed {
            game_id: id.clone(),
            ended_at: self.ended_at,
            end: self.end.clone(),
            topic_id: self.topic_id.clone(),
            partition: self.partition,
            end_offset: self.end_offset,
        }
    }
}

/// Of the directory: when, end, revision and the topic's id; of both: partition and offset; of the live games: state.
type LocatedRow = (
    Option<DateTime<Utc>>,
    Option<String>,
    Option<i32>,
    Option<String>,
    i32,
    i64,
    Option<Vec<u8>>,
);

async fn locate(connection: &mut AsyncPgConnection, id: &GameId) -> Result<Located, StoreError> {
    let ended = game_directory::table
        .filter(game_directory::game_id.eq(id.as_str()))
        .select((
            game_directory::ended_at.nullable(),
            game_directory::end.nullable(),
            game_directory::revision.nullable(),
            game_directory::topic_id.nullable(),
            game_directory::partition,
            game_directory::end_offset,
            None::<Vec<u8>>.into_sql::<Nullable<Binary>>(),
        ));
    let live = live_games::table
        .filter(live_games::game_id.eq(id.as_str()))
        .select((
            None::<DateTime<Utc>>.into_sql::<Nullable<Timestamptz>>(),
            None::<String>.into_sql::<Nullable<Text>>(),
            None::<i32>.into_sql::<Nullable<Integer>>(),
            None::<String>.into_sql::<Nullable<Text>>(),
            live_games::partition,
            live_games::as_of_offset,
            live_games::state.nullable(),
        ));
    let rows: Vec<LocatedRow> = ended
        .union_all(live)
        .load(connection)
        .await
        .map_err(StoreError::query(OPERATION))?;
    let mut snapshot = None;
    for row in rows {
        match row {
            (
                Some(ended_at),
                Some(end),
                Some(revision),
                Some(topic_id),
                partition,
                end_offset,
                _,
            ) => {
                return Ok(Located::Ended(Entry {
                    ended_at,
                    end,
                    revision,
                    topic_id,
                    partition,
                    end_offset,
                }));
            }
            (.., as_of_offset, Some(state)) => snapshot = Some((as_of_offset, state)),
            _ => {}
        }
    }
    let Some((as_of_offset, state)) = snapshot else {
        return Ok(Located::Nowhere);
    };
    Ok(Located::Live(Box::new(live_snapshot(
        as_of_offset,
        &state,
    )?)))
}

pub(super) fn live_snapshot(as_of_offset: i64, state: &[u8]) -> Result<LiveSnapshot, StoreError> {
    let game = LiveGame::decode(state).map_err(damaged("live_games.state"))?;
    Ok(LiveSnapshot { game, as_of_offset })
}

#[derive(Queryable, QueryableByName)]
#[diesel(table_name = games, check_for_backend(diesel::pg::Pg))]
pub(super) struct Row {
    game_id: String,
    ended_at: DateTime<Utc>,
    started_at: DateTime<Utc>,
    game: String,
    variant: String,
    mode: String,
    time_control: Option<String>,
    region: Option<String>,
    platform: Option<String>,
    tournament: Option<String>,
    start_position: Option<String>,
    result: String,
    winner: Option<String>,
    termination: String,
    opening_code: Option<String>,
    opening_name: Option<String>,
    move_count: i32,
    incomplete: bool,
    players: PlayersColumn,
    moves: Vec<u8>,
    written_at: DateTime<Utc>,
}

columns!(
    Row = games: game_id, ended_at, started_at, game, variant, mode, time_control, region, platform, tournament,
    start_position, result, winner, termination, opening_code, opening_name, move_count, incomplete, players, moves,
    written_at
);

async fn finished_row(
    connection: &mut AsyncPgConnection,
    id: &GameId,
    ended_at: DateTime<Utc>,
) -> Result<Option<Row>, StoreError> {
    let mut sql = Sql::new(&format!(
        "SELECT {} FROM games WHERE game_id = ",
        Row::COLUMNS
    ));
    sql.bind(Value::Text(id.to_string()))
        .text(" AND ended_at = ")
        .bind(Value::Time(ended_at));
    // Says it once more, in words that tell the planner which partition it is.
    let month = Month::of_datetime(ended_at);
    sql.text(" AND ended_at >= ").bind(Value::Month(month));
    if let Some(next) = month.moved(1) {
        sql.text(" AND ended_at < ").bind(Value::Month(next));
    }
    sql.text(" LIMIT 1");
    let rows: Vec<Row> = Typed::<<Row as Columns>::Types>::new(sql)
        .load(connection)
        .await
        .map_err(StoreError::query(OPERATION))?;
    Ok(rows.into_iter().next())
}

fn damaged<E: std::fmt::Display>(column: &'static str) -> impl Fn(E) -> StoreError {
    move |error| StoreError::Damaged {
        operation: OPERATION,
        detail: format!("{column}: {error}"),
    }
}

fn slug(column: &'static str, text: String) -> Result<Slug, StoreError> {
    Slug::try_from(text).map_err(damaged(column))
}

fn label(column: &'static str, text: Option<String>) -> Result<Option<ShortText>, StoreError> {
    text.map(|text| ShortText::try_from(text).map_err(damaged(column)))
        .transpose()
}

fn time(column: &'static str, time: DateTime<Utc>) -> Result<EventTime, StoreError> {
    EventTime::from_datetime(time).map_err(damaged(column))
}

/// The domain's game out of its row.
pub(super) fn stored(row: Row, end: String, revision: i32) -> Result<StoredGame, StoreError> {
    let players = row.players.read(OPERATION)?;
    let created = NewGame {
        players: players
            .iter()
            .map(|player| NewPlayer {
                id: player.id.clone(),
                role: player.role.clone(),
                rating: player.rating,
            })
            .collect(),
        game: slug("games.game", row.game)?,
        variant: slug("games.variant", row.variant)?,
        mode: slug("games.mode", row.mode)?,
        time_control: label("games.time_control", row.time_control)?,
        region: row
            .region
            .map(|region| slug("games.region", region))
            .transpose()?,
        platform: label("games.platform", row.platform)?,
        tournament: label("games.tournament", row.tournament)?,
        start_position: label("games.start_position", row.start_position)?,
    };
    let name = label("games.opening_name", row.opening_name)?;
    let game = FinishedGame {
        id: GameId::try_from(row.game_id).map_err(damaged("games.game_id"))?,
        created,
        started_at: time("games.started_at", row.started_at)?,
        ended_at: time("games.ended_at", row.ended_at)?,
        winner: row
            .winner
            .map(|id| PlayerId::try_from(id).map_err(damaged("games.winner")))
            .transpose()?,
        drawn: row.result == "draw",
        termination: slug("games.termination", row.termination)?,
        move_count: u32::try_from(row.move_count).map_err(damaged("games.move_count"))?,
        incomplete: row.incomplete,
        moves: PackedMoves::from_bytes(row.moves),
        opening: label("games.opening_code", row.opening_code)?.map(|code| Opening { code, name }),
        players,
        end_fingerprint: end,
    };
    Ok(StoredGame {
        game,
        revision,
        written_at: row.written_at,
    })
}
