//! A finished game out of its row in the summaries: the inverse of what the archiver makes of it.
//!
//! A row is read as hostile: every text goes through the type that the domain has for it.

use archive::summaries::{GameRow, MadeMove, Seat};
use domain::{
    EventTime, FinishedGame, FinishedPlayer, GameId, MoveRef, NewGame, NewPlayer, Opening,
    PackedMoves, PlayerId, PlayerResult, ShortText, Slug,
};
use store::read::Departed;

/// The game; the directory brings what no row has.
///
/// # Errors
/// A sentence that names the column which can't be read.
pub(super) fn finished(row: GameRow, departed: &Departed) -> Result<FinishedGame, String> {
    let started_at = time("started_at", row.started_at)?;
    let players = row
        .players
        .into_iter()
        .map(player)
        .collect::<Result<Vec<FinishedPlayer>, String>>()?;
    let created = NewGame {
        players: players
            .iter()
            .map(|player| NewPlayer {
                id: player.id.clone(),
                role: player.role.clone(),
                rating: player.rating,
            })
            .collect(),
        game: slug("game", row.game)?,
        variant: slug("variant", row.variant)?,
        mode: slug("mode", row.mode)?,
        time_control: label("time_control", row.time_control)?,
        region: row
            .game_region
            .map(|region| slug("game_region", region))
            .transpose()?,
        platform: label("platform", row.platform)?,
        tournament: label("tournament", row.tournament)?,
        start_position: label("start_position", row.start_position)?,
    };
    let opening_name = label("opening_name", row.opening_name)?;
    Ok(FinishedGame {
        id: GameId::try_from(row.game_id).map_err(in_column("game_id"))?,
        created,
        started_at,
        ended_at: time("ended_at", row.ended_at)?,
        winner: row
            .winner
            .map(|id| PlayerId::try_from(id).map_err(in_column("winner")))
            .transpose()?,
        drawn: row.result == "draw",
        termination: slug("termination", row.termination)?,
        move_count: u32::try_from(row.move_count).map_err(in_column("move_count"))?,
        incomplete: row.incomplete,
        moves: moves(&row.moves, &players, started_at)?,
        opening: label("opening_code", row.opening_code)?.map(|code| Opening {
            code,
            name: opening_name,
        }),
        players,
        end_fingerprint: departed.end.clone(),
    })
}

fn player(seat: Seat) -> Result<FinishedPlayer, String> {
    let result = match seat.result.as_str() {
        "win" => PlayerResult::Win,
        "loss" => PlayerResult::Loss,
        "draw" => PlayerResult::Draw,
        "none" => PlayerResult::None,
        other => return Err(format!("players.result: `{other}` is none")),
    };
    Ok(FinishedPlayer {
        id: PlayerId::try_from(seat.player_id).map_err(in_column("players.player_id"))?,
        role: slug("players.role", seat.role)?,
        rating: seat.rating,
        rating_after: seat.rating_after,
        result,
    })
}

fn moves(
    made: &[MadeMove],
    players: &[FinishedPlayer],
    started_at: EventTime,
) -> Result<PackedMoves, String> {
    let (mut packed, mut last) = (PackedMoves::default(), (0, started_at));
    for made in made {
        let mover = players
            .iter()
            .position(|player| player.id.as_str() == made.player_id)
            .and_then(|place| u8::try_from(place).ok())
            .ok_or_else(|| format!("moves.player_id: ply {} is by no player", made.ply))?;
        let ply = u32::try_from(made.ply).map_err(in_column("moves.ply"))?;
        if ply <= last.0 {
            return Err(format!("moves.ply: {ply} comes after {}", last.0));
        }
        let clock_ms = made.clock_ms.map(u64::try_from).transpose();
        let at = time("moves.moved_at", made.moved_at)?;
        let next = MoveRef {
            ply,
            player: mover,
            text: &made.text,
            clock_ms: clock_ms.map_err(in_column("moves.clock_ms"))?,
            at,
        };
        packed.push(last, next);
        last = (ply, at);
    }
    Ok(packed)
}

