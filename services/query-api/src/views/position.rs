//! A game as it stood after one of its plies.

use domain::{Move, NewGame};
use serde::Serialize;
use service::Problem;
use utoipa::ToSchema;

use super::game::{MoveView, final_position, move_views};

/// A game as it stood after one of its plies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Position)]
pub(crate) struct PositionView {
    /// The game.
    #[schema(example = "q7ZvsdUF")]
    game_id: String,
    /// After which ply; 0 is before the first move.
    #[schema(minimum = 0, example = 12)]
    at: usize,
    /// How many plies the game has so far.
    #[schema(minimum = 0, example = 61)]
    plies: usize,
    /// The position (FEN). Null for other games than chess, for rules that are not known here, and behind a move that is
    /// missing or not legal.
    #[schema(
        required,
        example = "rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2"
    )]
    fen: Option<String>,
    /// Each player's clock, in seat order.
    clocks: Vec<ClockView>,
    /// The moves up to here.
    moves: Vec<MoveView>,
}

/// A player's clock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlayerClock)]
pub(crate) struct ClockView {
    /// Whose.
    #[schema(example = "magnus")]
    player_id: String,
    /// Which side or seat.
    #[schema(example = "white")]
    role: String,
    /// What it showed after the player's last move, in milliseconds; null before that, and where no clock was kept.
    #[schema(required, example = 179_900)]
    clock_ms: Option<u64>,
}

/// The view after ply `at`, or after the last one. `None` when the game has no such ply.
pub(crate) fn position(
    id: &str,
    created: &NewGame,
    moves: &[Move],
    at: Option<usize>,
) -> Result<Option<PositionView>, Problem> {
    // By their numbers: of an incomplete game, plies may be missing.
    let plies = moves.last().map_or(0, |last| last.ply as usize);
    let at = at.unwrap_or(plies);
    if at > plies {
        return Ok(None);
    }
    let shown = moves.partition_point(|m| m.ply as usize <= at);
    let moves = &moves[..shown];
    let complete = (1_u32..).zip(moves).all(|(ply, m)| m.ply == ply) && shown == at;
    let clock = |seat: usize| {
        let last = moves.iter().rev().find(|m| usize::from(m.player) == seat);
        last.and_then(|m| m.clock_ms)
    };
    let clocks = created.players.iter().enumerate();
    Ok(Some(PositionView {
        game_id: id.to_owned(),
        at,
        plies,
        fen: complete.then(|| final_position(created, moves)).flatten(),
        clocks: clocks
            .map(|(seat, player)| ClockView {
                player_id: player.id.to_string(),
                role: player.role.to_string(),
                clock_ms: clock(seat),
            })
            .collect(),
        moves: move_views(created, moves)?,
    }))
}
