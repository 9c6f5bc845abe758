//! Reads the tables, by statements of its own, all within one repeatable-read snapshot.
//!
//! Times come as microseconds since 1970, so that a value off by less than a millisecond shows.

use anyhow::{Context, bail};
use futures::{Stream, TryStreamExt};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, IsolationLevel, NoTls, Row, Transaction};

use super::event::VERDICTS;

/// One pipeline's checkpoint of one partition.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    pub(super) partition: i32,
    pub(super) topic_id: String,
    pub(super) partition_count: i32,
    pub(super) next_offset: i64,
    pub(super) replay_from: i64,
    pub(super) records: i64,
    /// In the order of `Verdict::COLUMNS`.
    pub(super) counts: [i64; VERDICTS],
    pub(super) split_key: i64,
    pub(super) stopped: Option<String>,
}

/// Which rows are looked at.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) pipeline: String,
    pub(super) topic: String,
}

/// Connects. The connection ends with its client.
///
/// # Errors
/// When nobody answers, or the URL asks for TLS.
pub(super) async fn connect(url: &str) -> anyhow::Result<Client> {
    let config: tokio_postgres::Config =
        url.parse().context("the PostgreSQL URL cannot be read")?;
    if config.get_ssl_mode() == SslMode::Require {
        bail!(
            "verify speaks to PostgreSQL without TLS: drop sslmode=require, over a tunnel or the loopback interface"
        );
    }
    let hosts = format!("{:?} port {:?}", config.get_hosts(), config.get_ports());
    let (client, connection) = config.connect(NoTls).await.with_context(|| {
        format!("PostgreSQL does not answer at {hosts}; `cargo dx up` starts it")
    })?;
    tokio::spawn(connection);
    Ok(client)
}

/// Begins the snapshot that everything is compared in.
pub(super) async fn snapshot(client: &mut Client) -> anyhow::Result<Transaction<'_>> {
    let begin = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead);
    Ok(begin.read_only(true).start().await?)
}

/// The pipeline's checkpoints of the topic, by partition.
///
/// # Errors
/// When the tables are not there.
pub(super) async fn checkpoints(
    client: &impl tokio_postgres::GenericClient,
    scope: &Scope,
) -> anyhow::Result<Vec<Checkpoint>> {
    let rows = client
        .query(
            "SELECT partition, topic_id, partition_count, next_offset, replay_from, records, split_key,
                    stopped_reason || coalesce(': ' || stopped_detail, ''),
                    ARRAY[applied, duplicates, late, undecodable, unsupported, key_mismatch, invalid, conflict, orphan,
                          gap_overflow]
             FROM stream_checkpoints WHERE pipeline = $1 AND topic = $2 ORDER BY partition",
            &[&scope.pipeline, &scope.topic],
        )
        .await
        .context("the history's tables cannot be read; `cargo dx migrate` makes them")?;
    rows.iter().map(checkpoint).collect()
}

fn checkpoint(row: &Row) -> anyhow::Result<Checkpoint> {
    let counts: Vec<i64> = row.try_get(8)?;
    Ok(Checkpoint {
        partition: row.try_get(0)?,
        topic_id: row.try_get(1)?,
        partition_count: row.try_get(2)?,
        next_offset: row.try_get(3)?,
        replay_from: row.try_get(4)?,
        records: row.try_get(5)?,
        split_key: row.try_get(6)?,
        stopped: row.try_get(7)?,
        counts: counts
            .try_into()
            .map_err(|_counts| anyhow::anyhow!("a checkpoint without all its counters"))?,
    })
}

/// A row of `game_directory`.
#[derive(Debug)]
pub(super) struct DirectoryRow {
    pub(super) game_id: String,
    pub(super) ended_us: i64,
    pub(super) end: String,
    pub(super) topic_id: String,
    pub(super) end_offset: i64,
}

pub(super) const DIRECTORY: &str =
    "SELECT game_id, (extract(epoch FROM ended_at) * 1000000)::bigint, \"end\", topic_id,
    end_offset FROM game_directory WHERE partition = $1 AND end_offset >= $2";

