//! What a live game does next, and the faults that befall what it sends.

use std::cmp::Reverse;
use std::sync::Arc;

use chess::Color;
use domain::{Reason, Verdict};
use events::wire::{EndDetails, event_type};
use rand::Rng;

use super::faults::Echo;
use super::live::{Live, Plan};
use super::poison::{CORPUS, Scene};
use super::record::About;
use super::story::{created, ended_by, event_id, moved, resigned, told};
use super::{Fault, Play, Record, Role, Sent, Step};

/// A missing move has fewer than this many behind it: a reader holds 64 that came early.
const MAX_GAP_TAIL: usize = 60;
/// How long after the end its echoes come, in milliseconds.
const ECHO_MS: std::ops::Range<i64> = 50..20_000;

/// What a true record is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Move { ply: usize },
    End,
}

impl Play {
    /// Does what is next in a game; when the thing after that comes, or `None` after the end.
    pub(super) fn advance(&mut self, live: &mut Live) -> Option<i64> {
        if !live.begun {
            self.create(live);
        } else if live.played < live.plies {
            self.make_move(live);
        } else {
            self.finish(live);
            return None;
        }
        Some(live.schedule(&mut self.rng))
    }

    fn create(&mut self, live: &mut Live) {
        live.begun = true;
        let may_have_gap = live.plies > 0 && !matches!(live.plan, Plan::Stop | Plan::Abort);
        if may_have_gap && self.happens(self.settings.faults.gaps) {
            let tail = self.chaos.random_range(0..live.plies.min(MAX_GAP_TAIL));
            live.faults.gap = Some(live.plies - tail);
        }
        let record = created(live, live.mode(), event_id(&mut self.rng, live.now_ms));
        self.send(live, record, Kind::Create);
        self.flush(live, false);
    }

    fn make_move(&mut self, live: &mut Live) {
        let (side, clock_ms) = (live.side(), live.tick());
        let ply = live.played + 1;
        let id = event_id(&mut self.rng, live.now_ms);
        let line = self.book.line(live.line);
        let text = line
            .and_then(|line| line.moves.get(live.played))
            .map_or("0000", |mv| mv.as_str());
        let record = moved(live, side, ply, text, Some(clock_ms), id);
        live.played = ply;
        let has_next = ply < live.plies && live.faults.gap != Some(ply + 1);
        if live.faults.gap == Some(ply) {
            // Never sent.
        } else if has_next
            && live.faults.delayed.is_none()
            && self.happens(self.settings.faults.reorder)
        {
            let after = ply + self.chaos.random_range(1..=2);
            live.faults.delayed = Some((ply, after, record));
            live.faults.reordered = true;
        } else {
            self.send(live, record, Kind::Move { ply });
        }
        self.flush(live, false);
    }

    fn finish(&mut self, live: &mut Live) {
        self.flush(live, true);
        let (result, termination, winner) = told(live.plan);
        let ended = live.plan != Plan::Stop;
        if ended {
            let ratings = self.rate(live, winner);
            let opening = self.book.line(live.line).map(|line| line.opening);
            let id = event_id(&mut self.rng, live.now_ms);
            let record = ended_by(live, ratings, opening, id);
            self.send(live, record, Kind::End);
            for sent in std::mem::take(&mut live.faults.late) {
                self.echo(live.now_ms, sent);
            }
        }
        let note = live.note(result, termination, winner, ended.then_some(live.now_ms));
        self.out.push_back(Step::Over(Box::new(note)));
    }

    /// The new ratings of a rated game that counts.
    fn rate(&mut self, live: &Live, winner: Option<Color>) -> Option<[i32; 2]> {
        let score = match (winner, live.plan) {
            (Some(Color::White), _) => 1.0,
            (Some(Color::Black), _) => 0.0,
            (None, Plan::Abort | Plan::Stop) => return None,
            (None, _) => 0.5,
        };
        let [white, black] = live.players;
        live.rated.then(|| self.players.rate(white, black, score))
    }

