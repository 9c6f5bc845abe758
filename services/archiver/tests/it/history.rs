//! A history that games are finished into as the ingestor does it: through its session, its commit and its way with partitions.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{
    EventTime, FinishedGame, FinishedPlayer, GameId, MoveRef, NewGame, NewPlayer, PackedMoves,
    PlayerId, PlayerResult, ShortText, Slug,
};
use store::DatabaseConfig;
use store::connect::{self, Session};
use store::ingest::{
    Batch, ClaimRequest, CommitError, Counts, Finished, IngestSession, RecordCopy, Scope,
};
use store::partitions::{self, Month};
use test_support::TestDatabase;
use uuid::Uuid;

/// A database of its own and the session that writes to it.
pub(crate) struct History {
    database: TestDatabase,
    session: IngestSession,
    scope: Scope,
    token: Uuid,
    next: i64,
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn time(time: DateTime<Utc>) -> EventTime {
    EventTime::from_datetime(time).unwrap()
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

/// A game of `ann`, who wins, against `opponent`, with the fool's mate.
pub(crate) fn won_game(
    id: &str,
    ended_at: &str,
    region: Option<&str>,
    opponent: &str,
) -> FinishedGame {
    let ended_at = at(ended_at);
    let started_at = ended_at - chrono::TimeDelta::seconds(60);
    let player = |id: &str, role: &str, result| FinishedPlayer {
        id: PlayerId::parse(id).unwrap(),
        role: slug(role),
        rating: Some(1_500),
        rating_after: Some(1_508),
        result,
    };
    let players = vec![
        player(opponent, "white", PlayerResult::Loss),
        player("ann", "black", PlayerResult::Win),
    ];
    let (mut moves, mut last) = (PackedMoves::default(), (0, time(started_at)));
    for (ply, text) in (1_u32..).zip(["f2f3", "e7e5", "g2g4", "d8h4"]) {
        let moved_at =
            EventTime::from_ms(time(started_at).as_ms() + i64::from(ply) * 1_500).unwrap();
        let made = MoveRef {
            ply,
            player: u8::from(ply % 2 == 0),
            text,
            clock_ms: (ply != 3).then(|| 180_000 - u64::from(ply)),
            at: moved_at,
        };
        moves.push(last, made);
        last = (ply, moved_at);
    }
    FinishedGame {
        id: GameId::parse(id).unwrap(),
        created: NewGame {
            players: players
                .iter()
                .map(|player| NewPlayer {
                    id: player.id.clone(),
                    role: player.role.clone(),
                    rating: player.rating,
                })
                .collect(),
            game: slug("chess"),
            variant: slug("standard"),
            mode: slug("rated"),
            time_control: Some(ShortText::parse("180+2").unwrap()),
            region: region.map(slug),
            platform: None,
            tournament: None,
            start_position: None,
        },
        started_at: time(started_at),
        ended_at: time(ended_at),
        winner: Some(PlayerId::parse("ann").unwrap()),
        drawn: false,
        termination: slug("checkmate"),
        move_count: 4,
        incomplete: false,
        moves,
        opening: None,
        players,
        end_fingerprint: "won ann checkmate".to_owned(),
    }
}

impl History {
    pub(crate) async fn begin() -> Self {
        let database = TestDatabase::create().await;
        let config = DatabaseConfig::new(database.url());
        let mut session = IngestSession::open(&config).await.unwrap();
        let scope = Scope {
            pipeline: "games".to_owned(),
            topic: "game-events".to_owned(),
            topic_id: "t".to_owned(),
            partition: 0,
        };
        let request = ClaimRequest {
            scope: scope.clone(),
            cluster_id: "c".to_owned(),
            partition_count: 1,
            first_offset: 0,
        };
        let claim = session.claim(&request).await.unwrap().unwrap();
        Self {
            database,
            session,
            scope,
            token: claim.token,
            next: 0,
        }
    }

    pub(crate) fn config(&self) -> DatabaseConfig {
        DatabaseConfig::new(self.database.url())
    }

    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    pub(crate) async fn session(&self) -> Session {
        connect::establish(&self.config()).await.unwrap()
    }

    /// A client for statements that nobody in the product makes.
    pub(crate) async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) =
            tokio_postgres::connect(&self.database.url(), tokio_postgres::NoTls)
                .await
                .unwrap();
        tokio::spawn(connection);
        client
    }

    /// One number that a query gives.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        self.client()
            .await
            .query_one(query, &[])
            .await
            .unwrap()
            .get(0)
    }

    /// Commits games that ended, partitions included.
    pub(crate) async fn finish(&mut self, games: Vec<FinishedGame>) {
        let months: BTreeSet<Month> = games.iter().map(|game| Month::of(game.ended_at)).collect();
        let batch = self.batch(games);
        for _ in 0..3 {
            let mut session = self.session().await;
            let floor = partitions::retention_floor(&mut session).await.unwrap();
            partitions::ensure(&mut session, &months).await.unwrap();
            match self.session.commit(&batch, floor).await {
                Ok(_) => {
                    self.next = batch.next;
                    return;
                }
                Err(CommitError::MissingPartition(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("no partition was made in three tries");
    }

    fn batch(&self, games: Vec<FinishedGame>) -> Batch {
        let count = i64::try_from(games.len()).unwrap();
        let finished = (self.next..).zip(games).map(|(offset, game)| Finished {
            game: Box::new(game),
            end: RecordCopy {
                offset,
                ..RecordCopy::default()
            },
        });
        Batch {
            scope: self.scope.clone(),
            token: self.token,
            base: self.next,
            next: self.next + count,
            replay_from: self.next + count,
            counts: Counts {
                applied: count,
                ..Counts::default()
            },
            finished: finished.collect(),
            snapshots: Vec::new(),
            ended_rows: Vec::new(),
            dead_letters: Vec::new(),
        }
    }
}
