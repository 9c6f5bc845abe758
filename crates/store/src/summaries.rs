//! Reading whole days of finished games and player rows, for the archive's summaries and their verification.
//!
//! Everything is read in one snapshot ([`Snapshot`]): what [`Snapshot::contents`] counts is what [`Snapshot::games`] and
//! [`Snapshot::player_rows`] give. Rows come in key order by the bytes of the key, one at a time from the server, so a day of any size
//! takes the memory of one row; sorting is PostgreSQL's, on its disk.
//!
//! [`Contents::stamp`] changes when a row of the day is written again, added or removed: `written_at` is set whenever a game is
//! written, by ingest and by a rebuild alike.

use chrono::{DateTime, Days, NaiveDate, Utc};
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Date, Integer, Jsonb, Nullable, Text, Timestamptz,
};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{EventTime, FinishedPlayer, Move, PackedMoves};
use futures::{Stream, StreamExt, TryStreamExt};

use crate::StoreError;
use crate::partitions::Month;
use crate::retention::midnight;

const OPERATION: &str = "read a day of finished games";

/// Which tables are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The partitioned tables, through their parents.
    Hot,
    /// A month's tables after they were detached: nobody writes them any more.
    Detached(Month),
    /// Games that ended below the retention floor after their month was dropped.
    BelowFloor,
}

impl Source {
    fn table(self, parent: &str) -> String {
        match self {
            Self::Hot => parent.to_owned(),
            Self::Detached(month) => format!("{parent}_{}", month.suffix()),
            Self::BelowFloor => format!("{parent}_below_floor"),
        }
    }
}

/// What there is of one day and region.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Contents {
    /// The day of the games' ends, in UTC.
    #[diesel(sql_type = Date)]
    pub day: NaiveDate,
    /// The region as the games' creates give it.
    #[diesel(sql_type = Nullable<Text>)]
    pub region: Option<String>,
    /// How many games.
    #[diesel(sql_type = BigInt)]
    pub games: i64,
    /// Tells two states of the day apart: the sum of the games' `written_at`, in microseconds.
    #[diesel(sql_type = Text)]
    pub stamp: String,
}

/// A finished game as it is stored, moves unpacked.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the columns are described in migrations/")]
pub struct SummaryGame {
    pub game_id: String,
    pub ended_at: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub game: String,
    pub variant: String,
    pub mode: String,
    pub time_control: Option<String>,
    pub region: Option<String>,
    pub platform: Option<String>,
    pub tournament: Option<String>,
    pub start_position: Option<String>,
    pub result: String,
    pub winner: Option<String>,
    pub termination: String,
    pub opening_code: Option<String>,
    pub opening_name: Option<String>,
    pub move_count: i32,
    pub incomplete: bool,
    pub players: Vec<FinishedPlayer>,
    pub moves: Vec<Move>,
}

/// A player's row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
#[expect(missing_docs, reason = "the columns are described in migrations/")]
pub struct SummaryPlayerRow {
    #[diesel(sql_type = Text)]
    pub player_id: String,
    #[diesel(sql_type = Timestamptz)]
    pub ended_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub game_id: String,
    #[diesel(sql_type = Timestamptz)]
    pub started_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub role: String,
    #[diesel(sql_type = Text)]
    pub result: String,
    #[diesel(sql_type = Array<Text>)]
    pub opponents: Vec<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub opponent_rating: Option<i32>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub rating: Option<i32>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub rating_after: Option<i32>,
    #[diesel(sql_type = Text)]
    pub game: String,
    #[diesel(sql_type = Text)]
    pub variant: String,
    #[diesel(sql_type = Text)]
    pub mode: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub time_control: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub region: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub tournament: Option<String>,
    #[diesel(sql_type = Text)]
    pub termination: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub opening_code: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub opening_name: Option<String>,
    #[diesel(sql_type = Integer)]
    pub move_count: i32,
    #[diesel(sql_type = Bool)]
    pub incomplete: bool,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    game_id: String,
    #[diesel(sql_type = Timestamptz)]
    ended_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    started_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    game: String,
    #[diesel(sql_type = Text)]
    variant: String,
    #[diesel(sql_type = Text)]
    mode: String,
    #[diesel(sql_type = Nullable<Text>)]
    time_control: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    region: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    platform: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    tournament: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    start_position: Option<String>,
    #[diesel(sql_type = Text)]
    result: String,
    #[diesel(sql_type = Nullable<Text>)]
    winner: Option<String>,
    #[diesel(sql_type = Text)]
    termination: String,
    #[diesel(sql_type = Nullable<Text>)]
    opening_code: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    opening_name: Option<String>,
    #[diesel(sql_type = Integer)]
    move_count: i32,
    #[diesel(sql_type = Bool)]
    incomplete: bool,
    #[diesel(sql_type = Jsonb)]
    players: serde_json::Value,
    #[diesel(sql_type = Binary)]
    moves: Vec<u8>,
}

