//! What a log means, decided a second time: the rules of `docs/DELIVERY.md` for one game, folded over a whole partition by
//! one simple loop that knows no batches, snapshots, crashes or owners. None of the product's code decides anything here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rows::{GameRow, PlayerRow, Ply};
use super::script::{Beginning, Ending, Entry, Event, Outcome, Says, What};

/// What can become of a record.
pub(crate) const VERDICTS: [&str; 11] = [
    "applied",
    "duplicate",
    "late",
    "undecodable",
    "unsupported",
    "key_mismatch",
    "invalid",
    "conflict",
    "orphan",
    "gap_overflow",
    "split_key",
];
/// How many records became what, in the order of [`VERDICTS`].
pub(crate) type Tally = [i64; VERDICTS.len()];

const HELD: usize = 64;
const LONGEST_MS: i64 = 400 * 86_400_000;

pub(crate) fn add(tally: &mut Tally, verdict: &str) {
    if let Some(place) = VERDICTS.iter().position(|name| *name == verdict) {
        tally[place] += 1;
    }
}

/// A game in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) beginning: Beginning,
    pub(crate) started_ms: i64,
    pub(crate) moves: Vec<Ply>,
    pub(crate) held: BTreeMap<u32, Ply>,
}

/// The games in progress of a partition.
pub(crate) type LiveGames = BTreeMap<Arc<str>, Arc<Live>>;
/// By which end later ones are judged.
pub(crate) type EndKey = (Outcome, &'static str);

/// What one record does to a set of live games.
pub(crate) struct Decision {
    pub(crate) verdict: &'static str,
    pub(crate) finished: Option<(GameRow, EndKey)>,
}

impl Decision {
    fn just(verdict: &'static str) -> Self {
        Self {
            verdict,
            finished: None,
        }
    }
}

/// Decides about one record, given the live games and the ends of those that are over.
pub(crate) fn decide(
    live: &mut LiveGames,
    ended: &BTreeMap<Arc<str>, EndKey>,
    entry: &Entry,
) -> Decision {
    let event = match &entry.says {
        Says::Refused { reason, .. } => return Decision::just(reason),
        Says::Event(event) => event,
    };
    if let Some(game) = live.get_mut(&event.game) {
        let decision = match &event.what {
            What::Create(again) if *again == game.beginning => Decision::just("duplicate"),
            What::Create(_) => Decision::just("conflict"),
            What::Move {
                ply,
                player,
                text,
                clock_ms,
            } => Decision::just(made(game, *ply, player, text, *clock_ms, event.at_ms)),
            What::End(ending) => finish(game, ending, event, entry.offset),
        };
        if decision.finished.is_some() {
            live.remove(&event.game);
        }
        return decision;
    }
    if let Some(end) = ended.get(&event.game) {
        return Decision::just(match &event.what {
            What::End(again) if key(again) == *end => "duplicate",
            What::End(_) => "conflict",
            What::Create(_) | What::Move { .. } => "late",
        });
    }
    let What::Create(beginning) = &event.what else {
        return Decision::just("orphan");
    };
    let game = Live {
        beginning: beginning.clone(),
        started_ms: event.at_ms,
        moves: Vec::new(),
        held: BTreeMap::new(),
    };
    live.insert(event.game.clone(), Arc::new(game));
    Decision::just("applied")
}

fn key(ending: &Ending) -> EndKey {
    (ending.outcome.clone(), ending.termination)
}

fn made(
    game: &mut Arc<Live>,
    ply: u32,
    player: &str,
    text: &str,
    clock_ms: Option<u64>,
    at_ms: i64,
) -> &'static str {
    let seats = &game.beginning.players;
    let Some(seat) = seats.iter().position(|seat| seat.id == player) else {
        return "invalid";
    };
    let next = u32::try_from(game.moves.len()).unwrap_or(u32::MAX) + 1;
    let known = if ply < next {
        game.moves.get(ply as usize - 1)
    } else {
        game.held.get(&ply)
    };
    if let Some(known) = known {
        let same = known.seat == seat && known.text == text;
        return if same { "duplicate" } else { "conflict" };
    }
    if ply > next && game.held.len() >= HELD {
        return "gap_overflow";
    }
    let game = Arc::make_mut(game);
    let accepted = Ply {
        ply,
        seat,
        text: text.to_owned(),
        clock_ms,
        at_ms,
    };
    game.held.insert(ply, accepted);
    while let Some(first) = game.held.first_entry() {
        if *first.key() as usize != game.moves.len() + 1 {
            break;
        }
        game.moves.push(first.remove());
    }
    "applied"
}

