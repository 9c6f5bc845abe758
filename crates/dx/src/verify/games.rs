//! Compares finished games of one partition: `game_directory`, `games` with their moves, `player_games`.
//!
//! Rows are streamed and checked one by one against the fold; what no row was seen for is missing.

use std::collections::HashMap;

use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};

use super::about::{About, Micros};
use super::database::{self, DirectoryRow, GameRow, PlayerRow};
use super::fold::{Finished, Fold, Ply};
use super::packed;
use super::report::{Difference, Fault};

/// One partition's finished games and the rows seen for them.
pub(super) struct Games<'a> {
    partition: i32,
    topic_id: &'a str,
    /// Where the log begins: games that ended below are not compared.
    low: i64,
    fold: &'a Fold,
    seen: HashMap<&'a str, Seen>,
    pub(super) differences: Vec<Difference>,
}

#[derive(Default)]
struct Seen {
    directory: bool,
    game: bool,
    /// One bit a seat.
    players: u16,
}

/// A player in the `players` column.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlayerColumn {
    id: String,
    role: String,
    rating: Option<i32>,
    rating_after: Option<i32>,
    result: String,
}

impl<'a> Games<'a> {
    pub(super) fn new(partition: i32, topic_id: &'a str, low: i64, fold: &'a Fold) -> Self {
        Self {
            partition,
            topic_id,
            low,
            fold,
            seen: HashMap::with_capacity(fold.finished.len()),
            differences: Vec::new(),
        }
    }

