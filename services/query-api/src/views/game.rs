//! One game with all its moves, finished or in progress: the same fields, null where there is nothing to say yet.

use chrono::{DateTime, Utc};
use domain::{EventTime, FinishedGame, FinishedPlayer, Move, NewGame, NewPlayer, PackedMoves};
use serde::Serialize;
use service::Problem;
use store::read::LiveSnapshot;
use utoipa::ToSchema;

use super::{OpeningView, optional_timestamp, timestamp};

/// A game with all its moves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Game)]
pub(crate) struct GameView {
    /// The platform's id of the game.
    #[schema(example = "q7ZvsdUF")]
    id: String,
    /// Whether it is over.
    status: Status,
    /// Which game.
    #[schema(example = "chess")]
    game: String,
    /// Which rules.
    #[schema(example = "standard")]
    variant: String,
    /// In which setting.
    #[schema(example = "rated")]
    mode: String,
    /// How time was kept.
    #[schema(required, example = "180+1")]
    time_control: Option<String>,
    /// Where it was played.
    #[schema(required, example = "eu")]
    region: Option<String>,
    /// What it was played on.
    #[schema(required, example = "web")]
    platform: Option<String>,
    /// The tournament it belongs to.
    #[schema(required)]
    tournament: Option<String>,
    /// The position it began from, where that is not the usual one (FEN for chess).
    #[schema(required)]
    start_position: Option<String>,
    /// When it began, by its producer's clock.
    #[serde(serialize_with = "timestamp")]
    started_at: DateTime<Utc>,
    /// When it ended, by its producer's clock; null while it goes on.
    #[serde(serialize_with = "optional_timestamp")]
    #[schema(required)]
    ended_at: Option<DateTime<Utc>>,
    /// How long it took; null while it goes on.
    #[schema(required, minimum = 0, example = 351_204)]
    duration_ms: Option<i64>,
    /// How it ended; null while it goes on. `none` is a game without a result, such as an aborted one.
    #[schema(required)]
    result: Option<GameResultView>,
    /// Who won.
    #[schema(required, example = "magnus")]
    winner: Option<String>,
    /// By what it ended; null while it goes on.
    #[schema(required, example = "checkmate")]
    termination: Option<String>,
    /// The opening, where its producer knew it.
    #[schema(required)]
    opening: Option<OpeningView>,
    /// A move is missing, or the producer counted more moves than arrived.
    incomplete: bool,
    /// How many moves there are.
    #[schema(example = 61)]
    move_count: u32,
    /// The players in seat order.
    players: Vec<SeatView>,
    /// The moves in order. Of a game that is incomplete, plies may be missing.
    moves: Vec<MoveView>,
    /// The position after the last move (FEN). Null for other games than chess, for rules that are not known here, and for
    /// moves that are not legal or not complete.
    #[schema(required, example = "4r1k1/5ppp/8/8/8/8/5PPP/4R1K1 w - - 0 31")]
    final_position: Option<String>,
    /// Of a game in progress: the time of the last event that is in this answer.
    #[serde(serialize_with = "optional_timestamp")]
    #[schema(required)]
    as_of: Option<DateTime<Utc>>,
    /// Of a game in progress: the last offset of its partition that is in this answer.
    #[schema(required, minimum = 0, example = 4711)]
    as_of_offset: Option<i64>,
}

/// Whether a game is over.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GameStatus)]
enum Status {
    Finished,
    InProgress,
}

/// How a game ended.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = GameResult)]
pub(super) enum GameResultView {
    /// Somebody won.
    Win,
    /// Nobody won.
    Draw,
    /// It has no result.
    None,
}

impl GameResultView {
    pub(super) fn of(won: bool, drawn: bool) -> Self {
        match (won, drawn) {
            (true, _) => Self::Win,
            (false, true) => Self::Draw,
            (false, false) => Self::None,
        }
    }
}

/// What a game was for one player.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PlayerResult)]
pub(super) enum PlayerResultView {
    Win,
    Loss,
    Draw,
    None,
}

/// A player of a game.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Player)]
pub(crate) struct SeatView {
    /// Who.
    #[schema(example = "magnus")]
    id: String,
    /// Which side or seat.
    #[schema(example = "white")]
    role: String,
    /// The rating before the game.
    #[schema(required, example = 2850)]
    rating: Option<i32>,
    /// The rating after the game.
    #[schema(required, example = 2853)]
    rating_after: Option<i32>,
    /// What the game was for this player; null while it goes on.
    #[schema(required)]
    result: Option<PlayerResultView>,
}

/// One move.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Move)]
pub(crate) struct MoveView {
    /// Which move, counting plies from 1.
    #[schema(minimum = 1, example = 1)]
    ply: u32,
    /// Who moved.
    #[schema(example = "magnus")]
    player_id: String,
    /// The move as its game writes it: UCI for chess.
    #[serde(rename = "move")]
    #[schema(example = "e2e4")]
    text: String,
    /// The mover's clock after the move, in milliseconds.
    #[schema(required, example = 179_900)]
    clock_ms: Option<u64>,
    /// When, by the producer's clock.
    #[serde(serialize_with = "timestamp")]
    at: DateTime<Utc>,
}

