//! A table of figures with the aims beside them, and how figures are told in it.

use std::fmt::{Display, Write};

/// Rows of a name, a figure and an aim.
pub(super) struct Table(String);

impl Table {
    /// A table that has its head.
    pub(super) fn new() -> Self {
        let mut table = Self(String::new());
        table.row("", "measured", "aim");
        table
    }

    /// Appends a row. An empty aim is none.
    pub(super) fn row(&mut self, name: &str, figure: impl Display, aim: &str) {
        // Writing to a String can't fail.
        let _ = writeln!(self.0, "{name:<52} {figure:>16}   {aim}");
    }

    /// The table as it is printed.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A figure of `records` records, for each million of them.
pub(super) fn per_million(value: f64, records: u64) -> f64 {
    value * 1e6 / records.max(1) as f64
}

/// Without a fraction.
pub(super) fn rounded(value: f64) -> String {
    format!("{value:.0}")
}

/// With two digits behind the point.
pub(super) fn two(value: f64) -> String {
    format!("{value:.2}")
}

/// Bytes in megabytes.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}
