//! What a comparison is about, and how a value that differs is shown to a person.

use super::report::{Difference, Fault};
use super::time::show_us;

/// The row that is compared. Borrows everything: millions of rows are right and none of them is described.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) table: &'static str,
    pub(super) game_id: Option<&'a str>,
    pub(super) player_id: Option<&'a str>,
    pub(super) partition: i32,
    pub(super) offset: Option<i64>,
}

impl About<'_> {
    fn subject(&self) -> String {
        match (self.game_id, self.player_id, self.offset) {
            (Some(game), Some(player), _) => format!("player {player} in game {game}"),
            (Some(game), None, _) => format!("game {game}"),
            (None, _, Some(offset)) => format!("record {}:{offset}", self.partition),
            (None, _, None) => format!("partition {}", self.partition),
        }
    }

    /// The difference of this fault, without field and values.
    pub(super) fn fault(&self, fault: Fault) -> Difference {
        Difference {
            table: self.table,
            fault,
            subject: self.subject(),
            game_id: self.game_id.map(str::to_owned),
            partition: Some(self.partition),
            offset: self.offset,
            field: None,
            expected: None,
            found: None,
        }
    }

    /// A field that differs, in words.
    pub(super) fn differs(&self, field: &str, expected: String, found: String) -> Difference {
        Difference {
            field: Some(field.to_owned()),
            expected: Some(expected),
            found: Some(found),
            ..self.fault(Fault::Differs)
        }
    }

    /// Notes a field whose values are not the same.
    pub(super) fn same<T: Shown + PartialEq>(
        &self,
        out: &mut Vec<Difference>,
        field: &str,
        expected: T,
        found: T,
    ) {
        if expected != found {
            out.push(self.differs(field, expected.shown(), found.shown()));
        }
    }
}

/// A value as a person reads it.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

/// Microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Micros(pub(super) i64);

impl Micros {
    pub(super) fn of_ms(ms: i64) -> Self {
        Self(ms * 1000)
    }
}

impl Shown for Micros {
    fn shown(&self) -> String {
        show_us(self.0)
    }
}

impl Shown for &str {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for &[u8] {
    fn shown(&self) -> String {
        match std::str::from_utf8(self) {
            Ok(text) => format!("{text:?}"),
            Err(_) => format!("bytes {self:02x?}"),
        }
    }
}

impl Shown for Vec<&str> {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref()
            .map_or_else(|| "nothing".to_owned(), Shown::shown)
    }
}