/// The view of a finished game.
pub(crate) fn finished(game: &FinishedGame) -> Result<GameView, Problem> {
    let FinishedGame {
        id,
        created,
        started_at,
        ended_at,
        ..
    } = game;
    let moves = unpack(&game.moves, *started_at)?;
    Ok(GameView {
        status: Status::Finished,
        ended_at: Some(ended_at.to_datetime()),
        duration_ms: Some(ended_at.as_ms() - started_at.as_ms()),
        result: Some(GameResultView::of(game.winner.is_some(), game.drawn)),
        winner: game.winner.as_ref().map(ToString::to_string),
        termination: Some(game.termination.to_string()),
        opening: game.opening.as_ref().map(OpeningView::of),
        incomplete: game.incomplete,
        move_count: game.move_count,
        players: game.players.iter().map(finished_player).collect(),
        final_position: match game.incomplete {
            true => None,
            false => final_position(created, &moves),
        },
        ..common(id.as_str(), created, *started_at, &moves)?
    })
}

/// The view of a game in progress.
pub(crate) fn in_progress(id: &str, snapshot: &LiveSnapshot) -> Result<GameView, Problem> {
    let live = &snapshot.game;
    let created = live.created().map_err(Problem::internal)?;
    let moves = unpack(live.moves(), live.started_at())?;
    Ok(GameView {
        as_of: Some(live.last_applied_at().to_datetime()),
        as_of_offset: Some(snapshot.as_of_offset),
        move_count: live.applied_plies(),
        players: created.players.iter().map(live_player).collect(),
        final_position: final_position(&created, &moves),
        ..common(id, &created, live.started_at(), &moves)?
    })
}

/// What is known of a game from its beginning on.
fn common(
    id: &str,
    created: &NewGame,
    started_at: EventTime,
    moves: &[Move],
) -> Result<GameView, Problem> {
    let label = |text: &Option<domain::ShortText>| text.as_ref().map(ToString::to_string);
    Ok(GameView {
        id: id.to_owned(),
        status: Status::InProgress,
        game: created.game.to_string(),
        variant: created.variant.to_string(),
        mode: created.mode.to_string(),
        time_control: label(&created.time_control),
        region: created.region.as_ref().map(ToString::to_string),
        platform: label(&created.platform),
        tournament: label(&created.tournament),
        start_position: label(&created.start_position),
        started_at: started_at.to_datetime(),
        ended_at: None,
        duration_ms: None,
        result: None,
        winner: None,
        termination: None,
        opening: None,
        incomplete: false,
        move_count: 0,
        players: Vec::new(),
        moves: move_views(created, moves)?,
        final_position: None,
        as_of: None,
        as_of_offset: None,
    })
}

pub(super) fn unpack(moves: &PackedMoves, started_at: EventTime) -> Result<Vec<Move>, Problem> {
    moves.unpack(started_at).map_err(Problem::internal)
}

pub(super) fn move_views(created: &NewGame, moves: &[Move]) -> Result<Vec<MoveView>, Problem> {
    moves
        .iter()
        .map(|m| {
            let player = created.players.get(usize::from(m.player)).ok_or_else(|| {
                Problem::internal(format!("move {} is by player {}", m.ply, m.player))
            })?;
            Ok(MoveView {
                ply: m.ply,
                player_id: player.id.to_string(),
                text: m.text.to_string(),
                clock_ms: m.clock_ms,
                at: m.at.to_datetime(),
            })
        })
        .collect()
}

pub(super) fn finished_player(player: &FinishedPlayer) -> SeatView {
    SeatView {
        id: player.id.to_string(),
        role: player.role.to_string(),
        rating: player.rating,
        rating_after: player.rating_after,
        result: Some(match player.result {
            domain::PlayerResult::Win => PlayerResultView::Win,
            domain::PlayerResult::Loss => PlayerResultView::Loss,
            domain::PlayerResult::Draw => PlayerResultView::Draw,
            domain::PlayerResult::None => PlayerResultView::None,
        }),
    }
}

fn live_player(player: &NewPlayer) -> SeatView {
    SeatView {
        id: player.id.to_string(),
        role: player.role.to_string(),
        rating: player.rating,
        rating_after: None,
        result: None,
    }
}

/// Whether it is a game whose rules are known here.
pub(super) fn has_known_rules(created: &NewGame) -> bool {
    created.game.as_str() == "chess" && PLAYED_BY_STANDARD_RULES.contains(&created.variant.as_str())
}

/// The position after the moves, for the one game whose rules are known here.
pub(super) fn final_position(created: &NewGame, moves: &[Move]) -> Option<String> {
    if !has_known_rules(created) {
        return None;
    }
    let start = created.start_position.as_ref().map(AsRef::as_ref);
    chess::replay(start, moves.iter().map(|m| &*m.text)).ok()
}

/// The variants that differ from standard chess in nothing but where they begin.
const PLAYED_BY_STANDARD_RULES: [&str; 2] = ["standard", "from_position"];
