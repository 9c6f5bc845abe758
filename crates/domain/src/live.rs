//! The state machine of one game, from its create to its end.
//!
//! ```text
//!              ply = next: apply, then drain what was held
//!            ┌──────────┐
//!            ▼          │      end
//! create ──► live ──────┴───────────────► FinishedGame
//!            ▲          │
//!            └──────────┘ ply ahead: hold, at most MAX_HELD_MOVES
//! ```
//!
//! First accepted wins: nothing that was accepted is ever replaced. A game has no synchronisation and no offsets of its own;
//! whoever folds it knows both.

use serde::{Deserialize, Serialize};

use crate::{
    Action, CreatedBytes, EndKind, EventTime, FinishedGame, FinishedPlayer, GameEnd, GameId, Move,
    MoveRef, NewGame, PackedMoves, PlayerId, PlayerResult, Reason, Slug, Verdict,
};

/// How many moves a game may hold that arrived before the ones they follow.
pub const MAX_HELD_MOVES: usize = 64;
/// The longest a game may last by its own times: 400 days, in milliseconds.
const MAX_GAME_MS: i64 = 400 * 24 * 3_600 * 1_000;
/// The first byte of an encoded live game.
const STATE_VERSION: u8 = 1;

/// An encoded live game that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LiveGameError {
    /// No bytes, or a version this build does not know.
    #[error("live game state has unknown version {found:?}")]
    Version {
        /// The version byte found.
        found: Option<u8>,
    },
    /// Bytes that are not a live game.
    #[error("live game state is damaged: {source}")]
    Damaged {
        /// What the decoder said.
        #[from]
        source: postcard::Error,
    },
}

/// A game that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveGame {
    created: CreatedBytes,
    started_at: EventTime,
    /// Ply and time of the last applied move; ply 0 and `started_at` before the first.
    last: (u32, EventTime),
    moves: PackedMoves,
    /// Moves that came too early, by ply. Boxed: few games ever hold one.
    #[expect(
        clippy::box_collection,
        reason = "eight bytes instead of 24 in every live game"
    )]
    held: Option<Box<Vec<Move>>>,
}

impl LiveGame {
    /// Begins a game.
    #[must_use]
    pub fn begin(game: &NewGame, at: EventTime) -> Self {
        Self {
            created: CreatedBytes::encode(game),
            started_at: at,
            last: (0, at),
            moves: PackedMoves::default(),
            held: None,
        }
    }

    /// Applies one event; an accepted end gives the finished game, and this one is over.
    ///
    /// # Errors
    /// [`LiveGameError::Damaged`] when the game's own beginning can't be decoded, which only a damaged snapshot can cause.
    pub fn apply(
        &mut self,
        id: &str,
        at: EventTime,
        action: &Action<'_>,
    ) -> Result<(Verdict, Option<Box<FinishedGame>>), LiveGameError> {
        Ok(match action {
            Action::Create(game) if self.created == CreatedBytes::encode(game) => {
                (Verdict::Duplicate, None)
            }
            Action::Create(_) => (Verdict::DeadLetter(Reason::Conflict), None),
            Action::Move {
                ply,
                player_id,
                text,
                clock_ms,
            } => (self.apply_move(*ply, player_id, text, *clock_ms, at), None),
            Action::End(end) => match self.finish(id, end, at)? {
                Some(finished) => (Verdict::Applied, Some(finished)),
                None => (Verdict::DeadLetter(Reason::Invalid), None),
            },
        })
    }

