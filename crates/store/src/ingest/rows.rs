//! The rows of a batch, a statement a table: arrays through `UNNEST`, so that a session prepares a statement once, whatever the
//! batch.

use diesel::QueryResult;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::ShortText;
use serde_json::{Value, json};

use super::commit::GameRow;
use super::{Batch, DeadLetter, Finished, Scope};
use crate::kept::Keep as _;

/// Joins several ids into one text of an array: no id has control characters.
const SEPARATOR: &str = "\u{1f}";

fn column<'a, T, U>(rows: &'a [T], value: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}

fn text(value: Option<&ShortText>) -> Option<&str> {
    value.map(ShortText::as_str)
}

fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

pub(super) async fn insert_directory(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
) -> QueryResult<Vec<GameRow>> {
    // Sorted, so that two partitions that wrongly share games can't deadlock.
    let mut games: Vec<&Finished> = batch.finished.iter().collect();
    games.sort_unstable_by(|a, b| a.game.id.cmp(&b.game.id));
    sql_query(
        "INSERT INTO game_directory (game_id, ended_at, \"end\", topic_id, partition, end_offset) \
         SELECT u.game_id, u.ended_at, u.\"end\", $5, $6, u.end_offset \
         FROM UNNEST($1::text[], $2::timestamptz[], $3::text[], $4::bigint[]) AS u(game_id, ended_at, \"end\", end_offset) \
         ON CONFLICT (game_id) DO NOTHING RETURNING game_id",
    )
    .bind::<Array<Text>, _>(column(&games, |f| f.game.id.as_str()))
    .bind::<Array<Timestamptz>, _>(column(&games, |f| f.game.ended_at.to_datetime()))
    .bind::<Array<Text>, _>(column(&games, |f| f.game.end_fingerprint.as_str()))
    .bind::<Array<BigInt>, _>(column(&games, |f| f.end.offset))
    .bind::<Text, _>(&batch.scope.topic_id)
    .bind::<Integer, _>(batch.scope.partition)
    .kept()
    .load(connection)
    .await
}

/// Where finished games go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shelf {
    /// The partitioned tables.
    Hot,
    /// The tables for games that ended below the retention floor, on their way to the summaries.
    BelowFloor,
}

impl Shelf {
    fn suffix(self) -> &'static str {
        match self {
            Self::Hot => "",
            Self::BelowFloor => "_below_floor",
        }
    }
}

