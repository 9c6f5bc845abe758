//! The hot set: which games there are, who played them, and how they get into the tables.
//!
//! Everything about a game follows from its number, the same here, in PostgreSQL and in pgbench's scripts, so that all three can ask
//! for any game or player without a list of them. Moves, results and openings are those of games that the simulator has played; times,
//! players and ratings are made up by hashing. Rows go into the exact schema, indexes and all, month by month in the order of their
//! ends, as the ingestor would have left them; then the tables are vacuumed, as autovacuum does behind it.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use chrono::Utc;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use store::partitions::{self, Month};
use store::{DatabaseConfig, connect};

use super::played;
use crate::console::Step;
use crate::stack;

/// How many months have games, this one included.
const MONTHS: u64 = 62;
/// Sessions that write.
const WRITERS: usize = 2;
/// The most games of the one player who has many; with fewer games in all, a twentieth of them.
const MOST_OF_ONE: u64 = 100_000;
/// Ids are numbers, so that pgbench can make them up as well.
const FIRST_GAME_ID: u64 = 100_000_000_000;
const ID_STEP: u64 = 2_654_435_761;
const ID_RANGE: u64 = 1 << 33;
const FIRST_MANY: u64 = 100_000_000;
const FIRST_STRONG: u64 = 200_000_000;
const FIRST_ORDINARY: u64 = 300_000_000;

/// How many games and players there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HotSet {
    /// Games, numbered from 0.
    pub(super) games: u64,
}

impl HotSet {
    /// Every so many games, the player with many takes part.
    fn every(self) -> u64 {
        (self.games / (self.games / 20).clamp(1, MOST_OF_ONE)).max(1)
    }

    /// Players with some 5,000 games each.
    pub(super) fn strong(self) -> u64 {
        (self.games / 20_000).max(1)
    }

    /// Players with some 85 games each.
    pub(super) fn ordinary(self) -> u64 {
        (self.games / 50).max(1)
    }

    pub(super) fn game_id(self, number: u64) -> u64 {
        FIRST_GAME_ID + (number % self.games) * ID_STEP % ID_RANGE
    }

    /// The player with 100,000 games.
    pub(super) fn player_with_many() -> u64 {
        FIRST_MANY
    }

    pub(super) fn strong_player(self, number: u64) -> u64 {
        FIRST_STRONG + number % self.strong()
    }

    pub(super) fn ordinary_player(self, number: u64) -> u64 {
        FIRST_ORDINARY + number % self.ordinary()
    }

    /// pgbench's words for the id of a random game of each month that has games: each sets `id`.
    pub(super) fn pgbench_games(self) -> Vec<(Month, String)> {
        let months = self.months().into_iter();
        let some = months.filter(|month| month.first < month.beyond);
        some.map(|month| {
            let (first, last) = (month.first, month.beyond - 1);
            let id = format!("{FIRST_GAME_ID} + (:n * {ID_STEP}) % {ID_RANGE}");
            let words = format!("\\set n random({first}, {last})\n\\set id {id}\n");
            (month.month, words)
        })
        .collect()
    }

    /// pgbench's words for a random player with some 5,000 games: sets `id`.
    pub(super) fn pgbench_strong(self) -> String {
        format!(
            "\\set id random({FIRST_STRONG}, {})\n",
            FIRST_STRONG + self.strong() - 1
        )
    }

