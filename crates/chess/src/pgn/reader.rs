//! From words to games: plays every move of the main line, passes over variations and marks, refuses what it can't play.

use std::io::Read;

use super::lexer::{Lexer, Token};
use super::{FoundGame, MAX_PLIES, PgnGame, PgnMove, PgnResult, Reason, Refused, Tags};
use crate::{Clock, Game, START_FEN};

/// More tags than any program writes.
const MAX_TAGS: usize = 256;

/// Reads games one after the other; an iterator.
///
/// It holds one game at a time, and a game is bounded ([`MAX_PLIES`], and limits for tags and words). A refused game is
/// given as an error and the next one is read. Only [`Reason::Io`] ends it early.
pub struct Reader<R> {
    lexer: Lexer<R>,
    /// A token that belongs to the next game.
    pushed_back: Option<Token>,
    number: u64,
    ended: bool,
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// A game being read.
struct Draft {
    tags: Tags,
    /// The first line of it.
    line: u64,
    /// Set up from the tags when the first word of the movetext comes.
    play: Option<Play>,
}

/// The movetext being read.
struct Play {
    start_fen: Option<String>,
    game: Game,
    clocks: Vec<Option<Clock>>,
    depth: u32,
    /// Where the outermost open variation begins.
    opened: u64,
}

impl<R: Read> Reader<R> {
    /// Reads from `reader`, which need not be buffered.
    #[must_use]
    pub fn new(reader: R) -> Self {
        Self {
            lexer: Lexer::new(reader),
            pushed_back: None,
            number: 0,
            ended: false,
        }
    }

    fn token(&mut self) -> Result<Option<Token>, Reason> {
        match self.pushed_back.take() {
            Some(token) => Ok(Some(token)),
            None => self.lexer.next(),
        }
    }

    /// The next game; `None` at the end of the file.
    fn game(&mut self, draft: &mut Draft) -> Result<Option<FoundGame>, Reason> {
        let mut begun = false;
        loop {
            let Some(token) = self.token()? else {
                return match begun {
                    true => draft.finish(self.number, PgnResult::Unknown).map(Some),
                    false => Ok(None),
                };
            };
            if !begun {
                // What stands between games, such as a comment, belongs to none.
                if matches!(token, Token::Comment(_)) {
                    continue;
                }
                begun = true;
                draft.line = self.lexer.line();
            }
            match token {
                Token::Tag { name, value } => {
                    let next_game = draft.play.is_some() || is_second_event(&draft.tags, &name);
                    if next_game {
                        self.pushed_back = Some(Token::Tag { name, value });
                        return draft.finish(self.number, PgnResult::Unknown).map(Some);
                    }
                    if draft.tags.len() == MAX_TAGS {
                        return Err(Reason::TooManyTags(MAX_TAGS));
                    }
                    draft.tags.push(name, value);
                }
                other => {
                    let play = draft.play()?;
                    if let Some(result) = play.step(other, self.lexer.line())? {
                        return draft.finish(self.number, result).map(Some);
                    }
                }
            }
        }
    }

    /// Passes over the rest of a refused game.
    fn skip_game(&mut self, draft: &Draft) {
        let mut in_tags = draft.play.is_none();
        let mut depth = draft.play.as_ref().map_or(0, |play| play.depth);
        loop {
            match self.token() {
                Ok(None) | Err(Reason::Io(_)) => break,
                // Each error has taken a byte at least.
                Err(_) => {}
                Ok(Some(Token::Tag { name, value })) => {
                    if !in_tags || name == "Event" {
                        self.pushed_back = Some(Token::Tag { name, value });
                        break;
                    }
                }
                Ok(Some(Token::Open)) => depth += 1,
                Ok(Some(Token::Close)) => depth = depth.saturating_sub(1),
                Ok(Some(Token::Comment(_))) => {}
                Ok(Some(Token::Symbol(word))) => {
                    in_tags = false;
                    if depth == 0 && PgnResult::parse(&word).is_some() {
                        break;
                    }
                }
            }
        }
    }
}

/// A game of tags alone ends where the next one's first tag stands.
fn is_second_event(tags: &Tags, name: &str) -> bool {
    name == "Event" && tags.get("Event").is_some()
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<FoundGame, Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.number += 1;
        let mut draft = Draft {
            tags: Tags::default(),
            line: self.lexer.line(),
            play: None,
        };
        match self.game(&mut draft) {
            Ok(Some(found)) => Some(Ok(found)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(reason) => {
                let line = self.lexer.line();
                // A result that contradicts its tag, or a game cut short by the next one's tags, has been read to its end.
                let read = matches!(reason, Reason::Result { .. }) || self.pushed_back.is_some();
                match reason {
                    Reason::Io(_) => self.ended = true,
                    _ if read => {}
                    _ => self.skip_game(&draft),
                }
                Some(Err(Refused {
                    number: self.number,
                    line,
                    reason,
                }))
            }
        }
    }
}

impl Draft {
    /// The movetext, begun if it has not been.
    fn play(&mut self) -> Result<&mut Play, Reason> {
        let play = match self.play.take() {
            Some(play) => play,
            None => Play::begin(&self.tags)?,
        };
        Ok(self.play.insert(play))
    }

