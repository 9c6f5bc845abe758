//! PostgreSQL's own bench with the statements that the API sends, against the same rows: the line to measure against.
//!
//! The statements are those of `crates/store/src/read/game.rs` and `read/page.rs`, run by sessions with the settings of the API's readers.
//! pgbench has them answered as text and reads nothing of it. Its sessions are new and plan each statement once: what they do in their
//! first seconds is left out.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::Utc;
use store::partitions::Month;

use super::hot_set::HotSet;
use crate::stack::{Endpoints, Profile, State};

/// What the API's sessions are told.
const READER: &str = "-c default_transaction_read_only=on -c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
     -c enable_sort=off -c enable_bitmapscan=off -c jit=off -c work_mem=16MB";

/// pgbench and the database it is to ask.
#[derive(Debug)]
pub(super) struct PgBench {
    program: PathBuf,
    url: String,
    scripts: tempfile::TempDir,
}

impl PgBench {
    /// Finds pgbench beside the server that runs, then on the PATH.
    ///
    /// # Errors
    /// It is nowhere; with how to get it.
    pub(super) fn find(profile: &Profile, endpoints: &Endpoints) -> anyhow::Result<Self> {
        let server = State::load(profile)?.process("postgres");
        let beside = server.and_then(|server| {
            let program = std::fs::read_link(format!("/proc/{}/exe", server.pid)).ok()?;
            Some(program.parent()?.join("pgbench"))
        });
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = beside
            .into_iter()
            .chain(std::env::split_paths(&path).map(|folder| folder.join("pgbench")))
            .find(|program| program.is_file());
        Ok(Self {
            program: program.context(
                "pgbench is neither beside the PostgreSQL that runs nor on the PATH; it comes with PostgreSQL's package \
                 (Debian and Ubuntu: postgresql, Fedora: postgresql-contrib, Homebrew: postgresql)",
            )?,
            url: endpoints.postgres.clone(),
            scripts: tempfile::tempdir()?,
        })
    }

    /// Transactions a second of scripts, each as often as the others, once the sessions are warm.
    ///
    /// # Errors
    /// pgbench fails.
    pub(super) async fn per_second(
        &self,
        name: &str,
        scripts: &[String],
        connections: usize,
        lasting: Duration,
    ) -> anyhow::Result<f64> {
        let warm_up_s = warm_up_s(connections, scripts.len());
        let seconds = lasting.as_secs().max(1) + warm_up_s as u64;
        let mut command = self.command(connections, seconds);
        for (number, script) in scripts.iter().enumerate() {
            let file = self.scripts.path().join(format!("{name}-{number}"));
            std::fs::write(&file, script)?;
            command.arg("--file").arg(file);
        }
        let output = command.arg(&self.url).output().await;
        let output = output.context("cannot start pgbench")?;
        // It reports its progress on standard error.
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench fails: {}", said.trim());
        let warm = said.lines().filter_map(tps).skip(warm_up_s);
        let seconds: Vec<f64> = warm.collect();
        ensure!(
            !seconds.is_empty(),
            "pgbench does not tell how fast it was: {}",
            said.trim()
        );
        Ok(seconds.iter().sum::<f64>() / seconds.len() as f64)
    }

    fn command(&self, connections: usize, seconds: u64) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(["--no-vacuum", "--protocol=prepared", "--client"])
            .arg(connections.to_string())
            .args(["--jobs", "2", "--progress", "1", "--time"])
            .arg(seconds.to_string())
            .env("PGOPTIONS", READER)
            .kill_on_drop(true);
        command
    }
}

/// A game by its id, in two statements: the directory with the live games, then the row. One script for each month, as each has a text of
/// its own.
pub(super) fn get_game(set: HotSet) -> Vec<String> {
    let script = |(month, game): (Month, String)| {
        let (first, beyond) = (month.first_day(), month.next().first_day());
        game + &format!(
            "SELECT game_directory.ended_at, game_directory.\"end\", game_directory.revision, game_directory.topic_id, \
             game_directory.partition, game_directory.end_offset, NULL::bytea FROM game_directory WHERE game_directory.game_id = :id \
             UNION ALL SELECT NULL::timestamptz, NULL::text, NULL::int, NULL::text, live_games.partition, live_games.as_of_offset, \
             live_games.state FROM live_games WHERE live_games.game_id = :id \\gset d_\n\
             SELECT game_id, ended_at, started_at, game, variant, mode, time_control, region, platform, tournament, start_position, \
             result, winner, termination, opening_code, opening_name, move_count, incomplete, players, moves, written_at FROM games \
             WHERE game_id = :id AND ended_at = :d_ended_at AND ended_at >= '{first}T00:00:00Z'::timestamptz \
             AND ended_at < '{beyond}T00:00:00Z'::timestamptz LIMIT 1;\n"
        )
    };
    set.pgbench_games().into_iter().map(script).collect()
}

/// The newest 50 games of a player who has had enough of them lately, with one more to tell whether there is a next page.
pub(super) fn player_page(set: HotSet) -> Vec<String> {
    let bound = Month::of_datetime(Utc::now()).previous().first_day();
    vec![format!(
        "{}\\set wanted 51\n\
         SELECT game_id, started_at, ended_at, role, result, opponents, opponent_rating, rating, rating_after, game, variant, mode, \
         time_control, region, tournament, termination, opening_code, opening_name, move_count, incomplete FROM player_games \
         WHERE player_id = :id AND ended_at >= '{bound}T00:00:00Z'::timestamptz ORDER BY ended_at DESC, game_id DESC LIMIT :wanted;\n",
        set.pgbench_strong()
    )]
}

/// The seconds in which so many sessions plan the statements of so many scripts.
fn warm_up_s(connections: usize, scripts: usize) -> usize {
    2 + connections * (1 + scripts / 16) / 32
}

/// `progress: 2.0 s, 1234.5 tps, lat 0.8 ms stddev 0.1, 0 failed`
fn tps(line: &str) -> Option<f64> {
    let (_, rest) = line.strip_prefix("progress: ")?.split_once(", ")?;
    rest.split_once(" tps")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_what_pgbench_says() {
        let said = "progress: 2.0 s, 12345.6 tps, lat 0.083 ms stddev 0.021, 0 failed";
        assert_eq!(tps(said), Some(12_345.6));
        assert_eq!(tps("pgbench: error: progress: none"), None);
    }
}