fn in_column<E: std::fmt::Display>(column: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{column}: {error}")
}

fn slug(column: &'static str, text: String) -> Result<Slug, String> {
    Slug::try_from(text).map_err(in_column(column))
}

fn label(column: &'static str, text: Option<String>) -> Result<Option<ShortText>, String> {
    text.map(|text| ShortText::try_from(text).map_err(in_column(column)))
        .transpose()
}

fn time(column: &'static str, time: chrono::DateTime<chrono::Utc>) -> Result<EventTime, String> {
    EventTime::from_datetime(time).map_err(in_column(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> GameRow {
        let at = |text: &str| text.parse().unwrap();
        let seat = |id: &str, role: &str, result: &str| Seat {
            player_id: id.to_owned(),
            role: role.to_owned(),
            rating: Some(1_500),
            rating_after: None,
            result: result.to_owned(),
        };
        let made = |ply, player: &str, text: &str, clock_ms| MadeMove {
            ply,
            player_id: player.to_owned(),
            text: text.to_owned(),
            clock_ms,
            moved_at: at("2025-01-05T10:00:03.250Z"),
        };
        GameRow {
            game_id: "g-1".to_owned(),
            ended_at: at("2025-01-05T10:01:00.250Z"),
            started_at: at("2025-01-05T10:00:00Z"),
            game: "chess".to_owned(),
            variant: "standard".to_owned(),
            mode: "rated".to_owned(),
            time_control: Some("180+1".to_owned()),
            game_region: Some("eu".to_owned()),
            platform: None,
            tournament: None,
            start_position: None,
            result: "win".to_owned(),
            winner: Some("ann".to_owned()),
            termination: "resignation".to_owned(),
            opening_code: Some("C50".to_owned()),
            opening_name: None,
            move_count: 2,
            incomplete: true,
            players: vec![seat("ann", "white", "win"), seat("bob", "black", "loss")],
            // A ply is missing between the two.
            moves: vec![
                made(1, "ann", "e2e4", Some(180_000)),
                made(3, "ann", "O-O", None),
            ],
        }
    }

    fn departed() -> Departed {
        Departed {
            game_id: GameId::parse("g-1").unwrap(),
            ended_at: "2025-01-05T10:01:00.250Z".parse().unwrap(),
            end: "won resignation".to_owned(),
            topic_id: "t".to_owned(),
            partition: 0,
            end_offset: 7,
        }
    }

    #[test]
    fn a_game_comes_back_with_its_moves_and_the_gap_between_them() {
        let game = finished(row(), &departed()).unwrap();
        let moves = game.moves.unpack(game.started_at).unwrap();
        let told: Vec<_> = moves
            .iter()
            .map(|made| (made.ply, made.player, &*made.text, made.clock_ms))
            .collect();
        assert_eq!(told, [(1, 0, "e2e4", Some(180_000)), (3, 0, "O-O", None)]);
        assert_eq!(game.winner.as_ref().unwrap().as_str(), "ann");
        assert_eq!((game.result(), game.incomplete), ("win", true));
        assert_eq!(game.end_fingerprint, "won resignation");
    }

    #[test]
    fn a_row_that_no_game_can_have_names_its_column() {
        type Spoil = fn(&mut GameRow);
        let spoilt: [(&str, Spoil); 5] = [
            ("game:", |row| row.game = "Chess Club".to_owned()),
            ("players.result", |row| row.players[0].result.clear()),
            ("moves.player_id", |row| row.moves[0].player_id.clear()),
            ("moves.ply", |row| row.moves[1].ply = 1),
            ("moves.clock_ms", |row| row.moves[0].clock_ms = Some(-1)),
        ];
        for (column, spoil) in spoilt {
            let mut row = row();
            spoil(&mut row);
            let fault = finished(row, &departed()).unwrap_err();
            assert!(fault.starts_with(column), "{column}: {fault}");
        }
    }
}
