//! A small JSON reader that looks only where it is told to.
//!
//! It checks the grammar of RFC 8259 over a whole text without recursion, so a hundred thousand brackets in a field nobody
//! knows cost memory and no stack, and hands out members and items as slices of the text. Numbers are read as whole numbers
//! or not at all. Nothing here knows what an event is; nothing is shared with the reader of the projection.

use std::borrow::Cow;

/// Why a text is not the JSON that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

type Read<T> = Result<T, Malformed>;

/// The members of a JSON object in their order, names unescaped, values as they stand in the text.
///
/// # Errors
/// When the text is not one JSON object and nothing else.
pub(super) fn members(text: &str) -> Read<Vec<(Cow<'_, str>, &str)>> {
    let mut scan = Scan { text, at: 0 };
    let mut members = Vec::with_capacity(8);
    scan.open(b'{', "not a JSON object")?;
    while !scan.closes(b'}', members.is_empty())? {
        scan.space();
        let name = string(scan.one(Scan::string)?)?;
        scan.space();
        scan.expect(b':')?;
        scan.space();
        members.push((name, scan.one(Scan::value)?));
    }
    scan.end()?;
    Ok(members)
}

/// The items of a JSON list, as they stand in the text.
///
/// # Errors
/// When the text is not one JSON list and nothing else.
pub(super) fn items(text: &str) -> Read<Vec<&str>> {
    let mut scan = Scan { text, at: 0 };
    let mut items = Vec::new();
    scan.open(b'[', "not a JSON list")?;
    while !scan.closes(b']', items.is_empty())? {
        scan.space();
        items.push(scan.one(Scan::value)?);
    }
    scan.end()?;
    Ok(items)
}

/// The text of a JSON string.
///
/// # Errors
/// When it is no JSON string, or one whose escapes are no characters, such as half a surrogate pair.
pub(super) fn string(raw: &str) -> Read<Cow<'_, str>> {
    let body = raw
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let body = body.ok_or(Malformed("not a JSON string"))?;
    if !body.contains('\\') {
        return Ok(Cow::Borrowed(body));
    }
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(place) = rest.find('\\') {
        text.push_str(&rest[..place]);
        let (character, after) = escape(&rest[place + 1..])?;
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// The character of an escape and what follows it; `rest` begins after the backslash.
fn escape(rest: &str) -> Read<(char, &str)> {
    let kind = rest
        .chars()
        .next()
        .ok_or(Malformed("an escape without an end"))?;
    let simple = match kind {
        '"' | '\\' | '/' => kind,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode(&rest[1..]),
        _ => return Err(Malformed("an unknown escape")),
    };
    Ok((simple, &rest[1..]))
}

fn unicode(rest: &str) -> Read<(char, &str)> {
    let (first, after) = hex(rest)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, after));
    }
    let lone = Malformed("half a surrogate pair");
    let (second, after) = hex(after.strip_prefix("\\u").ok_or(lone)?)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return Err(lone);
    }
    let joined = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::from_u32(joined).ok_or(lone)?, after))
}

fn hex(rest: &str) -> Read<(u32, &str)> {
    let digits = rest
        .get(..4)
        .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    let digits = digits.ok_or(Malformed("an escape without four digits"))?;
    let number = u32::from_str_radix(digits, 16)
        .map_err(|_digits| Malformed("an escape without four digits"))?;
    Ok((number, &rest[4..]))
}

