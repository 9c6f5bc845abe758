//! The judge of `cargo dx verify`, asked for its outcome.

#[path = "../../../../../crates/dx/src/verify/decode.rs"]
mod decode;
#[path = "../../../../../crates/dx/src/verify/event.rs"]
mod event;
#[path = "../../../../../crates/dx/src/verify/fold.rs"]
mod fold;
#[path = "../../../../../crates/dx/src/verify/json.rs"]
mod json;
#[path = "../../../../../crates/dx/src/verify/time.rs"]
mod time;

use std::fmt::Write;

use super::{Outcome, Record};
use event::Verdict;
use fold::{Finished, Fold};

pub(super) fn outcome(log: &[Record]) -> Outcome {
    let mut fold = Fold::default();
    for (offset, (key, value)) in (0_i64..).zip(log) {
        let record = fold::Record {
            offset,
            key: key.as_deref(),
            value: value.as_deref(),
            timestamp_ms: None,
        };
        fold.record(&record, || None);
    }
    let finished = fold.finished.iter();
    let set_aside = fold.set_aside.iter();
    Outcome {
        verdicts: Verdict::COLUMNS.into_iter().zip(fold.counts).collect(),
        set_aside: set_aside
            .map(|(offset, aside)| (*offset, (aside.reason.name(), aside.game_id.clone())))
            .collect(),
        finished: finished
            .map(|(id, game)| (id.to_string(), told(game)))
            .collect(),
        live: fold.live.len(),
    }
}

fn told(game: &Finished) -> String {
    let begun = &game.beginning;
    let mut text = format!(
        "{} {} {} {:?} {:?} {:?} {:?} {:?} from {} to {} end {:?} {} {:?} {} {:?} incomplete {}",
        begun.game,
        begun.variant,
        begun.mode,
        begun.time_control,
        begun.region,
        begun.platform,
        begun.tournament,
        begun.start_position,
        game.started_ms,
        game.ended_ms,
        game.end,
        game.result(),
        game.winner,
        game.termination,
        game.opening,
        game.incomplete,
    );
    for seat in &begun.players {
        let (after, result) = (game.rating_after(&seat.id), game.result_of(&seat.id));
        let _ = write!(
            text,
            " player {:?} {} {:?} {after:?} {result}",
            seat.id, seat.role, seat.rating
        );
    }
    for made in &game.moves {
        let _ = write!(
            text,
            " move {} {} {:?} {:?} {}",
            made.ply, made.player, made.text, made.clock_ms, made.at_ms
        );
    }
    text
}