pub(super) async fn insert_games(
    connection: &mut AsyncPgConnection,
    shelf: Shelf,
    games: &[&Finished],
) -> QueryResult<()> {
    if games.is_empty() {
        return Ok(());
    }
    let suffix = shelf.suffix();
    sql_query(format!(
        "INSERT INTO games{suffix} (game_id, ended_at, started_at, game, variant, mode, time_control, region, platform, tournament, \
         start_position, result, winner, termination, opening_code, opening_name, move_count, incomplete, players, moves) \
         SELECT * FROM UNNEST($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], \
         $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], \
         $16::text[], $17::int[], $18::bool[], $19::jsonb[], $20::bytea[])",
    ))
    .bind::<Array<Text>, _>(column(games, |f| f.game.id.as_str()))
    .bind::<Array<Timestamptz>, _>(column(games, |f| f.game.ended_at.to_datetime()))
    .bind::<Array<Timestamptz>, _>(column(games, |f| f.game.started_at.to_datetime()))
    .bind::<Array<Text>, _>(column(games, |f| f.game.created.game.as_str()))
    .bind::<Array<Text>, _>(column(games, |f| f.game.created.variant.as_str()))
    .bind::<Array<Text>, _>(column(games, |f| f.game.created.mode.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(games, |f| text(f.game.created.time_control.as_ref())))
    .bind::<Array<Nullable<Text>>, _>(column(games, |f| f.game.created.region.as_ref().map(AsRef::<str>::as_ref)))
    .bind::<Array<Nullable<Text>>, _>(column(games, |f| text(f.game.created.platform.as_ref())))
    .bind::<Array<Nullable<Text>>, _>(column(games, |f| text(f.game.created.tournament.as_ref())))
    .bind::<Array<Nullable<Text>>, _>(column(games, |f| text(f.game.created.start_position.as_ref())))
    .bind::<Array<Text>, _>(column(games, |f| f.game.result()))
    .bind::<Array<Nullable<Text>>, _>(column(games, |f| f.game.winner.as_ref().map(AsRef::<str>::as_ref)))
    .bind::<Array<Text>, _>(column(games, |f| f.game.termination.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(games, |f| f.game.opening.as_ref().map(|o| o.code.as_str())))
    .bind::<Array<Nullable<Text>>, _>(column(games, |f| f.game.opening.as_ref().and_then(|o| text(o.name.as_ref()))))
    .bind::<Array<Integer>, _>(column(games, |f| count(f.game.move_count)))
    .bind::<Array<Bool>, _>(column(games, |f| f.game.incomplete))
    .bind::<Array<Jsonb>, _>(column(games, |f| json!(f.game.players)))
    .bind::<Array<Binary>, _>(column(games, |f| f.game.moves.as_bytes()))
    .kept()
    .execute(connection)
    .await?;
    Ok(())
}

/// A player's seat in a finished game.
struct Seat<'a> {
    finished: &'a Finished,
    player: &'a domain::FinishedPlayer,
}

impl<'a> Seat<'a> {
    fn all(games: &[&'a Finished]) -> Vec<Self> {
        let seats = games.iter().flat_map(|finished| {
            finished
                .game
                .players
                .iter()
                .map(move |player| Seat { finished, player })
        });
        seats.collect()
    }

    fn opponents(&self) -> impl Iterator<Item = &'a domain::FinishedPlayer> {
        let me = &self.player.id;
        self.finished
            .game
            .players
            .iter()
            .filter(move |p| p.id != *me)
    }

    fn opponent_ids(&self) -> String {
        self.opponents()
            .map(|p| p.id.as_str())
            .collect::<Vec<_>>()
            .join(SEPARATOR)
    }

    fn opponent_rating(&self) -> Option<i32> {
        let mut opponents = self.opponents();
        let only = opponents.next()?;
        if opponents.next().is_some() {
            None
        } else {
            only.rating
        }
    }
}

pub(super) async fn insert_player_games(
    connection: &mut AsyncPgConnection,
    shelf: Shelf,
    games: &[&Finished],
) -> QueryResult<()> {
    if games.is_empty() {
        return Ok(());
    }
    let (seats, suffix) = (Seat::all(games), shelf.suffix());
    sql_query(format!(
        "INSERT INTO player_games{suffix} (player_id, ended_at, game_id, started_at, role, result, opponents, opponent_rating, rating, \
         rating_after, game, variant, mode, time_control, region, tournament, termination, opening_code, opening_name, \
         move_count, incomplete) \
         SELECT player_id, ended_at, game_id, started_at, role, result, string_to_array(opponents, E'\\x1f'), \
         opponent_rating, rating, rating_after, game, variant, mode, time_control, region, tournament, termination, \
         opening_code, opening_name, move_count, incomplete \
         FROM UNNEST($1::text[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], \
         $8::int[], $9::int[], $10::int[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], \
         $17::text[], $18::text[], $19::text[], $20::int[], $21::bool[]) \
         AS u(player_id, ended_at, game_id, started_at, role, result, opponents, opponent_rating, rating, rating_after, game, \
         variant, mode, time_control, region, tournament, termination, opening_code, opening_name, move_count, incomplete)",
    ))
    .bind::<Array<Text>, _>(column(&seats, |s| s.player.id.as_str()))
    .bind::<Array<Timestamptz>, _>(column(&seats, |s| s.finished.game.ended_at.to_datetime()))
    .bind::<Array<Text>, _>(column(&seats, |s| s.finished.game.id.as_str()))
    .bind::<Array<Timestamptz>, _>(column(&seats, |s| s.finished.game.started_at.to_datetime()))
    .bind::<Array<Text>, _>(column(&seats, |s| s.player.role.as_str()))
    .bind::<Array<Text>, _>(column(&seats, |s| s.player.result.as_str()))
    .bind::<Array<Text>, _>(column(&seats, Seat::opponent_ids))
    .bind::<Array<Nullable<Integer>>, _>(column(&seats, Seat::opponent_rating))
    .bind::<Array<Nullable<Integer>>, _>(column(&seats, |s| s.player.rating))
    .bind::<Array<Nullable<Integer>>, _>(column(&seats, |s| s.player.rating_after))
    .bind::<Array<Text>, _>(column(&seats, |s| s.finished.game.created.game.as_str()))
    .bind::<Array<Text>, _>(column(&seats, |s| s.finished.game.created.variant.as_str()))
    .bind::<Array<Text>, _>(column(&seats, |s| s.finished.game.created.mode.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(&seats, |s| text(s.finished.game.created.time_control.as_ref())))
    .bind::<Array<Nullable<Text>>, _>(column(&seats, |s| {
        s.finished.game.created.region.as_ref().map(AsRef::<str>::as_ref)
    }))
    .bind::<Array<Nullable<Text>>, _>(column(&seats, |s| text(s.finished.game.created.tournament.as_ref())))
    .bind::<Array<Text>, _>(column(&seats, |s| s.finished.game.termination.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(&seats, |s| s.finished.game.opening.as_ref().map(|o| o.code.as_str())))
    .bind::<Array<Nullable<Text>>, _>(column(&seats, |s| {
        s.finished.game.opening.as_ref().and_then(|o| text(o.name.as_ref()))
    }))
    .bind::<Array<Integer>, _>(column(&seats, |s| count(s.finished.game.move_count)))
    .bind::<Array<Bool>, _>(column(&seats, |s| s.finished.game.incomplete))
    .kept()
    .execute(connection)
    .await?;
    Ok(())
}

/// Brings the rows of live games up to date: those of ended games go, the others get their snapshots.
///
/// One statement. As what is not there is inserted, Postgres must go through the arrays and look for each game; a join that it
/// may turn around would go through the arrays for each row once its plan was made while the table was empty.
pub(super) async fn write_live_games(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
) -> QueryResult<()> {
    let ended = batch.ended_rows.iter().map(|id| (id.as_str(), None));
    let snapshots = batch.snapshots.iter();
    let snapshots = snapshots.map(|s| (s.game_id.as_str(), Some(s.state.as_slice())));
    let (ids, states): (Vec<_>, Vec<_>) = ended.chain(snapshots).unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sql_query(
        "MERGE INTO live_games AS l USING UNNEST($3::text[], $4::bytea[]) AS u(game_id, state) \
         ON l.partition = $1 AND l.game_id = u.game_id \
         WHEN MATCHED AND u.state IS NULL THEN DELETE \
         WHEN MATCHED THEN UPDATE SET as_of_offset = $2, state = u.state, snapshotted_at = now() \
         WHEN NOT MATCHED AND u.state IS NOT NULL THEN \
         INSERT (partition, game_id, as_of_offset, state) VALUES ($1, u.game_id, $2, u.state)",
    )
    .bind::<Integer, _>(batch.scope.partition)
    .bind::<BigInt, _>(batch.as_of_offset())
    .bind::<Array<Text>, _>(ids)
    .bind::<Array<Nullable<Binary>>, _>(states)
    .kept()
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn insert_dead_letters(
    connection: &mut AsyncPgConnection,
    scope: &Scope,
    letters: impl Iterator<Item = &DeadLetter>,
) -> QueryResult<()> {
    let letters: Vec<&DeadLetter> = letters.collect();
    if letters.is_empty() {
        return Ok(());
    }
    sql_query(
        "INSERT INTO dead_letters (pipeline, topic_id, partition, \"offset\", topic, reason, detail, game_id, key, raw, headers, \
         recorded_at) \
         SELECT $1, $2, $3, u.\"offset\", $4, u.reason, u.detail, u.game_id, u.key, u.raw, u.headers, u.recorded_at \
         FROM UNNEST($5::bigint[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::jsonb[], \
         $12::timestamptz[]) AS u(\"offset\", reason, detail, game_id, key, raw, headers, recorded_at)",
    )
    .bind::<Text, _>(&scope.pipeline)
    .bind::<Text, _>(&scope.topic_id)
    .bind::<Integer, _>(scope.partition)
    .bind::<Text, _>(&scope.topic)
    .bind::<Array<BigInt>, _>(column(&letters, |l| l.record.offset))
    .bind::<Array<Text>, _>(column(&letters, |l| l.reason.as_str()))
    .bind::<Array<Text>, _>(column(&letters, |l| l.detail.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(&letters, |l| l.game_id.as_ref().map(AsRef::<str>::as_ref)))
    .bind::<Array<Nullable<Binary>>, _>(column(&letters, |l| l.record.key.as_deref()))
    .bind::<Array<Nullable<Binary>>, _>(column(&letters, |l| l.record.value.as_deref()))
    .bind::<Array<Jsonb>, _>(column(&letters, |l| headers_json(&l.record.headers)))
    .bind::<Array<Nullable<Timestamptz>>, _>(column(&letters, |l| l.record.recorded_at))
    .kept()
    .execute(connection)
    .await?;
    Ok(())
}

/// `[["name", "base64" or null], …]`: header values are bytes, names may repeat.
fn headers_json(headers: &[(String, Option<Vec<u8>>)]) -> Value {
    use base64::Engine;
    let encode = |value: &Option<Vec<u8>>| {
        value
            .as_ref()
            .map(|v| base64::engine::general_purpose::STANDARD.encode(v))
    };
    // Postgres refuses NUL in text, and a header's name is untrusted.
    headers
        .iter()
        .map(|(name, value)| json!([name.replace('\0', "\u{fffd}"), encode(value)]))
        .collect()
}