fn finish(game: &Live, ending: &Ending, event: &Event, offset: i64) -> Decision {
    let lasted_ms = event.at_ms - game.started_ms;
    let seats = &game.beginning.players;
    let plays = |id: &str| seats.iter().any(|seat| seat.id == id);
    let rated = ending.ratings.iter().all(|(id, _)| plays(id));
    let Some((winner, loser)) = who(&ending.outcome, game) else {
        return Decision::just("invalid");
    };
    if !(0..=LONGEST_MS).contains(&lasted_ms) || !rated {
        return Decision::just("invalid");
    }
    let drawn = ending.outcome == Outcome::Draw;
    let result_of = |id: &str| match winner {
        _ if drawn => "draw",
        Some(winner) if winner == id => "win",
        Some(_) => "loss",
        None if loser == Some(id) => "loss",
        None => "none",
    };
    let players = seats.iter().map(|seat| PlayerRow {
        id: seat.id.to_owned(),
        role: seat.role.to_owned(),
        rating: seat.rating,
        rating_after: ending
            .ratings
            .iter()
            .find(|(id, _)| *id == seat.id)
            .map(|(_, rating)| *rating),
        result: result_of(seat.id).to_owned(),
    });
    let termination = match &ending.outcome {
        Outcome::Resigned { .. } => "resignation",
        Outcome::TimedOut { .. } => "timeout",
        _ => ending.termination,
    };
    let moves: Vec<Ply> = game
        .moves
        .iter()
        .chain(game.held.values())
        .cloned()
        .collect();
    let move_count = u32::try_from(moves.len()).unwrap_or(u32::MAX);
    let short = ending.move_count.is_some_and(|count| move_count < count);
    let row = GameRow {
        id: event.game.to_string(),
        end_offset: offset,
        started_ms: game.started_ms,
        ended_ms: event.at_ms,
        mode: game.beginning.mode.to_owned(),
        time_control: game.beginning.time_control.map(str::to_owned),
        region: game.beginning.region.map(str::to_owned),
        result: if drawn {
            "draw"
        } else if winner.is_some() {
            "win"
        } else {
            "none"
        }
        .to_owned(),
        winner: winner.map(str::to_owned),
        termination: termination.to_owned(),
        opening: ending
            .opening
            .map(|(code, name)| (code.to_owned(), Some(name.to_owned()))),
        move_count,
        incomplete: short || !game.held.is_empty(),
        players: players.collect(),
        moves,
    };
    Decision {
        verdict: "applied",
        finished: Some((row, key(ending))),
    }
}

/// Winner and loser; `None` when the end is impossible for these players.
fn who(outcome: &Outcome, game: &Live) -> Option<(Option<&'static str>, Option<&'static str>)> {
    let ids: Vec<&'static str> = game.beginning.players.iter().map(|seat| seat.id).collect();
    match outcome {
        Outcome::Win(winner) => ids.contains(winner).then_some((Some(*winner), None)),
        Outcome::Draw | Outcome::NoResult | Outcome::Aborted => Some((None, None)),
        Outcome::Resigned { player, winner } | Outcome::TimedOut { player, winner } => {
            let others: Vec<&'static str> = ids.iter().copied().filter(|id| id != player).collect();
            if others.len() == ids.len() {
                return None;
            }
            match (winner, others.as_slice()) {
                (Some(winner), _) => others
                    .contains(winner)
                    .then_some((Some(*winner), Some(*player))),
                (None, []) => Some((None, Some(*player))),
                (None, [only]) => Some((Some(*only), Some(*player))),
                (None, _) => None,
            }
        }
    }
}

/// A partition's log with what is true after each of its records.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) entries: Vec<Entry>,
    /// What became of each record.
    pub(crate) verdicts: Vec<&'static str>,
    /// How many records became what, before each record and after the last.
    pub(crate) tallies: Vec<Tally>,
    /// The games in progress, before each record and after the last.
    pub(crate) live: Vec<LiveGames>,
    /// Finished games in the order of their ends.
    pub(crate) finished: Vec<Arc<GameRow>>,
}

impl Truth {
    pub(crate) fn of(entries: Vec<Entry>) -> Self {
        let (mut live, mut ended) = (LiveGames::new(), BTreeMap::new());
        let mut tally = Tally::default();
        let mut truth = Self {
            verdicts: Vec::new(),
            tallies: vec![tally],
            live: vec![live.clone()],
            finished: Vec::new(),
            entries: Vec::new(),
        };
        for entry in &entries {
            let Decision { verdict, finished } = decide(&mut live, &ended, entry);
            add(&mut tally, verdict);
            if let Some((row, end)) = finished {
                ended.insert(Arc::from(row.id.as_str()), end);
                truth.finished.push(Arc::new(row));
            }
            truth.verdicts.push(verdict);
            truth.tallies.push(tally);
            truth.live.push(live.clone());
        }
        truth.entries = entries;
        truth
    }

    /// How many records lie below `offset`.
    pub(crate) fn below(&self, offset: i64) -> usize {
        self.entries.partition_point(|entry| entry.offset < offset)
    }

    /// The offset of the oldest record, and the one after the newest.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        let first = self.entries.first().map_or(0, |entry| entry.offset);
        (
            first,
            self.entries.last().map_or(first, |entry| entry.offset + 1),
        )
    }

    /// The longest run of records that a newer build might read.
    pub(crate) fn longest_unreadable_run(&self) -> usize {
        let runs = self.entries.split(|entry| !entry.is_unreadable());
        runs.map(<[Entry]>::len).max().unwrap_or(0)
    }
}
