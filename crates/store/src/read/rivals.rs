//! Which of two players' rows lead to the games that they played against each other.
//!
//! There is no index by opponent: it would be written with each game. But the index of a player's rows names the one opponent, so that
//! looking through a player's games takes a quarter of a microsecond each; and whoever has fewer games leads to the common ones as well.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::AsyncPgConnection;
use domain::PlayerId;

use super::filter::{GameList, Perspective, RivalWalk, Scope};
use super::page;
use super::sql::{Sql, Value};
use crate::StoreError;

/// So many of each player's games are counted, which takes some milliseconds.
const MOST: i64 = 20_000;
/// A player with no more games than this is walked anyway: a look through them costs less than to find out.
const FEW: i64 = 200;

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    games: i64,
}

/// Chooses by whose rows a list of two players' games is walked: by those of who has fewer. Other lists are left as they are.
///
/// # Errors
/// [`StoreError::Query`] when the database can't be asked.
pub async fn choose_walk(
    connection: &mut AsyncPgConnection,
    list: &mut GameList,
) -> Result<(), StoreError> {
    let (Scope::Player(player), Perspective::Player(asked)) = (&list.scope, &list.filter.of) else {
        return Ok(());
    };
    let Some(opponent) = &asked.opponent else {
        return Ok(());
    };
    let own = games(connection, player, FEW + 1).await?;
    if own <= FEW {
        return Ok(());
    }
    let theirs = games(connection, opponent, MOST).await?;
    let fewer = theirs < games(connection, player, theirs + 1).await?;
    list.rivals = match fewer {
        true => RivalWalk::Opponents,
        false => RivalWalk::Own,
    };
    Ok(())
}

/// How many games a player has, at most `most`.
async fn games(
    connection: &mut AsyncPgConnection,
    player: &PlayerId,
    most: i64,
) -> Result<i64, StoreError> {
    let mut sql =
        Sql::new("SELECT count(*) AS games FROM (SELECT FROM player_games WHERE player_id = ");
    sql.bind(Value::Text(player.to_string()))
        .text(" LIMIT ")
        .bind(Value::BigInt(most))
        .text(") s");
    let rows: Vec<Counted> = page::load(connection, "count two players' games", sql).await?;
    Ok(rows.first().map_or(0, |row| row.games))
}
