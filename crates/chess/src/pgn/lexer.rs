//! From bytes to the words of PGN: tags, comments, parentheses, symbols. Knows no chess.
//!
//! Every call takes at least one byte or says that there are none, so reading always ends; nothing longer than the limits
//! below is ever held.

use std::io::Read;

use super::Reason;
use super::source::Source;

/// The longest name of a tag, in bytes.
const MAX_TAG_NAME: usize = 100;
/// The longest value of a tag, in bytes.
const MAX_TAG_VALUE: usize = 4_096;
/// The longest word of the movetext, in bytes.
const MAX_SYMBOL: usize = 64;
/// How much of a comment is kept, in bytes; the rest is passed over.
const MAX_COMMENT: usize = 64 * 1024;
/// What begins the next game even where a comment has been left open.
const NEXT_GAME: &[u8] = b"[Event \"";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Tag {
        name: String,
        value: String,
    },
    Comment(String),
    Open,
    Close,
    /// A move, a move number, a result, or a mark such as `!?` or `$5`.
    Symbol(String),
}

pub(super) struct Lexer<R> {
    source: Source<R>,
}

impl<R: Read> Lexer<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            source: Source::new(reader),
        }
    }

    /// The line of the next byte.
    pub(super) fn line(&self) -> u64 {
        self.source.line
    }

    /// The next token; `None` at the end of the file. After an error, the call may be repeated.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Reason> {
        loop {
            let at_line_start = self.source.at_line_start;
            let Some(byte) = self.source.peek()? else {
                return Ok(None);
            };
            match byte {
                b'%' if at_line_start => self.source.skip_line()?,
                0xef | 0xfe | 0xff if at_line_start => self.byte_order_mark()?,
                b'.' | b' ' | b'\t' | b'\n' | 0x0b | 0x0c => self.source.take(byte),
                b';' => {
                    self.source.take(byte);
                    return self.line_comment().map(Some);
                }
                b'{' => return self.comment().map(Some),
                b'(' => {
                    self.source.take(byte);
                    return Ok(Some(Token::Open));
                }
                b')' => {
                    self.source.take(byte);
                    return Ok(Some(Token::Close));
                }
                b'[' => return self.tag().map(Some),
                b'*' => {
                    self.source.take(byte);
                    return Ok(Some(Token::Symbol("*".to_owned())));
                }
                _ => return self.symbol().map(Some),
            }
        }
    }

    /// A UTF-8 mark is passed over wherever files were joined; UTF-16 is named for what it is.
    fn byte_order_mark(&mut self) -> Result<(), Reason> {
        match *self.source.lookahead(3)? {
            [0xef, 0xbb, 0xbf] => {
                for byte in [0xef, 0xbb, 0xbf] {
                    self.source.take(byte);
                }
                // The mark does not count as the line's first byte.
                self.source.at_line_start = true;
                Ok(())
            }
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                self.source.take(0xff);
                Err(Reason::Utf16)
            }
            [byte, ..] => {
                self.source.take(byte);
                Err(Reason::Unexpected(char::from(byte)))
            }
            [] => Ok(()),
        }
    }

    fn line_comment(&mut self) -> Result<Token, Reason> {
        let mut text = Vec::new();
        while let Some(byte) = self.source.peek()? {
            if byte == b'\n' {
                break;
            }
            self.source.take(byte);
            if text.len() < MAX_COMMENT {
                text.push(byte);
            }
        }
        Ok(Token::Comment(decode(text)))
    }

    fn comment(&mut self) -> Result<Token, Reason> {
        let opened = self.source.line;
        self.source.take(b'{');
        let mut text = Vec::new();
        loop {
            if self.source.at_line_start && self.source.lookahead(NEXT_GAME.len())? == NEXT_GAME {
                return Err(Reason::OpenComment { opened });
            }
            match self.source.next()? {
                None => return Err(Reason::OpenComment { opened }),
                Some(b'}') => return Ok(Token::Comment(decode(text))),
                Some(byte) if text.len() < MAX_COMMENT => text.push(byte),
                Some(_) => {}
            }
        }
    }

    /// `[Name "value"]`, with `\"` and `\\` in the value. A quote that no bracket follows is taken for part of the value.
    fn tag(&mut self) -> Result<Token, Reason> {
        self.source.take(b'[');
        self.skip_blanks()?;
        let mut name = Vec::new();
        while let Some(byte) = self
            .source
            .peek()?
            .filter(|b| b.is_ascii_alphanumeric() || *b == b'_')
        {
            self.source.take(byte);
            if name.len() == MAX_TAG_NAME {
                self.source.skip_line()?;
                return Err(Reason::TooLong {
                    what: "tag name",
                    most: MAX_TAG_NAME,
                });
            }
            name.push(byte);
        }
        self.skip_blanks()?;
        if name.is_empty() || self.source.peek()? != Some(b'"') {
            self.source.skip_line()?;
            return Err(Reason::Tag);
        }
        self.source.take(b'"');
        let value = self.tag_value()?;
        Ok(Token::Tag {
            name: decode(name),
            value,
        })
    }

    fn tag_value(&mut self) -> Result<String, Reason> {
        let mut value = Vec::new();
        loop {
            let Some(byte) = self.source.peek()?.filter(|b| *b != b'\n') else {
                return Err(Reason::Tag);
            };
            self.source.take(byte);
            match byte {
                b'"' if self.closes_tag()? => return Ok(decode(value)),
                b'\\' => match self.source.peek()? {
                    Some(escaped @ (b'"' | b'\\')) => {
                        self.source.take(escaped);
                        value.push(escaped);
                    }
                    _ => value.push(byte),
                },
                _ => value.push(byte),
            }
            if value.len() > MAX_TAG_VALUE {
                self.source.skip_line()?;
                return Err(Reason::TooLong {
                    what: "tag value",
                    most: MAX_TAG_VALUE,
                });
            }
        }
    }

    /// Takes blanks and a bracket if that is what comes next, else nothing.
    fn closes_tag(&mut self) -> Result<bool, Reason> {
        let ahead = self.source.lookahead(16)?;
        let blanks = ahead
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        let closes = ahead.get(blanks) == Some(&b']');
        if closes {
            for _ in 0..blanks {
                self.source.take(b' ');
            }
            self.source.take(b']');
        }
        Ok(closes)
    }

    fn skip_blanks(&mut self) -> Result<(), Reason> {
        while let Some(byte @ (b' ' | b'\t')) = self.source.peek()? {
            self.source.take(byte);
        }
        Ok(())
    }

    fn symbol(&mut self) -> Result<Token, Reason> {
        let mut text = Vec::new();
        while let Some(byte) = self.source.peek()? {
            // A promotion may stand in parentheses, as in `e8(Q)`; every other parenthesis is a variation's.
            let promotes =
                byte == b'(' && matches!(text.last(), Some(b'1' | b'8')) && self.is_promotion()?;
            if promotes {
                for _ in 0..3 {
                    text.extend(self.source.next()?);
                }
                continue;
            }
            let ends = byte.is_ascii_whitespace()
                || b"{}()[];\"*<>".contains(&byte)
                || byte.is_ascii_control();
            if ends {
                break;
            }
            self.source.take(byte);
            if text.len() == MAX_SYMBOL {
                return Err(Reason::TooLong {
                    what: "word",
                    most: MAX_SYMBOL,
                });
            }
            text.push(byte);
        }
        if text.is_empty() {
            let byte = self.source.next()?.unwrap_or_default();
            return Err(Reason::Unexpected(char::from(byte)));
        }
        Ok(Token::Symbol(decode(text)))
    }

    fn is_promotion(&mut self) -> Result<bool, Reason> {
        let ahead = self.source.lookahead(3)?;
        Ok(matches!(ahead, [b'(', b'Q' | b'R' | b'B' | b'N', b')']))
    }
}

/// UTF-8, or Latin-1 where it is not: PGN's older files are.
fn decode(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().iter().map(|&b| char::from(b)).collect())
}