/// A whole number: no fraction, no exponent, no negative zero, within 64 bits.
///
/// # Errors
/// When it is anything else.
pub(super) fn integer(raw: &str) -> Read<i64> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || raw == "-0" {
        return Err(Malformed("not a whole number"));
    }
    raw.parse()
        .map_err(|_range| Malformed("not a number of 64 bits"))
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        if self.peek() != Some(byte) {
            return Err(Malformed("not JSON: a sign is missing"));
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, bracket: u8, otherwise: &'static str) -> Read<()> {
        self.space();
        self.expect(bracket).map_err(|_sign| Malformed(otherwise))
    }

    /// Whether the list or object closes here; if not, the comma before its next part has been read.
    fn closes(&mut self, bracket: u8, empty: bool) -> Read<bool> {
        self.space();
        if self.peek() == Some(bracket) {
            self.at += 1;
            return Ok(true);
        }
        if !empty {
            self.expect(b',')?;
        }
        Ok(false)
    }

    fn end(&mut self) -> Read<()> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Malformed("not JSON: something follows its end")),
        }
    }

    /// The slice that one reading step passes over.
    fn one(&mut self, step: fn(&mut Self) -> Read<()>) -> Read<&'a str> {
        let start = self.at;
        step(self)?;
        Ok(&self.text[start..self.at])
    }

    /// Passes over one value of any kind and depth.
    fn value(&mut self) -> Read<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.space();
            let begun = match self.peek() {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => {
                    self.scalar()?;
                    None
                }
            };
            if let Some(close) = begun {
                self.at += 1;
                open.push(close);
            }
            let mut empty = begun.is_some();
            while let Some(close) = open.last().copied() {
                if !self.closes(close, empty)? {
                    break;
                }
                open.pop();
                empty = false;
            }
            match open.last() {
                None => return Ok(()),
                Some(b'}') => {
                    self.space();
                    self.string()?;
                    self.space();
                    self.expect(b':')?;
                }
                Some(_) => {}
            }
        }
    }

    fn scalar(&mut self) -> Read<()> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let rest = &self.text[self.at..];
                let word = ["null", "true", "false"]
                    .into_iter()
                    .find(|w| rest.starts_with(w));
                self.at += word.ok_or(Malformed("not JSON: a value is missing"))?.len();
                Ok(())
            }
        }
    }

    fn string(&mut self) -> Read<()> {
        self.expect(b'"')?;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escaped()?,
                Some(0..=0x1f) | None => return Err(Malformed("a string without an end")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escaped(&mut self) -> Read<()> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        let length = match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|d| d.is_ascii_hexdigit()) => 6,
            _ => return Err(Malformed("an unknown escape")),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Read<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(Malformed("not a number"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Option<Vec<String>> {
        let members = members(text).ok()?;
        Some(
            members
                .into_iter()
                .map(|(name, raw)| format!("{name}={raw}"))
                .collect(),
        )
    }

    #[test]
    fn an_object_gives_its_members_as_they_stand() {
        let text = " {\"a\" : 1.0e5 , \"b\\u0063\":{\"x\":[1,{}]},\"d\":\"\\\"\"} \n";
        assert_eq!(
            names(text).unwrap(),
            ["a=1.0e5", "bc={\"x\":[1,{}]}", "d=\"\\\"\""]
        );
        assert_eq!(names("{}").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "[]",
            "null",
            "{,}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1}x",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e}",
            "{\"a\":+1}",
            "{\"a\":tru}",
            "{\"a\":[1 2]}",
            "{\"a\":[1,]}",
            "{\"a\":[}]",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "\u{feff}{}",
            "{\"a\":{\"b\" 1}}",
            "{\"a\":{1:1}}",
            "{\"\\ud800\":1}",
            "{\"a\":-}",
            "{\"a\":NaN}",
        ] {
            assert!(members(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hundred_thousand_brackets_are_passed_over() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&deep).unwrap().len(), 1);
        let deep = format!(
            "{{\"a\":{}1{}}}",
            "{\"x\":".repeat(100_000),
            "}".repeat(100_000)
        );
        assert_eq!(members(&deep).unwrap().len(), 1);
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(string(r#""a\u00e9\ud83d\ude00\n\/""#).unwrap(), "aé😀\n/");
        for bad in [
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\udc00\ud800""#,
            "1",
            "null",
        ] {
            assert!(string(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_whole_or_refused() {
        assert_eq!(integer("-12"), Ok(-12));
        assert_eq!(integer("9223372036854775807"), Ok(i64::MAX));
        for bad in [
            "1.0",
            "1e2",
            "-0",
            "9223372036854775808",
            "\"1\"",
            "null",
            "-",
        ] {
            assert!(integer(bad).is_err(), "{bad}");
        }
    }
}
