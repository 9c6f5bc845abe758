//! Holding a revision against what it was made from, row by row.

use futures::{Stream, TryStreamExt as _};

use super::read::{Rows, SummaryRow};
use crate::ArchiveError;

/// How a row differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The revision lacks it.
    Lacking(String),
    /// The revision has it and the source does not.
    Unknown(String),
    /// They say different things.
    Changed(String),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lacking(key) => write!(f, "{key} is not in the summaries"),
            Self::Unknown(key) => write!(f, "{key} is only in the summaries"),
            Self::Changed(key) => write!(f, "{key} reads differently in the summaries"),
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Rows that are the same on both sides.
    pub same: u64,
    /// Rows that are not.
    pub different: u64,
    /// One of those.
    pub example: Option<Difference>,
}

impl Compared {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.different == 0
    }

    fn note(&mut self, difference: Difference) {
        self.different += 1;
        self.example.get_or_insert(difference);
    }
}

/// Compares a revision's rows with their source, both in key order. Takes the memory of a file.
///
/// # Errors
/// What reading either side says. Rows of the source that are out of order are found as differences.
pub async fn compare<R, E>(
    mut archived: Rows<R>,
    source: impl Stream<Item = Result<R, E>>,
) -> Result<Compared, E>
where
    R: SummaryRow,
    E: From<ArchiveError>,
{
    let mut source = std::pin::pin!(source);
    let mut found = Compared::default();
    let (mut ours, mut theirs) = (archived.next().await?, source.try_next().await?);
    loop {
        let order = match (&ours, &theirs) {
            (None, None) => return Ok(found),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(ours), Some(theirs)) => ours.key().cmp(&theirs.key()),
        };
        if order.is_eq() {
            if ours == theirs {
                found.same += 1;
            } else {
                found.note(Difference::Changed(name(ours.as_ref())));
            }
        } else if order.is_lt() {
            found.note(Difference::Unknown(name(ours.as_ref())));
        } else {
            found.note(Difference::Lacking(name(theirs.as_ref())));
        }
        if order.is_le() {
            ours = archived.next().await?;
        }
        if order.is_ge() {
            theirs = source.try_next().await?;
        }
    }
}

fn name<R: SummaryRow>(row: Option<&R>) -> String {
    row.map(|row| format!("{:?}", row.key()))
        .unwrap_or_default()
}