    fn finish(&mut self, number: u64, movetext: PgnResult) -> Result<FoundGame, Reason> {
        self.play()?;
        // Set by the line above.
        let Some(play) = self.play.take() else {
            return Err(Reason::UnopenedVariation);
        };
        if play.depth > 0 {
            return Err(Reason::OpenVariation {
                opened: play.opened,
            });
        }
        let tag = self
            .tags
            .get("Result")
            .and_then(|text| PgnResult::parse(text.trim()));
        let result = match (tag.unwrap_or(PgnResult::Unknown), movetext) {
            (PgnResult::Unknown, known) | (known, PgnResult::Unknown) => known,
            (tag, movetext) if tag == movetext => tag,
            (tag, movetext) => {
                return Err(Reason::Result {
                    tag: tag.as_str(),
                    movetext: movetext.as_str(),
                });
            }
        };
        let moves = play.game.moves().iter().zip(&play.clocks);
        Ok(FoundGame {
            number,
            line: self.line,
            outcome: play.game.outcome(),
            end: play.game.position().clone(),
            game: PgnGame {
                moves: moves.map(|(&uci, &clock)| PgnMove { uci, clock }).collect(),
                tags: std::mem::take(&mut self.tags),
                start_fen: play.start_fen,
                result,
            },
        })
    }
}

impl Play {
    fn begin(tags: &Tags) -> Result<Self, Reason> {
        if let Some(variant) = tags.known("Variant") {
            let name: String = variant
                .to_ascii_lowercase()
                .split([' ', '_', '-'])
                .collect();
            if !matches!(
                &*name,
                "standard" | "chess" | "normal" | "standardchess" | "fromposition"
            ) {
                return Err(Reason::Variant(variant.to_owned()));
            }
        }
        let set_up = tags.known("SetUp");
        let fen = tags.known("FEN").filter(|_| set_up != Some("0"));
        if fen.is_none() && set_up == Some("1") {
            return Err(Reason::MissingFen);
        }
        let game = Game::new(fen)?;
        let start_fen = Some(game.position().fen()).filter(|fen| fen != START_FEN);
        Ok(Self {
            start_fen,
            game,
            clocks: Vec::new(),
            depth: 0,
            opened: 0,
        })
    }

    /// Takes one token; a result ends the game.
    fn step(&mut self, token: Token, line: u64) -> Result<Option<PgnResult>, Reason> {
        match token {
            Token::Open => {
                if self.depth == 0 {
                    self.opened = line;
                }
                self.depth += 1;
            }
            Token::Close => {
                self.depth = self.depth.checked_sub(1).ok_or(Reason::UnopenedVariation)?;
            }
            Token::Comment(text) => {
                if let Some(last @ None) = self.clocks.last_mut().filter(|_| self.depth == 0) {
                    *last = Clock::in_comment(&text);
                }
            }
            Token::Symbol(word) if self.depth == 0 => return self.word(&word),
            Token::Symbol(_) | Token::Tag { .. } => {}
        }
        Ok(None)
    }

    fn word(&mut self, word: &str) -> Result<Option<PgnResult>, Reason> {
        if let Some(result) = PgnResult::parse(word) {
            return Ok(Some(result));
        }
        let ply = self.clocks.len() + 1;
        let text = without_move_number(word);
        if matches!(text, "--" | "Z0" | "0000" | "@@@@") {
            return Err(Reason::NullMove { ply });
        }
        if is_mark(text) {
            return Ok(None);
        }
        if ply > MAX_PLIES {
            return Err(Reason::TooManyPlies);
        }
        let played = self
            .game
            .position()
            .parse_san(text)
            .and_then(|mv| self.game.play(mv));
        played.map_err(|source| Reason::Move {
            ply,
            text: text.to_owned(),
            source,
        })?;
        self.clocks.push(None);
        Ok(None)
    }
}

/// `12.e4`, `12...e5`, `12` and `…e5` without their number.
fn without_move_number(word: &str) -> &str {
    let after_digits = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let after_dots = after_digits.trim_start_matches(['.', '…']);
    match after_dots.len() < after_digits.len() || after_digits.is_empty() {
        true => after_dots,
        // Digits without dots belong to the word: `0-0`.
        false => word,
    }
}

/// Whether a word says something about a move and is none: `$12`, `!?`, `+-`, `=`, `e.p.`, `N`.
fn is_mark(word: &str) -> bool {
    matches!(word, "" | "e.p." | "ep" | "N" | "D")
        || word.starts_with('$')
        || word.chars().all(|c| "!?+-=/#~^±∓⩲⩱∞□○⌓→↑⇄⟳⊕⇆".contains(c))
}

#[cfg(test)]
mod tests;
