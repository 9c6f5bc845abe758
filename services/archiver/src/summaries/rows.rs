//! The database's rows as the archive's.

use archive::summaries::{
    Compared, GameRow, MadeMove, PlayerRow, Rows, Seat, Summaries, SummaryManifest, compare,
};
use chrono::NaiveDate;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use store::StoreError;
use store::summaries::{Snapshot, Source, SummaryGame, SummaryPlayerRow};

use super::SummaryError;

/// Games of the database as the archive has them.
pub(super) fn games(
    rows: impl Stream<Item = Result<SummaryGame, StoreError>>,
) -> impl Stream<Item = Result<GameRow, SummaryError>> {
    rows.map(|row| game(row?))
}

/// Player rows of the database as the archive has them.
pub(super) fn player_rows(
    rows: impl Stream<Item = Result<SummaryPlayerRow, StoreError>>,
) -> impl Stream<Item = Result<PlayerRow, SummaryError>> {
    rows.map_ok(player_row).map_err(SummaryError::from)
}

/// Holds a revision's games against the database's.
pub(crate) async fn compare_games(
    summaries: &Summaries,
    manifest: Option<&SummaryManifest>,
    snapshot: &mut Snapshot<'_>,
    source: Source,
    day: NaiveDate,
    regions: &[Option<String>],
) -> Result<Compared, SummaryError> {
    let archived: Rows<GameRow> = summaries.rows(manifest);
    compare(archived, games(snapshot.games(source, day, regions).await?)).await
}

/// Holds a revision's player rows against the database's.
pub(crate) async fn compare_player_rows(
    summaries: &Summaries,
    manifest: Option<&SummaryManifest>,
    snapshot: &mut Snapshot<'_>,
    source: Source,
    day: NaiveDate,
    regions: &[Option<String>],
) -> Result<Compared, SummaryError> {
    let archived: Rows<PlayerRow> = summaries.rows(manifest);
    let rows = snapshot.player_rows(source, day, regions).await?;
    compare(archived, player_rows(rows)).await
}

fn game(row: SummaryGame) -> Result<GameRow, SummaryError> {
    let players: Vec<Seat> = row
        .players
        .into_iter()
        .map(|player| Seat {
            player_id: player.id.into(),
            role: player.role.into(),
            rating: player.rating,
            rating_after: player.rating_after,
            result: player.result.as_str().to_owned(),
        })
        .collect();
    let made = |made: domain::Move| {
        let mover = players.get(usize::from(made.player));
        let mover = mover.ok_or_else(|| SummaryError::UnknownMover {
            game_id: row.game_id.clone(),
            ply: made.ply,
            player: made.player,
            players: players.len(),
        })?;
        Ok(MadeMove {
            // The fold takes no ply above 64 beyond the moves it has, so neither number comes near its limit.
            ply: i32::try_from(made.ply).unwrap_or(i32::MAX),
            player_id: mover.player_id.clone(),
            text: made.text.into(),
            clock_ms: made
                .clock_ms
                .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            moved_at: made.at.to_datetime(),
        })
    };
    let moves = row.moves.into_iter().map(made);
    let moves = moves.collect::<Result<Vec<MadeMove>, SummaryError>>()?;
    Ok(GameRow {
        game_id: row.game_id,
        ended_at: row.ended_at,
        started_at: row.started_at,
        game: row.game,
        variant: row.variant,
        mode: row.mode,
        time_control: row.time_control,
        game_region: row.region,
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

fn player_row(row: SummaryPlayerRow) -> PlayerRow {
    PlayerRow {
        player_id: row.player_id,
        ended_at: row.ended_at,
        game_id: row.game_id,
        started_at: row.started_at,
        role: row.role,
        result: row.result,
        opponents: row.opponents,
        opponent_rating: row.opponent_rating,
        rating: row.rating,
        rating_after: row.rating_after,
        game: row.game,
        variant: row.variant,
        mode: row.mode,
        time_control: row.time_control,
        game_region: row.region,
        tournament: row.tournament,
        termination: row.termination,
        opening_code: row.opening_code,
        opening_name: row.opening_name,
        move_count: row.move_count,
        incomplete: row.incomplete,
    }
}