impl TryFrom<&Row> for DirectoryRow {
    type Error = tokio_postgres::Error;
    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self {
            game_id: row.try_get(0)?,
            ended_us: row.try_get(1)?,
            end: row.try_get(2)?,
            topic_id: row.try_get(3)?,
            end_offset: row.try_get(4)?,
        })
    }
}

/// A row of `games`.
#[derive(Debug)]
pub(super) struct GameRow {
    pub(super) game_id: String,
    pub(super) ended_us: i64,
    pub(super) started_us: i64,
    pub(super) game: String,
    pub(super) variant: String,
    pub(super) mode: String,
    pub(super) time_control: Option<String>,
    pub(super) region: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) tournament: Option<String>,
    pub(super) start_position: Option<String>,
    pub(super) result: String,
    pub(super) winner: Option<String>,
    pub(super) termination: String,
    pub(super) opening_code: Option<String>,
    pub(super) opening_name: Option<String>,
    pub(super) move_count: i32,
    pub(super) incomplete: bool,
    /// JSON as it stands.
    pub(super) players: String,
    pub(super) moves: Vec<u8>,
}

pub(super) const GAMES: &str = "SELECT g.game_id, (extract(epoch FROM g.ended_at) * 1000000)::bigint,
    (extract(epoch FROM g.started_at) * 1000000)::bigint, g.game, g.variant, g.mode, g.time_control, g.region, g.platform,
    g.tournament, g.start_position, g.result, g.winner, g.termination, g.opening_code, g.opening_name, g.move_count,
    g.incomplete, g.players::text, g.moves
    FROM games g JOIN game_directory d ON d.game_id = g.game_id WHERE d.partition = $1 AND d.end_offset >= $2";

impl TryFrom<&Row> for GameRow {
    type Error = tokio_postgres::Error;
    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self {
            game_id: row.try_get(0)?,
            ended_us: row.try_get(1)?,
            started_us: row.try_get(2)?,
            game: row.try_get(3)?,
            variant: row.try_get(4)?,
            mode: row.try_get(5)?,
            time_control: row.try_get(6)?,
            region: row.try_get(7)?,
            platform: row.try_get(8)?,
            tournament: row.try_get(9)?,
            start_position: row.try_get(10)?,
            result: row.try_get(11)?,
            winner: row.try_get(12)?,
            termination: row.try_get(13)?,
            opening_code: row.try_get(14)?,
            opening_name: row.try_get(15)?,
            move_count: row.try_get(16)?,
            incomplete: row.try_get(17)?,
            players: row.try_get(18)?,
            moves: row.try_get(19)?,
        })
    }
}

/// A row of `player_games`.
#[derive(Debug)]
pub(super) struct PlayerRow {
    pub(super) player_id: String,
    pub(super) game_id: String,
    pub(super) ended_us: i64,
    pub(super) started_us: i64,
    pub(super) role: String,
    pub(super) result: String,
    pub(super) opponents: Vec<String>,
    pub(super) opponent_rating: Option<i32>,
    pub(super) rating: Option<i32>,
    pub(super) rating_after: Option<i32>,
    pub(super) game: String,
    pub(super) variant: String,
    pub(super) mode: String,
    pub(super) time_control: Option<String>,
    pub(super) region: Option<String>,
    pub(super) tournament: Option<String>,
    pub(super) termination: String,
    pub(super) opening_code: Option<String>,
    pub(super) opening_name: Option<String>,
    pub(super) move_count: i32,
    pub(super) incomplete: bool,
}

pub(super) const PLAYERS: &str = "SELECT p.player_id, p.game_id, (extract(epoch FROM p.ended_at) * 1000000)::bigint,
    (extract(epoch FROM p.started_at) * 1000000)::bigint, p.role, p.result, p.opponents, p.opponent_rating, p.rating,
    p.rating_after, p.game, p.variant, p.mode, p.time_control, p.region, p.tournament, p.termination, p.opening_code,
    p.opening_name, p.move_count, p.incomplete
    FROM player_games p JOIN game_directory d ON d.game_id = p.game_id WHERE d.partition = $1 AND d.end_offset >= $2";

