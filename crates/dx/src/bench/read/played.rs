//! Games that the simulator has played, for the moves, results and openings of the hot set.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use domain::{Action, FinishedGame, LiveGame};

use crate::bench::publish::Games;

/// How many are played.
const GAMES: u64 = 600;

/// Plays them, through the product's own decoder and state machine.
///
/// # Errors
/// The simulator played something that is no game.
pub(super) fn write() -> anyhow::Result<Vec<FinishedGame>> {
    let games = Games {
        seed: 9,
        games: Some(GAMES),
        most_records: None,
        live: 50,
    };
    let (mut live, mut finished) = (HashMap::<Box<str>, LiveGame>::new(), Vec::new());
    for sent in games.prepare() {
        let event = events::decode(sent.record.key.as_deref(), sent.record.value.as_deref())?;
        if let Action::Create(new) = &event.action {
            live.insert(
                event.game_id.as_ref().into(),
                LiveGame::begin(new, event.at),
            );
            continue;
        }
        let game = live
            .get_mut(event.game_id.as_ref())
            .context("a game without its create")?;
        if let (_, Some(over)) = game.apply(&event.game_id, event.at, &event.action)? {
            live.remove(event.game_id.as_ref());
            finished.push(*over);
        }
    }
    ensure!(!finished.is_empty(), "no game of the simulator's ended");
    Ok(finished)
}

/// Puts them into a table of the bench's own, `bench_played`, numbered from 0 by `choice`.
///
/// # Errors
/// PostgreSQL refuses.
pub(super) async fn store(
    client: &tokio_postgres::Client,
    games: &[FinishedGame],
) -> anyhow::Result<()> {
    client
        .batch_execute(
            "CREATE TABLE bench_played (choice bigint PRIMARY KEY, lasted interval NOT NULL, game text NOT NULL, variant text NOT NULL, \
             mode text NOT NULL, time_control text, region text, platform text, tournament text, start_position text, result text NOT NULL, \
             result_a text NOT NULL, result_b text NOT NULL, termination text NOT NULL, opening_code text, opening_name text, \
             move_count int NOT NULL, incomplete boolean NOT NULL, moves bytea NOT NULL, end_fingerprint text NOT NULL)",
        )
        .await?;
    let insert = client
        .prepare(
            "INSERT INTO bench_played VALUES ($1, $2::float8 * interval '1 millisecond', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
             $14, $15, $16, $17, $18, $19, $20)",
        )
        .await?;
    for (choice, game) in (0_i64..).zip(games) {
        let [white, black] = game.players.as_slice() else {
            anyhow::bail!("a simulated game has not two players");
        };
        let lasted = (game.ended_at.as_ms() - game.started_at.as_ms()) as f64;
        let created = &game.created;
        let text = |text: &Option<domain::ShortText>| text.as_ref().map(ToString::to_string);
        let opening = game.opening.as_ref();
        client
            .execute(
                &insert,
                &[
                    &choice,
                    &lasted,
                    &created.game.as_str(),
                    &created.variant.as_str(),
                    &created.mode.as_str(),
                    &text(&created.time_control),
                    &created.region.as_ref().map(ToString::to_string),
                    &text(&created.platform),
                    &text(&created.tournament),
                    &text(&created.start_position),
                    &game.result(),
                    &white.result.as_str(),
                    &black.result.as_str(),
                    &game.termination.as_str(),
                    &opening.map(|opening| opening.code.to_string()),
                    &opening.and_then(|opening| text(&opening.name)),
                    &i32::try_from(game.move_count)?,
                    &game.incomplete,
                    &game.moves.as_bytes(),
                    &game.end_fingerprint,
                ],
            )
            .await?;
    }
    Ok(())
}