    /// Compares all three tables.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn compare(
        mut self,
        snapshot: &Transaction<'_>,
    ) -> anyhow::Result<Vec<Difference>> {
        self.each(snapshot, database::DIRECTORY, Self::directory)
            .await?;
        self.each(snapshot, database::GAMES, Self::game).await?;
        self.each(snapshot, database::PLAYERS, Self::player).await?;
        self.missing();
        Ok(self.differences)
    }

    /// Streams a statement's rows of this partition to `look`.
    async fn each<R>(
        &mut self,
        snapshot: &Transaction<'_>,
        statement: &str,
        look: fn(&mut Self, &R),
    ) -> anyhow::Result<()>
    where
        R: for<'r> TryFrom<&'r Row, Error = tokio_postgres::Error>,
    {
        let parameters: [&(dyn ToSql + Sync); 2] = [&self.partition, &self.low];
        let mut rows = database::rows::<R>(snapshot, statement, &parameters).await?;
        while let Some(row) = rows.try_next().await? {
            look(self, &row);
        }
        Ok(())
    }

    fn about<'r>(&self, table: &'static str, game_id: &'r str) -> About<'r> {
        About {
            table,
            game_id: Some(game_id),
            player_id: None,
            partition: self.partition,
            offset: self.fold.finished.get(game_id).map(|game| game.end_offset),
        }
    }

    fn finished(&self, game_id: &str) -> Option<(&'a str, &'a Finished)> {
        let fold: &'a Fold = self.fold;
        fold.finished
            .get_key_value(game_id)
            .map(|(id, game)| (&**id, game))
    }

    /// A row that the log does not have.
    fn extra(&mut self, about: About<'_>) {
        let live = about
            .game_id
            .is_some_and(|id| self.fold.live.contains_key(id));
        self.differences.push(Difference {
            found: live.then(|| "a row, while the log has the game in progress".to_owned()),
            ..about.fault(Fault::Extra)
        });
    }

    fn directory(&mut self, row: &DirectoryRow) {
        let about = self.about("game_directory", &row.game_id);
        let Some((id, game)) = self.finished(&row.game_id) else {
            return self.extra(about);
        };
        let out = &mut self.differences;
        about.same(
            out,
            "ended_at",
            Micros::of_ms(game.ended_ms),
            Micros(row.ended_us),
        );
        about.same(out, "end", &*game.end, &*row.end);
        about.same(out, "topic_id", self.topic_id, &*row.topic_id);
        about.same(out, "end_offset", game.end_offset, row.end_offset);
        self.seen.entry(id).or_default().directory = true;
    }

    fn game(&mut self, row: &GameRow) {
        let about = self.about("games", &row.game_id);
        let Some((id, game)) = self.finished(&row.game_id) else {
            return self.extra(about);
        };
        if std::mem::replace(&mut self.seen.entry(id).or_default().game, true) {
            let mut again = about.fault(Fault::Extra);
            again.found = Some("a second row of the same game".to_owned());
            return self.differences.push(again);
        }
        let (out, begun) = (&mut self.differences, &game.beginning);
        let (code, name) = opening(game);
        about.same(
            out,
            "started_at",
            Micros::of_ms(game.started_ms),
            Micros(row.started_us),
        );
        about.same(
            out,
            "ended_at",
            Micros::of_ms(game.ended_ms),
            Micros(row.ended_us),
        );
        about.same(out, "game", &*begun.game, &*row.game);
        about.same(out, "variant", &*begun.variant, &*row.variant);
        about.same(out, "mode", &*begun.mode, &*row.mode);
        about.same(
            out,
            "time_control",
            begun.time_control.as_deref(),
            row.time_control.as_deref(),
        );
        about.same(
            out,
            "region",
            begun.region.as_deref(),
            row.region.as_deref(),
        );
        about.same(
            out,
            "platform",
            begun.platform.as_deref(),
            row.platform.as_deref(),
        );
        about.same(
            out,
            "tournament",
            begun.tournament.as_deref(),
            row.tournament.as_deref(),
        );
        about.same(
            out,
            "start_position",
            begun.start_position.as_deref(),
            row.start_position.as_deref(),
        );
        about.same(out, "result", game.result(), &*row.result);
        about.same(out, "winner", game.winner.as_deref(), row.winner.as_deref());
        about.same(out, "termination", &*game.termination, &*row.termination);
        about.same(out, "opening_code", code, row.opening_code.as_deref());
        about.same(out, "opening_name", name, row.opening_name.as_deref());
        about.same(
            out,
            "move_count",
            move_count(game),
            i64::from(row.move_count),
        );
        about.same(out, "incomplete", game.incomplete, row.incomplete);
        players(out, about, game, &row.players);
        moves(out, about, game, &row.moves);
    }

    fn player(&mut self, row: &PlayerRow) {
        let about = About {
            player_id: Some(&row.player_id),
            ..self.about("player_games", &row.game_id)
        };
        let Some((id, game)) = self.finished(&row.game_id) else {
            return self.extra(about);
        };
        let seats = &game.beginning.players;
        let Some(seat) = seats.iter().position(|seat| seat.id == row.player_id) else {
            return self.extra(about);
        };
        let seen = self.seen.entry(id).or_default();
        if seen.players & 1 << seat != 0 {
            let mut again = about.fault(Fault::Extra);
            again.found = Some("a second row of the same player in the same game".to_owned());
            return self.differences.push(again);
        }
        seen.players |= 1 << seat;
        let others = || seats.iter().filter(|other| other.id != row.player_id);
        let opponent_rating = if seats.len() == 2 {
            others().next().and_then(|o| o.rating)
        } else {
            None
        };
        let (out, begun, seat) = (&mut self.differences, &game.beginning, &seats[seat]);
        let (code, name) = opening(game);
        let wide = |rating: Option<i32>| rating.map(i64::from);
        about.same(
            out,
            "ended_at",
            Micros::of_ms(game.ended_ms),
            Micros(row.ended_us),
        );
        about.same(
            out,
            "started_at",
            Micros::of_ms(game.started_ms),
            Micros(row.started_us),
        );
        about.same(out, "role", &*seat.role, &*row.role);
        about.same(out, "result", game.result_of(&row.player_id), &*row.result);
        let opponents: Vec<&str> = others().map(|other| &*other.id).collect();
        about.same(
            out,
            "opponents",
            opponents,
            row.opponents.iter().map(|o| &**o).collect(),
        );
        about.same(
            out,
            "opponent_rating",
            wide(opponent_rating),
            wide(row.opponent_rating),
        );
        about.same(out, "rating", wide(seat.rating), wide(row.rating));
        about.same(
            out,
            "rating_after",
            wide(game.rating_after(&row.player_id)),
            wide(row.rating_after),
        );
        about.same(out, "game", &*begun.game, &*row.game);
        about.same(out, "variant", &*begun.variant, &*row.variant);
        about.same(out, "mode", &*begun.mode, &*row.mode);
        about.same(
            out,
            "time_control",
            begun.time_control.as_deref(),
            row.time_control.as_deref(),
        );
        about.same(
            out,
            "region",
            begun.region.as_deref(),
            row.region.as_deref(),
        );
        about.same(
            out,
            "tournament",
            begun.tournament.as_deref(),
            row.tournament.as_deref(),
        );
        about.same(out, "termination", &*game.termination, &*row.termination);
        about.same(out, "opening_code", code, row.opening_code.as_deref());
        about.same(out, "opening_name", name, row.opening_name.as_deref());
        about.same(
            out,
            "move_count",
            move_count(game),
            i64::from(row.move_count),
        );
        about.same(out, "incomplete", game.incomplete, row.incomplete);
    }

    fn missing(&mut self) {
        let nothing = Seen::default();
        for (id, game) in &self.fold.finished {
            let seen = self.seen.get(&**id).unwrap_or(&nothing);
            let mut missing = Vec::new();
            if !seen.directory {
                missing.push(self.about("game_directory", id));
            }
            if !seen.game {
                missing.push(self.about("games", id));
            }
            for (seat, player) in game.beginning.players.iter().enumerate() {
                if seen.players & 1 << seat == 0 {
                    missing.push(About {
                        player_id: Some(&player.id),
                        ..self.about("player_games", id)
                    });
                }
            }
            self.differences
                .extend(missing.iter().map(|about| about.fault(Fault::Missing)));
        }
    }
}