    fn apply_move(
        &mut self,
        ply: u32,
        player_id: &str,
        text: &str,
        clock_ms: Option<u64>,
        at: EventTime,
    ) -> Verdict {
        let Some(player) = self.created.player_index(player_id) else {
            return Verdict::DeadLetter(Reason::Invalid);
        };
        if let Some(same) = self.known_move(ply, player, text) {
            return if same {
                Verdict::Duplicate
            } else {
                Verdict::DeadLetter(Reason::Conflict)
            };
        }
        let next = MoveRef {
            ply,
            player,
            text,
            clock_ms,
            at,
        };
        if ply == self.last.0 + 1 {
            self.append(next);
            self.drain_held();
            return Verdict::Applied;
        }
        let held = self.held.get_or_insert_default();
        if held.len() >= MAX_HELD_MOVES {
            return Verdict::DeadLetter(Reason::GapOverflow);
        }
        let place = held.partition_point(|m| m.ply < ply);
        held.insert(
            place,
            Move {
                ply,
                player,
                text: text.into(),
                clock_ms,
                at,
            },
        );
        Verdict::Applied
    }

    /// Whether the move at this ply, applied or held, is this one; `None` when there is none yet.
    fn known_move(&self, ply: u32, player: u8, text: &str) -> Option<bool> {
        if ply <= self.last.0 {
            return self.moves.matches(ply, player, text);
        }
        let held = self.held.as_ref()?;
        let place = held.binary_search_by_key(&ply, |m| m.ply).ok()?;
        held.get(place)
            .map(|m| m.player == player && &*m.text == text)
    }

    fn append(&mut self, next: MoveRef<'_>) {
        self.moves.push(self.last, next);
        self.last = (next.ply, next.at);
    }

    fn drain_held(&mut self) {
        let Some(mut held) = self.held.take() else {
            return;
        };
        let ready = held
            .iter()
            .enumerate()
            .take_while(|(i, m)| m.ply as usize == self.last.0 as usize + 1 + i)
            .count();
        for m in held.drain(..ready) {
            self.append(m.as_ref());
        }
        if !held.is_empty() {
            self.held = Some(held);
        }
    }

    /// The finished game, or `None` when this end is impossible for this game.
    fn finish(
        &self,
        id: &str,
        end: &GameEnd,
        at: EventTime,
    ) -> Result<Option<Box<FinishedGame>>, LiveGameError> {
        let lasted_ms = at.as_ms() - self.started_at.as_ms();
        let (Ok(id), 0..=MAX_GAME_MS) = (GameId::parse(id), lasted_ms) else {
            return Ok(None);
        };
        let created = self.created.decode()?;
        let Some(outcome) = Outcome::of(&end.kind, &created) else {
            return Ok(None);
        };
        if end
            .ratings
            .iter()
            .any(|r| !created.players.iter().any(|p| p.id == r.player))
        {
            return Ok(None);
        }
        let players = created
            .players
            .iter()
            .map(|p| FinishedPlayer {
                id: p.id.clone(),
                role: p.role.clone(),
                rating: p.rating,
                rating_after: end
                    .ratings
                    .iter()
                    .find(|r| r.player == p.id)
                    .map(|r| r.rating),
                result: outcome.result_of(&p.id),
            })
            .collect();
        let mut moves = self.moves.clone();
        let mut last = self.last;
        for m in self.held.iter().flat_map(|held| held.iter()) {
            moves.push(last, m.as_ref());
            last = (m.ply, m.at);
        }
        let move_count = self.move_count();
        Ok(Some(Box::new(FinishedGame {
            id,
            started_at: self.started_at,
            ended_at: at,
            drawn: outcome.drawn,
            termination: outcome.termination,
            move_count,
            incomplete: self.held.is_some()
                || end.move_count.is_some_and(|expected| move_count < expected),
            moves,
            opening: end.opening.clone(),
            players,
            end_fingerprint: end.fingerprint(),
            winner: outcome.winner,
            created,
        })))
    }

