//! The per-game rules, written from the documents: one partition's records in offset order, one verdict each.
//!
//! The plainest form that can be right. Every accepted move of a live game stands in one map by its ply; what was applied is
//! the run of plies from 1, what is held is the rest. One thread, no snapshot, no replay, no batches: the answer that every
//! cleverer way of reading the same log must come to.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::decode::decode;
use super::event::{Action, Beginning, Ending, Event, How, Reason, Refusal, VERDICTS, Verdict};

/// How many moves may wait for one that is missing before them.
const MAX_HELD: usize = 64;
/// The longest a game may last by its own times: 400 days.
const MAX_GAME_MS: i64 = 400 * 86_400_000;

/// A record's headers in record order, with their values.
pub(crate) type Headers = Vec<(String, Option<Vec<u8>>)>;

/// A record of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record<'a> {
    pub(crate) offset: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// The record's own timestamp, in milliseconds since 1970; it decides nothing.
    pub(crate) timestamp_ms: Option<i64>,
}

/// A record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SetAside {
    pub(super) reason: Reason,
    pub(super) game_id: Option<String>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) raw: Option<Vec<u8>>,
    /// `None` where the client library could not read them.
    pub(super) headers: Option<Headers>,
    pub(super) timestamp_ms: Option<i64>,
    /// What this fold found wrong, for a person; never compared.
    pub(super) why: String,
}

/// An accepted move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ply {
    pub(super) ply: u32,
    /// Place of the mover among the players.
    pub(super) player: u8,
    pub(super) text: Box<str>,
    pub(super) clock_ms: Option<u64>,
    pub(super) at_ms: i64,
}

/// A game that has begun and not ended.
#[derive(Debug)]
pub(super) struct Live {
    beginning: Box<Beginning>,
    started_ms: i64,
    moves: BTreeMap<u32, Ply>,
    /// The first ply that has not arrived.
    next: u32,
    /// Offsets of the records that changed it: what a snapshot must cover or a replay read again.
    pub(super) applied_at: Vec<i64>,
}

/// A game that is over.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) beginning: Box<Beginning>,
    pub(super) started_ms: i64,
    pub(super) ended_ms: i64,
    pub(super) end_offset: i64,
    /// The directory's line for its end.
    pub(super) end: String,
    pub(super) winner: Option<String>,
    pub(super) drawn: bool,
    /// Who lost where nobody won: a player who gave up alone.
    pub(super) loser: Option<String>,
    pub(super) termination: String,
    pub(super) ratings_after: Vec<(String, i32)>,
    pub(super) opening: Option<(String, Option<String>)>,
    pub(super) incomplete: bool,
    pub(super) moves: Vec<Ply>,
}

/// What one partition's log comes to.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) live: HashMap<Box<str>, Live>,
    pub(super) finished: HashMap<Box<str>, Finished>,
    pub(super) set_aside: BTreeMap<i64, SetAside>,
    pub(super) counts: [u64; VERDICTS],
    /// Games that an event named without there ever having been a create of theirs here.
    pub(super) strangers: HashSet<Box<str>>,
    /// Games that were over before the log begins, with their directory's lines: nobody but the directory knows them.
    pub(super) over_before: HashMap<Box<str>, Box<str>>,
}

/// A record's verdict and the game it was judged in.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) game_id: Option<String>,
    why: String,
}

impl Fold {
    /// Judges the next record. `headers` is asked only for a record that is set aside.
    pub(super) fn record(
        &mut self,
        record: &Record<'_>,
        headers: impl FnOnce() -> Option<Headers>,
    ) -> Verdict {
        let judged = match decode(record.key, record.value) {
            Ok(event) => self.event(record.offset, &event),
            Err(Refusal {
                reason,
                game_id,
                detail,
            }) => Judged {
                verdict: Verdict::DeadLetter(reason),
                game_id,
                why: detail,
            },
        };
        self.counts[judged.verdict.place()] += 1;
        if let Verdict::DeadLetter(reason) = judged.verdict {
            let set_aside = SetAside {
                reason,
                game_id: judged.game_id,
                key: record.key.map(<[u8]>::to_vec),
                raw: record.value.map(<[u8]>::to_vec),
                headers: headers(),
                timestamp_ms: record.timestamp_ms,
                why: judged.why,
            };
            self.set_aside.insert(record.offset, set_aside);
        }
        judged.verdict
    }