impl TryFrom<&Row> for PlayerRow {
    type Error = tokio_postgres::Error;
    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self {
            player_id: row.try_get(0)?,
            game_id: row.try_get(1)?,
            ended_us: row.try_get(2)?,
            started_us: row.try_get(3)?,
            role: row.try_get(4)?,
            result: row.try_get(5)?,
            opponents: row.try_get(6)?,
            opponent_rating: row.try_get(7)?,
            rating: row.try_get(8)?,
            rating_after: row.try_get(9)?,
            game: row.try_get(10)?,
            variant: row.try_get(11)?,
            mode: row.try_get(12)?,
            time_control: row.try_get(13)?,
            region: row.try_get(14)?,
            tournament: row.try_get(15)?,
            termination: row.try_get(16)?,
            opening_code: row.try_get(17)?,
            opening_name: row.try_get(18)?,
            move_count: row.try_get(19)?,
            incomplete: row.try_get(20)?,
        })
    }
}

/// A row of `dead_letters`.
#[derive(Debug)]
pub(super) struct DeadLetterRow {
    pub(super) offset: i64,
    pub(super) topic_id: String,
    pub(super) reason: String,
    pub(super) detail: String,
    pub(super) game_id: Option<String>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) raw: Option<Vec<u8>>,
    /// JSON as it stands.
    pub(super) headers: String,
    pub(super) recorded_us: Option<i64>,
}

pub(super) const DEAD_LETTERS: &str =
    "SELECT \"offset\", topic_id, reason, detail, game_id, key, raw, headers::text,
    (extract(epoch FROM recorded_at) * 1000000)::bigint
    FROM dead_letters WHERE partition = $1 AND pipeline = $2 AND topic = $3 AND \"offset\" >= $4";

impl TryFrom<&Row> for DeadLetterRow {
    type Error = tokio_postgres::Error;
    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self {
            offset: row.try_get(0)?,
            topic_id: row.try_get(1)?,
            reason: row.try_get(2)?,
            detail: row.try_get(3)?,
            game_id: row.try_get(4)?,
            key: row.try_get(5)?,
            raw: row.try_get(6)?,
            headers: row.try_get(7)?,
            recorded_us: row.try_get(8)?,
        })
    }
}

/// A row of `live_games`, its state unread.
#[derive(Debug)]
pub(super) struct LiveRow {
    pub(super) game_id: String,
    pub(super) as_of_offset: i64,
}

pub(super) const LIVE: &str = "SELECT game_id, as_of_offset FROM live_games WHERE partition = $1";

impl TryFrom<&Row> for LiveRow {
    type Error = tokio_postgres::Error;
    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self {
            game_id: row.try_get(0)?,
            as_of_offset: row.try_get(1)?,
        })
    }
}

/// The games of a partition that ended below an offset, with their ends' lines.
///
/// # Errors
/// When the directory cannot be read.
pub(super) async fn over_before(
    snapshot: &Transaction<'_>,
    partition: i32,
    below: i64,
) -> anyhow::Result<Vec<(String, String)>> {
    let rows = snapshot
        .query(
            "SELECT game_id, \"end\" FROM game_directory WHERE partition = $1 AND end_offset < $2",
            &[&partition, &below],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// A hole in the log that an operator has accepted.
#[derive(Debug, Clone)]
pub(super) struct AcceptedGap {
    pub(super) partition: i32,
    pub(super) from_offset: i64,
    pub(super) to_offset: i64,
    pub(super) replay_from: i64,
    pub(super) accepted_by: String,
    pub(super) reason: String,
}

/// The accepted holes of the topic.
///
/// # Errors
/// When the table cannot be read.
pub(super) async fn accepted_gaps(
    snapshot: &Transaction<'_>,
    scope: &Scope,
) -> anyhow::Result<Vec<AcceptedGap>> {
    let rows = snapshot
        .query(
            "SELECT partition, from_offset, to_offset, replay_from, accepted_by, reason FROM accepted_gaps
             WHERE pipeline = $1 AND topic = $2 ORDER BY partition, accepted_at",
            &[&scope.pipeline, &scope.topic],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AcceptedGap {
                partition: row.try_get(0)?,
                from_offset: row.try_get(1)?,
                to_offset: row.try_get(2)?,
                replay_from: row.try_get(3)?,
                accepted_by: row.try_get(4)?,
                reason: row.try_get(5)?,
            })
        })
        .collect()
}

