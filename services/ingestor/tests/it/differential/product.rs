//! The product's decoder and fold, driven as its worker does: blocks, look-ups, batches, commits.

use std::collections::HashMap;
use std::fmt::Write;

use domain::{FinishedGame, GameId, Reason};
use ingestor::games::{CloseReason, FoldPolicy, PartitionFold, decode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use store::ingest::{Batch, Claim, DirectoryEntry, Scope};
use stream::RecordBlockBuilder;

use super::{Outcome, Record};

const TOPIC_ID: &str = "topic-id";

pub(super) fn outcome(seed: u64, log: &[Record]) -> Outcome {
    let mut random = StdRng::seed_from_u64(seed ^ 0x5eed);
    let scope = Scope {
        pipeline: "games".into(),
        topic: "game-events".into(),
        topic_id: TOPIC_ID.into(),
        partition: 0,
    };
    let claim = Claim {
        token: uuid::Uuid::nil(),
        next_offset: 0,
        replay_from: 0,
        live_games: Vec::new(),
    };
    let policy = FoldPolicy {
        unreadable_run: u32::MAX,
        unreadable_run_bytes: random.random_range(1..10_000),
        ..FoldPolicy::default()
    };
    let mut fold = PartitionFold::new(scope, claim, policy).unwrap();
    let mut directory = HashMap::new();
    let mut outcome = Outcome::default();
    let mut under_way: Vec<Batch> = Vec::new();
    let mut at = 0;
    while at < log.len() {
        let to = log.len().min(at + random.random_range(1..60));
        let mut builder = RecordBlockBuilder::default();
        for (offset, (key, value)) in (at..).zip(&log[at..to]) {
            let offset = i64::try_from(offset).unwrap();
            builder.push(
                offset,
                None,
                key.as_deref(),
                value.as_deref(),
                std::iter::empty(),
            );
        }
        at = to;
        let block = builder.build(0, 1);
        let records = decode(&block, fold.position());
        let asked = fold.begin_look_up(&records);
        let ended = asked
            .iter()
            .filter_map(|id| Some((GameId::parse(id).ok()?, directory.get(*id)?)))
            .map(|(id, entry): (GameId, &DirectoryEntry)| (id, entry.clone()))
            .collect();
        // A batch may be committed between the look-up and its use.
        if random.random_bool(0.2) {
            commit(&mut fold, &mut under_way, &mut directory);
        }
        fold.fold(&records, &ended, 0).unwrap();
        if random.random_bool(0.5) {
            close(&mut fold, CloseReason::Due, &mut under_way, &mut outcome);
        }
        if random.random_bool(0.4) {
            commit(&mut fold, &mut under_way, &mut directory);
        }
    }
    close(
        &mut fold,
        CloseReason::Shutdown,
        &mut under_way,
        &mut outcome,
    );
    outcome.live = fold.live_games();
    outcome
}

fn close(
    fold: &mut PartitionFold,
    reason: CloseReason,
    under_way: &mut Vec<Batch>,
    outcome: &mut Outcome,
) {
    let Some(batch) = fold.close(reason, 0) else {
        return;
    };
    let counts = &batch.counts;
    let verdicts = [
        ("applied", counts.applied),
        ("duplicates", counts.duplicates),
        ("late", counts.late),
    ];
    let dead = Reason::ALL
        .into_iter()
        .filter(|reason| *reason != Reason::SplitKey)
        .map(|reason| (reason.as_str(), counts.dead(reason)));
    for (name, count) in verdicts.into_iter().chain(dead) {
        *outcome.verdicts.entry(name).or_default() += count.unsigned_abs();
    }
    for letter in &batch.dead_letters {
        let game = letter.game_id.as_ref().map(|id| id.as_str().to_owned());
        let known = outcome
            .set_aside
            .insert(letter.record.offset, (letter.reason.as_str(), game));
        assert_eq!(known, None, "a record is set aside twice");
    }
    for finished in &batch.finished {
        let id = finished.game.id.as_str().to_owned();
        let known = outcome.finished.insert(id, told(&finished.game));
        assert_eq!(known, None, "a game is finished twice");
    }
    under_way.push(batch);
}

/// The oldest batch under way becomes true.
fn commit(
    fold: &mut PartitionFold,
    under_way: &mut Vec<Batch>,
    directory: &mut HashMap<String, DirectoryEntry>,
) {
    if under_way.is_empty() {
        return;
    }
    let batch = under_way.remove(0);
    for finished in &batch.finished {
        let entry = DirectoryEntry {
            end: finished.game.end_fingerprint.clone(),
            topic_id: TOPIC_ID.into(),
            partition: 0,
            end_offset: finished.end.offset,
        };
        directory.insert(finished.game.id.as_str().to_owned(), entry);
    }
    fold.committed(batch.next);
}

fn told(game: &FinishedGame) -> String {
    let begun = &game.created;
    let short =
        |text: &Option<domain::ShortText>| text.as_ref().map(|text| text.as_str().to_owned());
    let opening = game.opening.as_ref();
    let opening = opening.map(|opening| (opening.code.as_str(), short(&opening.name)));
    let mut text = format!(
        "{} {} {} {:?} {:?} {:?} {:?} {:?} from {} to {} end {:?} {} {:?} {} {:?} incomplete {}",
        begun.game.as_str(),
        begun.variant.as_str(),
        begun.mode.as_str(),
        short(&begun.time_control),
        begun.region.as_ref().map(domain::Slug::as_str),
        short(&begun.platform),
        short(&begun.tournament),
        short(&begun.start_position),
        game.started_at.as_ms(),
        game.ended_at.as_ms(),
        game.end_fingerprint,
        game.result(),
        game.winner.as_ref().map(domain::PlayerId::as_str),
        game.termination.as_str(),
        opening,
        game.incomplete,
    );
    for player in &game.players {
        let (role, result) = (player.role.as_str(), player.result.as_str());
        let (rating, after) = (player.rating, player.rating_after);
        let _ = write!(
            text,
            " player {:?} {role} {rating:?} {after:?} {result}",
            player.id.as_str()
        );
    }
    for made in game.moves.unpack(game.started_at).unwrap() {
        let _ = write!(
            text,
            " move {} {} {:?} {:?} {}",
            made.ply,
            made.player,
            made.text,
            made.clock_ms,
            made.at.as_ms()
        );
    }
    text
}