    fn event(&mut self, offset: i64, event: &Event<'_>) -> Judged {
        let id: &str = &event.game_id;
        let (verdict, why) = if let Some(live) = self.live.get_mut(id) {
            let (verdict, why) = match &event.action {
                Action::Create(again) if live.beginning == *again => (Verdict::Duplicate, ""),
                Action::Create(_) => dead(Reason::Conflict, "another create"),
                Action::Move {
                    ply,
                    player,
                    text,
                    clock_ms,
                } => live.move_made(*ply, player, text, *clock_ms, event.at_ms),
                Action::End(ending) => match live.end(ending, event.at_ms, offset) {
                    Err(why) => dead(Reason::Invalid, why),
                    Ok(finished) => {
                        self.live.remove(id);
                        self.finished.insert(id.into(), finished);
                        return Judged::said(Verdict::Applied, id, "");
                    }
                },
            };
            if verdict == Verdict::Applied {
                live.applied_at.push(offset);
            }
            (verdict, why)
        } else if let Some(end) = self.end_of(id) {
            match &event.action {
                Action::End(again) if again.how.to_string() == *end => (Verdict::Duplicate, ""),
                Action::End(_) => dead(Reason::Conflict, "another end"),
                Action::Create(_) | Action::Move { .. } => (Verdict::Late, ""),
            }
        } else if let Action::Create(beginning) = &event.action {
            let live = Live::begin(beginning.clone(), event.at_ms, offset);
            self.live.insert(id.into(), live);
            (Verdict::Applied, "")
        } else {
            self.strangers.insert(id.into());
            dead(Reason::Orphan, "no create came before it")
        };
        Judged::said(verdict, id, why)
    }

    /// The directory's line of a game that is over.
    fn end_of(&self, id: &str) -> Option<&str> {
        let before = self.over_before.get(id).map(|end| &**end);
        before.or_else(|| self.finished.get(id).map(|over| &*over.end))
    }

    /// The games that may have begun before the log does: an event came without a create, or the first move never came.
    pub(super) fn may_have_begun_before(&self) -> HashSet<Box<str>> {
        let headless = self.live.iter().filter(|(_, live)| live.is_headless());
        let headless_too = self.finished.iter().filter(|(_, over)| over.is_headless());
        let ids = headless
            .map(|(id, _)| id)
            .chain(headless_too.map(|(id, _)| id));
        ids.chain(&self.strangers).cloned().collect()
    }

    /// How many records were judged.
    pub(super) fn records(&self) -> u64 {
        self.counts.iter().sum()
    }
}

fn dead(reason: Reason, why: &'static str) -> (Verdict, &'static str) {
    (Verdict::DeadLetter(reason), why)
}

impl Judged {
    fn said(verdict: Verdict, game_id: &str, why: &str) -> Self {
        Self {
            verdict,
            game_id: matches!(verdict, Verdict::DeadLetter(_)).then(|| game_id.to_owned()),
            why: why.to_owned(),
        }
    }
}

impl Live {
    fn begin(beginning: Box<Beginning>, at_ms: i64, offset: i64) -> Self {
        Self {
            beginning,
            started_ms: at_ms,
            moves: BTreeMap::new(),
            next: 1,
            applied_at: vec![offset],
        }
    }

    fn move_made(
        &mut self,
        ply: u32,
        player: &str,
        text: &str,
        clock_ms: Option<u64>,
        at_ms: i64,
    ) -> (Verdict, &'static str) {
        let seat = self
            .beginning
            .players
            .iter()
            .position(|seat| seat.id == player);
        let Some(player) = seat.and_then(|seat| u8::try_from(seat).ok()) else {
            return dead(Reason::Invalid, "a move by somebody who does not play");
        };
        if let Some(known) = self.moves.get(&ply) {
            if known.player == player && &*known.text == text {
                return (Verdict::Duplicate, "");
            }
            return dead(Reason::Conflict, "another move at this ply");
        }
        let held = self.moves.len() - (self.next as usize - 1);
        if ply > self.next && held >= MAX_HELD {
            return dead(Reason::GapOverflow, "too many moves wait for a missing one");
        }
        let text = text.into();
        self.moves.insert(
            ply,
            Ply {
                ply,
                player,
                text,
                clock_ms,
                at_ms,
            },
        );
        while self.moves.contains_key(&self.next) {
            self.next += 1;
        }
        (Verdict::Applied, "")
    }