    /// Sends a true record, and arranges for the faults that befall it.
    fn send(&mut self, live: &mut Live, record: Record, kind: Kind) {
        let faults = self.settings.faults;
        if self.happens(faults.duplicates) {
            let again = fault(live, &record, kind, "duplicate", Verdict::Duplicate);
            match kind {
                Kind::End => self.echo(live.now_ms, again),
                _ => self.due(live, again),
            }
        }
        if kind != Kind::End && live.plan != Plan::Stop && self.happens(faults.late) {
            let late = fault(live, &record, kind, "late", Verdict::Late);
            live.faults.late.push(late);
        }
        if self.happens(faults.conflicts) {
            let other = self.contradiction(live, kind);
            let conflict = fault(
                live,
                &other,
                kind,
                "conflict",
                Verdict::DeadLetter(Reason::Conflict),
            );
            match kind {
                Kind::End => self.echo(live.now_ms, conflict),
                _ => self.due(live, conflict),
            }
        }
        // Some poison needs its game live: it comes after every record but the end.
        let poison = self.happens(faults.poison);
        if poison && kind == Kind::End {
            self.poison(live);
        }
        let role = match kind {
            Kind::End => Role::End {
                game_id: live.id.clone(),
            },
            _ => Role::Plain,
        };
        self.out.push_back(Step::Send(Sent { record, role }));
        if poison && kind != Kind::End {
            self.poison(live);
        }
    }

    /// Sends what is due; all that is left before the end.
    fn flush(&mut self, live: &mut Live, end: bool) {
        if let Some((ply, _, record)) = live
            .faults
            .delayed
            .take_if(|(_, after, _)| end || *after <= live.played)
        {
            self.send(live, record, Kind::Move { ply });
        }
        if live.faults.due.is_empty() {
            return;
        }
        for (due, sent) in std::mem::take(&mut live.faults.due) {
            if end || due <= live.played {
                self.out.push_back(Step::Send(sent));
            } else {
                live.faults.due.push((due, sent));
            }
        }
    }

    fn due(&mut self, live: &mut Live, sent: Sent) {
        let due = live.played + self.chaos.random_range(0..=3);
        live.faults.due.push((due, sent));
    }

    fn echo(&mut self, end_ms: i64, sent: Sent) {
        self.echo_count += 1;
        let at_ms = end_ms + self.chaos.random_range(ECHO_MS);
        let number = self.echo_count;
        self.echoes.push(Reverse(Echo {
            at_ms,
            number,
            sent,
        }));
    }

    fn poison(&mut self, live: &Live) {
        let poison = &CORPUS[self.chaos.random_range(0..CORPUS.len())];
        let scene = Scene {
            game_id: &live.id,
            player: &live.names[0],
            started_ms: live.started_ms,
            now_ms: live.now_ms,
        };
        let (key, value) = (poison.make)(&scene, &mut self.chaos);
        let about = About {
            event_type: event_type::MOVE_MADE,
            event_id: event_id(&mut self.chaos, live.now_ms),
            region: live.region,
        };
        let record = Record {
            key: key.map(Arc::from),
            value,
            about: Some(about),
        };
        let fault = Fault {
            fault: "poison",
            what: poison.name,
            game_id: live.id.clone(),
            ply: None,
            expected: Verdict::DeadLetter(poison.expected),
        };
        let role = Role::Fault(Box::new(fault));
        self.out.push_back(Step::Send(Sent { record, role }));
    }

    /// Another create, move or end than the true one.
    fn contradiction(&mut self, live: &Live, kind: Kind) -> Record {
        let id = event_id(&mut self.chaos, live.now_ms);
        match kind {
            Kind::Create => created(live, if live.rated { "casual" } else { "rated" }, id),
            Kind::Move { ply } => {
                let line = self.book.line(live.line);
                let text = line
                    .and_then(|line| line.moves.get(ply - 1))
                    .map_or("0000", |mv| mv.as_str());
                // The same two squares the other way round: never the same text.
                let (from, to) = text.split_at(2);
                let back = format!("{}{from}", to.get(..2).unwrap_or(to));
                moved(live, (ply - 1) % 2, ply, &back, None, id)
            }
            Kind::End => {
                let loser = match live.plan {
                    Plan::Resign {
                        loser: Color::White,
                    } => Color::Black,
                    _ => Color::White,
                };
                resigned(live, loser, EndDetails::default(), id)
            }
        }
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.chaos.random::<f64>() < share
    }
}

fn fault(live: &Live, record: &Record, kind: Kind, fault: &'static str, expected: Verdict) -> Sent {
    let fault = Fault {
        fault,
        what: record.about.map_or("", |about| about.event_type),
        game_id: live.id.clone(),
        ply: match kind {
            Kind::Move { ply } => Some(ply),
            Kind::Create | Kind::End => None,
        },
        expected,
    };
    Sent {
        record: record.clone(),
        role: Role::Fault(Box::new(fault)),
    }
}