/// Days with games that were written lately.
#[derive(QueryableByName)]
struct Day {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
}

/// One state of the database, as long as this lives. Ends by [`Snapshot::close`]; a dropped one leaves the session inside its
/// transaction, which nobody should go on with.
pub struct Snapshot<'c> {
    connection: &'c mut AsyncPgConnection,
}

impl std::fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl<'c> Snapshot<'c> {
    /// Opens a snapshot on a session that is in no transaction.
    ///
    /// # Errors
    /// [`StoreError`] when the session fails.
    pub async fn open(connection: &'c mut AsyncPgConnection) -> Result<Self, StoreError> {
        connection
            // Statements may take as long as a day takes; what they sort goes to disk.
            .batch_execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
                 SET LOCAL idle_in_transaction_session_timeout = 0",
            )
            .await
            .map_err(StoreError::query("open a snapshot"))?;
        Ok(Self { connection })
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`StoreError`] when the session fails.
    pub async fn close(self) -> Result<(), StoreError> {
        self.connection
            .batch_execute("COMMIT")
            .await
            .map_err(StoreError::query("close a snapshot"))
    }

    /// What there is of the days from `first` up to before `end`, by day and region.
    ///
    /// # Errors
    /// [`StoreError`] when the query fails.
    pub async fn contents(
        &mut self,
        source: Source,
        first: NaiveDate,
        end: NaiveDate,
    ) -> Result<Vec<Contents>, StoreError> {
        sql_query(format!(
            "SELECT (ended_at AT TIME ZONE 'UTC')::date AS day, region, count(*) AS games, \
             sum((extract(epoch FROM written_at) * 1000000)::bigint::numeric)::text AS stamp \
             FROM {} WHERE ended_at >= $1 AND ended_at < $2 GROUP BY 1, 2 ORDER BY 1, 2",
            source.table("games")
        ))
        .bind::<Timestamptz, _>(midnight(first))
        .bind::<Timestamptz, _>(midnight(end))
        .load(self.connection)
        .await
        .map_err(StoreError::query("count finished games"))
    }

    /// The days before `end` with a game that was written at `since` or later.
    ///
    /// # Errors
    /// [`StoreError`] when the query fails.
    pub async fn days_written_since(
        &mut self,
        source: Source,
        since: DateTime<Utc>,
        end: NaiveDate,
    ) -> Result<Vec<NaiveDate>, StoreError> {
        let days: Vec<Day> = sql_query(format!(
            "SELECT DISTINCT (ended_at AT TIME ZONE 'UTC')::date AS day FROM {} WHERE written_at >= $1 AND ended_at < $2 ORDER BY 1",
            source.table("games")
        ))
        .bind::<Timestamptz, _>(since)
        .bind::<Timestamptz, _>(midnight(end))
        .load(self.connection)
        .await
        .map_err(StoreError::query("look for days that changed"))?;
        Ok(days.into_iter().map(|row| row.day).collect())
    }

    /// A day's games of these regions, by the bytes of their ids.
    ///
    /// # Errors
    /// [`StoreError`] when the query fails or a row can't be read; the stream likewise.
    pub async fn games<'a>(
        &'a mut self,
        source: Source,
        day: NaiveDate,
        regions: &[Option<String>],
    ) -> Result<impl Stream<Item = Result<SummaryGame, StoreError>> + Send + 'a, StoreError> {
        let rows = sql_query(format!(
            "SELECT game_id, ended_at, started_at, game, variant, mode, time_control, region, platform, tournament, \
             start_position, result, winner, termination, opening_code, opening_name, move_count, incomplete, players, moves \
             FROM {} WHERE {WANTED} ORDER BY game_id COLLATE \"C\"",
            source.table("games")
        ))
        .bind::<Timestamptz, _>(midnight(day))
        .bind::<Timestamptz, _>(midnight(day + Days::new(1)))
        .bind::<Array<Text>, _>(named(regions))
        .bind::<Bool, _>(regions.contains(&None))
        .load_stream::<Row>(self.connection)
        .await
        .map_err(StoreError::query(OPERATION))?;
        Ok(rows
            .map_err(StoreError::query(OPERATION))
            .map(|row| row.and_then(game)))
    }

    /// A day's player rows of these regions, by the bytes of player, end and game.
    ///
    /// # Errors
    /// As [`Snapshot::games`].
    pub async fn player_rows<'a>(
        &'a mut self,
        source: Source,
        day: NaiveDate,
        regions: &[Option<String>],
    ) -> Result<impl Stream<Item = Result<SummaryPlayerRow, StoreError>> + Send + 'a, StoreError>
    {
        let rows = sql_query(format!(
            "SELECT player_id, ended_at, game_id, started_at, role, result, opponents, opponent_rating, rating, rating_after, \
             game, variant, mode, time_control, region, tournament, termination, opening_code, opening_name, move_count, incomplete \
             FROM {} WHERE {WANTED} ORDER BY player_id COLLATE \"C\", ended_at, game_id COLLATE \"C\"",
            source.table("player_games")
        ))
        .bind::<Timestamptz, _>(midnight(day))
        .bind::<Timestamptz, _>(midnight(day + Days::new(1)))
        .bind::<Array<Text>, _>(named(regions))
        .bind::<Bool, _>(regions.contains(&None))
        .load_stream::<SummaryPlayerRow>(self.connection)
        .await
        .map_err(StoreError::query("read a day of player rows"))?;
        Ok(rows.map_err(StoreError::query("read a day of player rows")))
    }
}

