//! Games that just stop.
//!
//! The fold has no clock, so it never ends a game by itself. The janitor looks for live games whose snapshot is older than
//! configured and *publishes* `GameAborted` with the termination `abandoned`: the decision is then in the log like any other,
//! replayed and archived with it. Two janitors that find the same game publish the same event twice, which is a duplicate; a
//! move that races it is late.

use std::time::Duration;

use domain::LiveGame;
use events::wire::{EndDetails, GameAborted};
use events::{Event, Payload, abandoned_event_id};
use publisher::{GamePublisher, PublisherConfig};
use store::DatabaseConfig;
use store::live::{IdleGame, idle_games};
use stream::ConsumerConfig;
use tokio_util::sync::CancellationToken;

use crate::config::JanitorConfig;
use crate::metrics;

/// Looks for abandoned games until shutdown. What fails is told and tried again on the next look.
pub(crate) async fn run(
    config: JanitorConfig,
    database: DatabaseConfig,
    kafka: ConsumerConfig,
    shutdown: CancellationToken,
) {
    let mut ticks = tokio::time::interval(config.every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match look(&config, &database, &kafka).await {
            Ok(0) => {}
            Ok(games) => {
                tracing::info!(games, idle_for = ?config.idle_for, "declared games abandoned")
            }
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "the janitor's look failed; it will look again"
            ),
        }
    }
}

async fn look(
    config: &JanitorConfig,
    database: &DatabaseConfig,
    kafka: &ConsumerConfig,
) -> anyhow::Result<u64> {
    let mut connection = store::connect::establish(database).await?;
    let idle = idle_games(&mut connection, config.idle_for, config.batch).await?;
    drop(connection);
    if idle.is_empty() {
        return Ok(0);
    }
    let settings = PublisherConfig {
        properties: kafka.properties.clone(),
        ..PublisherConfig::new(kafka.brokers.clone(), kafka.topic.clone())
    };
    let publisher = GamePublisher::connect(settings).await?;
    let mut published = 0;
    for game in &idle {
        if let Some(event) = abandon(game) {
            publisher.publish(&event, None).await?;
            published += 1;
        }
    }
    publisher.shutdown(Duration::from_secs(10)).await?;
    metrics::abandoned(published);
    Ok(published)
}

/// The event that ends an idle game: at the time of its last move, so that everyone who finds it says the same.
fn abandon(idle: &IdleGame) -> Option<Event<'_>> {
    let game = match LiveGame::decode(&idle.state) {
        Ok(game) => game,
        Err(error) => {
            tracing::error!(game.id = %idle.game_id, %error, "an idle game can't be read");
            return None;
        }
    };
    let region = game.created().ok()?.region;
    Some(Event {
        event_id: abandoned_event_id(idle.game_id.as_str()),
        game_id: idle.game_id.as_str().into(),
        occurred_at: game.last_applied_at().max(game.started_at()),
        region: region.map(|region| String::from(region).into()),
        payload: Payload::GameAborted(GameAborted {
            termination: "abandoned".into(),
            details: EndDetails::default(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use domain::{Action, EventTime, GameId, NewGame, NewPlayer, PlayerId, Slug};

    use super::*;

    fn slug(text: &str) -> Slug {
        Slug::parse(text).unwrap()
    }

    fn idle_game(move_at_ms: i64) -> IdleGame {
        let player = NewPlayer {
            id: PlayerId::parse("p").unwrap(),
            role: slug("white"),
            rating: None,
        };
        let new = NewGame {
            players: vec![player],
            game: slug("chess"),
            variant: slug("standard"),
            mode: slug("casual"),
            time_control: None,
            region: Some(slug("eu")),
            platform: None,
            tournament: None,
            start_position: None,
        };
        let mut game = LiveGame::begin(&new, EventTime::from_ms(5_000).unwrap());
        let made = Action::Move {
            ply: 1,
            player_id: "p".into(),
            text: "e2e4".into(),
            clock_ms: None,
        };
        game.apply("g", EventTime::from_ms(move_at_ms).unwrap(), &made)
            .unwrap();
        IdleGame {
            game_id: GameId::parse("g").unwrap(),
            state: game.encode(),
        }
    }

    #[test]
    fn two_janitors_say_the_same_of_one_game() {
        assert_eq!(abandon(&idle_game(9_000)), abandon(&idle_game(9_000)));
        assert_eq!(
            abandon(&idle_game(9_000)).unwrap().occurred_at.as_ms(),
            9_000
        );
    }

    #[test]
    fn an_abandoned_game_never_ends_before_it_began() {
        assert_eq!(abandon(&idle_game(1)).unwrap().occurred_at.as_ms(), 5_000);
    }

    #[test]
    fn a_damaged_game_is_left_alone() {
        assert!(
            abandon(&IdleGame {
                game_id: GameId::parse("g").unwrap(),
                state: vec![9]
            })
            .is_none()
        );
    }
}