    /// Writes the games into an empty database.
    ///
    /// # Errors
    /// PostgreSQL refuses.
    pub(super) async fn write(self, url: &str) -> anyhow::Result<()> {
        let step = Step::start("games", "playing some to take moves from");
        let client = stack::connect(url).await?;
        let played = tokio::task::block_in_place(played::write)?;
        played::store(&client, &played).await?;
        let months = self.months();
        let mut session = connect::establish(&DatabaseConfig::new(url)).await?;
        let all: BTreeSet<Month> = months.iter().map(|month| month.month).collect();
        partitions::ensure(&mut session, &all).await?;
        let statement = &self.statement(played.len());
        let (mut written, mut done) = (0, 0);
        let writing = stream::iter(months.iter().map(async |month| {
            let client = stack::connect(url).await?;
            month.write(&client, statement).await
        }));
        let mut writing = std::pin::pin!(writing.buffered(WRITERS));
        while let Some(rows) = writing.try_next().await? {
            (written, done) = (written + rows, done + 1);
            step.doing(&format!("{written} of {}, month {done}", self.games));
        }
        ensure!(
            written == self.games,
            "{written} games were written instead of {}",
            self.games
        );
        step.doing("vacuuming");
        client.batch_execute("VACUUM (ANALYZE)").await?;
        client.batch_execute("CHECKPOINT").await?;
        let size: i64 = client
            .query_one("SELECT pg_database_size(current_database())", &[])
            .await?
            .get(0);
        step.done(format_args!(
            "{written} over {MONTHS} months, {:.1} GB with indexes",
            size as f64 / 1e9
        ));
        Ok(())
    }

    /// Makes sure that the games of an earlier run are there.
    ///
    /// # Errors
    /// There are none, or another number.
    pub(super) async fn check(self, url: &str) -> anyhow::Result<()> {
        let client = stack::connect(url).await?;
        let found: i64 = client
            .query_one(
                "SELECT count(*) FROM game_directory WHERE topic_id = 'bench'",
                &[],
            )
            .await
            .context("no games of an earlier run with `--keep` are there")?
            .get(0);
        ensure!(
            found.unsigned_abs() == self.games,
            "{found} games of an earlier run are there; say `--games {found}`, or leave `--reuse` out"
        );
        Ok(())
    }

    fn months(self) -> Vec<MonthOfGames> {
        let now = Utc::now();
        let mut month = Month::of_datetime(now);
        for _ in 1..MONTHS {
            month = month.previous();
        }
        let mut months = Vec::new();
        for place in 0..MONTHS {
            let end = match place + 1 == MONTHS {
                true => now.to_rfc3339(),
                false => month.next().first_day().to_string() + "T00:00:00Z",
            };
            months.push(MonthOfGames {
                month,
                end,
                first: self.games * place / MONTHS,
                beyond: self.games * (place + 1) / MONTHS,
            });
            month = month.next();
        }
        months
    }