const WANTED: &str =
    "ended_at >= $1 AND ended_at < $2 AND (region = ANY($3) OR ($4 AND region IS NULL))";

fn named(regions: &[Option<String>]) -> Vec<&str> {
    regions.iter().flatten().map(String::as_str).collect()
}

fn game(row: Row) -> Result<SummaryGame, StoreError> {
    let damaged = |column: &str, error: &dyn std::fmt::Display| StoreError::Damaged {
        operation: OPERATION,
        detail: format!("games.{column} of {}: {error}", row.game_id),
    };
    let players: Vec<FinishedPlayer> =
        serde_json::from_value(row.players).map_err(|error| damaged("players", &error))?;
    let started_at =
        EventTime::from_datetime(row.started_at).map_err(|error| damaged("started_at", &error))?;
    let moves = PackedMoves::from_bytes(row.moves)
        .unpack(started_at)
        .map_err(|error| damaged("moves", &error))?;
    Ok(SummaryGame {
        game_id: row.game_id,
        ended_at: row.ended_at,
        started_at: row.started_at,
        game: row.game,
        variant: row.variant,
        mode: row.mode,
        time_control: row.time_control,
        region: row.region,
        platform: row.platform,
        tournament: row.tournament,
        start_position: row.start_position,
        result: row.result,
        winner: row.winner,
        termination: row.termination,
        opening_code: row.opening_code,
        opening_name: row.opening_name,
        move_count: row.move_count,
        incomplete: row.incomplete,
        players,
        moves,
    })
}