    /// The finished game, or why this end is none this game can take.
    fn end(&self, ending: &Ending, at_ms: i64, offset: i64) -> Result<Finished, &'static str> {
        if at_ms < self.started_ms || at_ms - self.started_ms > MAX_GAME_MS {
            return Err("an end before its create, or more than 400 days after it");
        }
        if ending.ratings.iter().any(|(id, _)| !self.plays(id)) {
            return Err("a rating of somebody who does not play");
        }
        let (winner, loser, termination) = self.outcome(&ending.how)?;
        let gap = self.moves.len() != self.next as usize - 1;
        let missing = ending
            .move_count
            .is_some_and(|expected| self.moves.len() < expected as usize);
        Ok(Finished {
            beginning: self.beginning.clone(),
            started_ms: self.started_ms,
            ended_ms: at_ms,
            end_offset: offset,
            end: ending.how.to_string(),
            winner: winner.map(str::to_owned),
            drawn: matches!(ending.how, How::Drawn { .. }),
            loser: loser.map(str::to_owned),
            termination: termination.to_owned(),
            ratings_after: ending.ratings.clone(),
            opening: ending.opening.clone(),
            incomplete: gap || missing,
            moves: self.moves.values().cloned().collect(),
        })
    }

    /// Whether moves came and the first one did not.
    fn is_headless(&self) -> bool {
        self.next == 1 && !self.moves.is_empty()
    }

    fn plays(&self, id: &str) -> bool {
        self.beginning.players.iter().any(|seat| seat.id == id)
    }

    /// Winner, loser and termination.
    fn outcome<'a>(
        &'a self,
        how: &'a How,
    ) -> Result<(Option<&'a str>, Option<&'a str>, &'a str), &'static str> {
        let (loser, named, termination) = match how {
            How::Won { winner, by } if self.plays(winner) => return Ok((Some(winner), None, by)),
            How::Won { .. } => return Err("a winner who does not play"),
            How::Drawn { by } | How::NoResult { by } | How::Aborted { by } => {
                return Ok((None, None, by));
            }
            How::Resigned { player, winner } => (player, winner, "resignation"),
            How::TimedOut { player, winner } => (player, winner, "timeout"),
        };
        if !self.plays(loser) {
            return Err("a loser who does not play");
        }
        let mut others = self
            .beginning
            .players
            .iter()
            .map(|seat| seat.id.as_str())
            .filter(|id| id != loser);
        let winner = match (named, self.beginning.players.len()) {
            (Some(named), _) => Some(
                others
                    .find(|id| id == named)
                    .ok_or("a winner who is no other player")?,
            ),
            (None, 1) => None,
            (None, 2) => others.next(),
            (None, _) => return Err("more than two play and no winner is named"),
        };
        Ok((winner, Some(loser), termination))
    }
}

impl Finished {
    /// Whether moves came and the first one did not.
    fn is_headless(&self) -> bool {
        self.moves.first().is_some_and(|first| first.ply > 1)
    }

    /// `win`, `draw` or `none`.
    pub(super) fn result(&self) -> &'static str {
        match (&self.winner, self.drawn) {
            (Some(_), _) => "win",
            (None, true) => "draw",
            (None, false) => "none",
        }
    }

    /// What it was for one player: `win`, `loss`, `draw` or `none`.
    pub(super) fn result_of(&self, player: &str) -> &'static str {
        match &self.winner {
            Some(winner) if winner == player => "win",
            Some(_) => "loss",
            None if self.drawn => "draw",
            None if self.loser.as_deref() == Some(player) => "loss",
            None => "none",
        }
    }

    /// A player's rating after the game; the first one said counts.
    pub(super) fn rating_after(&self, player: &str) -> Option<i32> {
        self.ratings_after
            .iter()
            .find(|(id, _)| id == player)
            .map(|(_, rating)| *rating)
    }
}