/// Streams the rows of a statement.
pub(super) async fn rows<'a, R>(
    snapshot: &'a Transaction<'_>,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> anyhow::Result<impl Stream<Item = anyhow::Result<R>> + Unpin + use<'a, R>>
where
    R: for<'r> TryFrom<&'r Row, Error = tokio_postgres::Error>,
{
    let parameters = parameters.iter().map(|p| *p as &dyn ToSql);
    let parameters: Vec<&dyn ToSql> = parameters.collect();
    let rows = snapshot.query_raw(statement, parameters).await?;
    let rows = rows.err_into::<anyhow::Error>();
    Ok(Box::pin(rows.and_then(|row| {
        std::future::ready(R::try_from(&row).map_err(Into::into))
    })))
}

/// What stands in a table and belongs to no partition that is compared: a table, what the row is about, and why it is foreign.
///
/// # Errors
/// When a table cannot be read.
pub(super) async fn strays(
    snapshot: &Transaction<'_>,
    scope: &Scope,
    partitions: &[i32],
) -> anyhow::Result<Vec<(&'static str, String, &'static str)>> {
    const NO_ENTRY: &str = "its game has no row in game_directory";
    const NO_PARTITION: &str = "the topic has no such partition";
    let none: &[&(dyn ToSql + Sync)] = &[];
    let mut strays = Vec::new();
    let by_game = "WHERE NOT EXISTS (SELECT FROM game_directory d WHERE d.game_id = t.game_id)";
    for (table, subject) in [
        ("games", "format('game %s', game_id)"),
        (
            "player_games",
            "format('player %s in game %s', player_id, game_id)",
        ),
    ] {
        for row in snapshot
            .query(&format!("SELECT {subject} FROM {table} t {by_game}"), none)
            .await?
        {
            strays.push((table, row.try_get(0)?, NO_ENTRY));
        }
    }
    for (table, subject) in [
        (
            "game_directory",
            "format('game %s of partition %s', game_id, partition)",
        ),
        (
            "live_games",
            "format('game %s of partition %s', game_id, partition)",
        ),
    ] {
        let statement = format!("SELECT {subject} FROM {table} WHERE partition <> ALL ($1)");
        for row in snapshot.query(&statement, &[&partitions]).await? {
            strays.push((table, row.try_get(0)?, NO_PARTITION));
        }
    }
    for (table, subject) in [
        (
            "dead_letters",
            "format('partition %s offset %s', partition, \"offset\")",
        ),
        ("stream_checkpoints", "format('partition %s', partition)"),
    ] {
        let statement = format!(
            "SELECT {subject} FROM {table} WHERE pipeline = $1 AND topic = $2 AND partition <> ALL ($3)"
        );
        for row in snapshot
            .query(&statement, &[&scope.pipeline, &scope.topic, &partitions])
            .await?
        {
            strays.push((table, row.try_get(0)?, NO_PARTITION));
        }
    }
    Ok(strays)
}

/// The partition that the directory has each of these games from.
pub(super) async fn homes(
    snapshot: &Transaction<'_>,
    games: &[String],
) -> anyhow::Result<Vec<(String, i32)>> {
    let rows = snapshot
        .query(
            "SELECT game_id, partition FROM game_directory WHERE game_id = ANY ($1)",
            &[&games],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}
