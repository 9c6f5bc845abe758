//! The picture: how fast each archiver took the backlog, beside half of what one can read at all.

use std::path::Path;

use super::report::Report;
use crate::bench::plot;

/// Draws what the report has.
///
/// # Errors
/// The file can't be written.
pub(super) fn draw(report: &Report, file: &Path) -> anyhow::Result<()> {
    let taken = |samples: &[_]| plot::rates(samples, |sample| sample.committed);
    let mut series = vec![("Parquet, one core", taken(&report.parquet.samples))];
    if let Some(jsonl) = &report.jsonl {
        series.push(("JSON Lines, all cores", taken(&jsonl.samples)));
    }
    let half = ("half of a raw consume", report.raw.per_second() / 2.0 / 1e3);
    let title = "Archiving a backlog: thousand records taken a second";
    plot::one_rate_chart(file, title, &series, half)
}