    /// Writes games `$1` to below `$2`, evenly over `$3` to `$4`.
    fn statement(self, played: usize) -> String {
        let (every, strong, ordinary) = (self.every(), self.strong(), self.ordinary());
        let hash = |seed: u64| format!("(hashint8extended(n, {seed}) & 9223372036854775807)");
        let player = |seat: u64| {
            format!(
                "CASE WHEN n % {every} = 0 AND (n / {every}) % 2 = {seat} THEN {FIRST_MANY} \
                 WHEN {} % 8 = 0 THEN {FIRST_STRONG} + {} % {strong} ELSE {FIRST_ORDINARY} + {} % {ordinary} END",
                hash(10 + seat),
                hash(20 + seat),
                hash(30 + seat)
            )
        };
        let (white, black) = (player(0), player(1));
        let (choice, rating, other) = (hash(1), hash(2), hash(3));
        format!(
            "WITH seats AS (
                SELECT n, {white} AS a, {black} AS b, {choice} % {played} AS choice,
                    1000 + ({rating} % 1500)::int AS rating_a, 1000 + ({other} % 1500)::int AS rating_b
                FROM generate_series($1::bigint, $2::bigint - 1) n
            ), g AS MATERIALIZED (
                SELECT ({FIRST_GAME_ID} + n * {ID_STEP} % {ID_RANGE})::text AS game_id,
                    -- Nobody plays against themselves.
                    a::text AS a, (CASE WHEN a = b THEN {FIRST_ORDINARY} + {ordinary} ELSE b END)::text AS b, rating_a, rating_b,
                    date_trunc('milliseconds', $3::text::timestamptz
                        + ($4::text::timestamptz - $3::text::timestamptz) * ((n - $1)::float8 / ($2 - $1))) AS ended_at,
                    p.*, n
                FROM seats JOIN bench_played p USING (choice)
            ), directory AS (
                INSERT INTO game_directory (game_id, ended_at, \"end\", topic_id, partition, end_offset)
                SELECT game_id, ended_at, end_fingerprint, 'bench', (n % 8)::int, n FROM g ORDER BY ended_at
            ), of_players AS (
                INSERT INTO player_games (player_id, ended_at, game_id, started_at, role, result, opponents, opponent_rating, rating,
                    rating_after, game, variant, mode, time_control, region, tournament, termination, opening_code, opening_name,
                    move_count, incomplete)
                SELECT s.me, ended_at, game_id, ended_at - lasted, s.role, s.result, ARRAY[s.other], s.other_rating, s.rating, s.rating + 5,
                    game, variant, mode, time_control, region, tournament, termination, opening_code, opening_name, move_count, incomplete
                FROM g CROSS JOIN LATERAL (VALUES (a, b, 'white', result_a, rating_a, rating_b), (b, a, 'black', result_b, rating_b, rating_a))
                    s(me, other, role, result, rating, other_rating)
                ORDER BY ended_at
            )
            INSERT INTO games (game_id, ended_at, started_at, game, variant, mode, time_control, region, platform, tournament, start_position,
                result, winner, termination, opening_code, opening_name, move_count, incomplete, players, moves)
            SELECT game_id, ended_at, ended_at - lasted, game, variant, mode, time_control, region, platform, tournament, start_position,
                result, CASE WHEN result_a = 'win' THEN a WHEN result_b = 'win' THEN b END, termination, opening_code, opening_name,
                move_count, incomplete,
                jsonb_build_array(
                    jsonb_build_object('id', a, 'role', 'white', 'rating', rating_a, 'ratingAfter', rating_a + 5, 'result', result_a),
                    jsonb_build_object('id', b, 'role', 'black', 'rating', rating_b, 'ratingAfter', rating_b + 5, 'result', result_b)),
                moves
            FROM g ORDER BY ended_at"
        )
    }
}

/// The games of one month.
struct MonthOfGames {
    month: Month,
    /// Where their ends stop.
    end: String,
    first: u64,
    beyond: u64,
}

impl MonthOfGames {
    /// Writes them and says how many they are.
    async fn write(&self, client: &tokio_postgres::Client, statement: &str) -> anyhow::Result<u64> {
        if self.first == self.beyond {
            return Ok(0);
        }
        let start = self.month.first_day().to_string() + "T00:00:00Z";
        let (first, beyond) = (i64::try_from(self.first)?, i64::try_from(self.beyond)?);
        client
            .execute(statement, &[&first, &beyond, &start, &self.end])
            .await
            .with_context(|| format!("the games of {} can't be written", self.month))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn games_have_ids_of_their_own_and_one_player_has_a_hundred_thousand() {
        let set = HotSet { games: 2_000_000 };
        let ids: HashSet<u64> = (0..200_000).map(|number| set.game_id(number)).collect();
        assert_eq!(ids.len(), 200_000);
        assert_eq!(set.games / set.every(), MOST_OF_ONE);
        assert_eq!((set.strong(), set.ordinary()), (100, 40_000));
        let small = HotSet { games: 1_000 };
        assert_eq!(small.games / small.every(), 50);
    }

    #[test]
    fn months_hold_every_game_once_and_end_now() {
        let months = HotSet { games: 100_001 }.months();
        assert_eq!(months.len(), 62);
        assert_eq!(months[0].first, 0);
        assert!(months.windows(2).all(|two| two[0].beyond == two[1].first));
        assert!(
            months
                .windows(2)
                .all(|two| two[0].month.next() == two[1].month)
        );
        assert_eq!(months[61].beyond, 100_001);
        assert_eq!(months[61].month, Month::of_datetime(Utc::now()));
    }
}