fn opening(game: &Finished) -> (Option<&str>, Option<&str>) {
    let opening = game.opening.as_ref();
    (
        opening.map(|(code, _)| &**code),
        opening.and_then(|(_, name)| name.as_deref()),
    )
}

fn move_count(game: &Finished) -> i64 {
    i64::try_from(game.moves.len()).unwrap_or(i64::MAX)
}

fn players(out: &mut Vec<Difference>, about: About<'_>, game: &Finished, column: &str) {
    let expected: Vec<PlayerColumn> = game
        .beginning
        .players
        .iter()
        .map(|seat| PlayerColumn {
            id: seat.id.clone(),
            role: seat.role.clone(),
            rating: seat.rating,
            rating_after: game.rating_after(&seat.id),
            result: game.result_of(&seat.id).to_owned(),
        })
        .collect();
    match serde_json::from_str::<Vec<PlayerColumn>>(column) {
        Ok(found) if found == expected => {}
        Ok(found) => {
            let (wanted, found) = (show_players(&expected), show_players(&found));
            out.push(about.differs("players", wanted, found));
        }
        Err(error) => {
            let found = format!("{column} ({error})");
            out.push(about.differs("players", show_players(&expected), found));
        }
    }
}

fn show_players(players: &[PlayerColumn]) -> String {
    serde_json::to_string(players).unwrap_or_else(|error| error.to_string())
}

fn moves(out: &mut Vec<Difference>, about: About<'_>, game: &Finished, column: &[u8]) {
    let expected = &game.moves;
    let found = match packed::moves(column, game.started_ms) {
        Ok(found) if found == *expected => return,
        Ok(found) => found,
        Err(why) => {
            out.push(about.differs("moves", format!("{} moves", expected.len()), why));
            return;
        }
    };
    let show = |m: Option<&Ply>| m.map_or_else(|| "no move".to_owned(), |m| show_move(m, game));
    let same = expected
        .iter()
        .zip(&found)
        .take_while(|(a, b)| a == b)
        .count();
    let longer = expected.len().max(found.len());
    let found = show(found.get(same));
    let place = format!("the {}. of {longer} moves", same + 1);
    out.push(Difference {
        field: Some("moves".to_owned()),
        expected: Some(show(expected.get(same))),
        found: Some(format!("{found} ({place})")),
        ..about.fault(Fault::Differs)
    });
}

fn show_move(m: &Ply, game: &Finished) -> String {
    let player = game.beginning.players.get(usize::from(m.player));
    let player = player.map_or_else(|| format!("player number {}", m.player), |p| p.id.clone());
    let clock = m
        .clock_ms
        .map_or_else(|| "no clock".to_owned(), |ms| format!("clock {ms} ms"));
    format!(
        "ply {} {} by {player}, {clock}, at {}",
        m.ply,
        m.text,
        super::time::show_us(m.at_ms * 1000)
    )
}