    /// How many moves were accepted, held ones included.
    #[must_use]
    pub fn move_count(&self) -> u32 {
        let held = self.held.as_ref().map_or(0, |held| held.len());
        self.last.0 + u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// How many moves were applied in order.
    #[must_use]
    pub fn applied_plies(&self) -> u32 {
        self.last.0
    }

    /// When it began.
    #[must_use]
    pub fn started_at(&self) -> EventTime {
        self.started_at
    }

    /// The time of the last applied move, or of the create before the first.
    #[must_use]
    pub fn last_applied_at(&self) -> EventTime {
        self.last.1
    }

    /// The beginning, decoded.
    ///
    /// # Errors
    /// [`LiveGameError::Damaged`] when its bytes are damaged.
    pub fn created(&self) -> Result<NewGame, LiveGameError> {
        Ok(self.created.decode()?)
    }

    /// The moves applied in order, without the held ones.
    #[must_use]
    pub fn moves(&self) -> &PackedMoves {
        &self.moves
    }

    /// Bytes this game holds beyond its own struct.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let held = self
            .held
            .as_ref()
            .map_or(0, |h| h.capacity() * size_of::<Move>());
        self.created.len() + self.moves.capacity() + held
    }

    /// The whole state, held moves included, for a snapshot.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Postcard fails only on types it can't describe; an empty state would be refused as `Version` when read.
        postcard::to_extend(self, vec![STATE_VERSION]).unwrap_or_default()
    }

    /// Reads a state back.
    ///
    /// # Errors
    /// [`LiveGameError`] for bytes that [`Self::encode`] did not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, LiveGameError> {
        match bytes.split_first() {
            Some((&STATE_VERSION, body)) => Ok(postcard::from_bytes(body)?),
            other => Err(LiveGameError::Version {
                found: other.map(|(version, _)| *version),
            }),
        }
    }
}

/// Who won, and by what.
struct Outcome {
    winner: Option<PlayerId>,
    loser: Option<PlayerId>,
    drawn: bool,
    termination: Slug,
}

impl Outcome {
    /// The outcome for this game's players; `None` when the end names somebody else or leaves the winner open.
    fn of(kind: &EndKind, created: &NewGame) -> Option<Self> {
        let plays = |player: &PlayerId| created.players.iter().any(|p| p.id == *player);
        let none = |termination: &Slug| Self {
            winner: None,
            loser: None,
            drawn: false,
            termination: termination.clone(),
        };
        Some(match kind {
            EndKind::Won {
                winner,
                termination,
            } => plays(winner).then(|| Self {
                winner: Some(winner.clone()),
                ..none(termination)
            })?,
            EndKind::Drawn { termination } => Self {
                drawn: true,
                ..none(termination)
            },
            EndKind::NoResult { termination } | EndKind::Aborted { termination } => {
                none(termination)
            }
            EndKind::Resigned { player, winner } => {
                Self::lost(player, winner.as_ref(), "resignation", created)?
            }
            EndKind::TimedOut { player, winner } => {
                Self::lost(player, winner.as_ref(), "timeout", created)?
            }
        })
    }

    fn lost(
        player: &PlayerId,
        winner: Option<&PlayerId>,
        termination: &str,
        created: &NewGame,
    ) -> Option<Self> {
        let mut others = created
            .players
            .iter()
            .map(|p| &p.id)
            .filter(|id| *id != player);
        let winner = match (winner, created.players.len()) {
            (Some(named), _) => Some(others.find(|id| *id == named)?.clone()),
            (None, 1) => None,
            (None, 2) => Some(others.next()?.clone()),
            (None, _) => return None,
        };
        let plays = created.players.iter().any(|p| p.id == *player);
        let termination = Slug::parse(termination).ok()?;
        plays.then(|| Self {
            winner,
            loser: Some(player.clone()),
            drawn: false,
            termination,
        })
    }

    fn result_of(&self, player: &PlayerId) -> PlayerResult {
        if self.drawn {
            return PlayerResult::Draw;
        }
        match &self.winner {
            Some(winner) if winner == player => PlayerResult::Win,
            Some(_) => PlayerResult::Loss,
            None if self.loser.as_ref() == Some(player) => PlayerResult::Loss,
            None => PlayerResult::None,
        }
    }
}

#[cfg(test)]
mod tests;
