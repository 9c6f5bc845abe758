//! The picture: how fast the backlog went down, how the steady stream was kept up with, and when each watched game was readable.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, anyhow};
use plotters::prelude::*;

use super::report::{Report, Steady};
use super::watch::Sample;

const SIZE: (u32, u32) = (960, 1_020);
const TEXT: (&str, u32) = ("sans-serif", 14);
const TITLE: (&str, u32) = ("sans-serif", 18);
/// Rates are told over so many looks, a second or so.
const WINDOW: usize = 10;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws what the report has.
///
/// # Errors
/// The file can't be written.
pub(super) fn draw(report: &Report, file: &Path) -> anyhow::Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let areas = root.split_evenly((3, 1));
    if let (Some(catch_up), Some(fold), [area, ..]) = (&report.catch_up, &report.fold, &areas[..]) {
        let line = (
            "decode and fold in memory, one thread",
            fold.per_second() / 1e3,
        );
        let series = [(
            "committed",
            rates(&catch_up.samples, |sample| sample.committed),
        )];
        rate_chart(
            area,
            "Catching up on a backlog: thousand records a second",
            &series,
            Some(line),
        )?;
    }
    if let (Some(steady), [_, rate, seen]) = (&report.steady, &areas[..]) {
        let series = [
            (
                "published",
                rates(&steady.samples, |sample| sample.produced),
            ),
            (
                "committed",
                rates(&steady.samples, |sample| sample.committed),
            ),
        ];
        rate_chart(
            rate,
            "A steady stream: thousand records a second",
            &series,
            None,
        )?;
        visibility_chart(seen, steady)?;
    }
    root.present()
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Draws rates over time alone, with a line to compare them with.
///
/// # Errors
/// The file can't be written.
pub(super) fn one_rate_chart(
    file: &Path,
    title: &str,
    series: &[(&str, Vec<(f64, f64)>)],
    line: (&str, f64),
) -> anyhow::Result<()> {
    let root = SVGBackend::new(file, (SIZE.0, SIZE.1 / 3)).into_drawing_area();
    root.fill(&WHITE)?;
    rate_chart(&root, title, series, Some(line))?;
    root.present()
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Thousand records a second over time in seconds.
pub(super) fn rates(samples: &[Sample], of: impl Fn(&Sample) -> i64) -> Vec<(f64, f64)> {
    let Some(first) = samples.first() else {
        return Vec::new();
    };
    let pairs = samples.iter().zip(samples.iter().skip(WINDOW));
    pairs
        .map(|(from, to)| {
            let seconds = (to.at - from.at).as_secs_f64().max(1e-3);
            (
                (to.at - first.at).as_secs_f64(),
                (of(to) - of(from)) as f64 / seconds / 1e3,
            )
        })
        .collect()
}

fn rate_chart(
    area: &Area<'_>,
    title: &str,
    series: &[(&str, Vec<(f64, f64)>)],
    line: Option<(&str, f64)>,
) -> anyhow::Result<()> {
    let points = || series.iter().flat_map(|(_, points)| points);
    let until = points().map(|(at, _)| *at).fold(1.0, f64::max);
    let most = points()
        .map(|(_, rate)| *rate)
        .chain(line.map(|(_, rate)| rate))
        .fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, TITLE)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..until, 0.0..most * 1.1)
        .map_err(fault)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .label_style(TEXT)
        .light_line_style(WHITE)
        .draw()
        .map_err(fault)?;
    for ((name, points), colour) in series.iter().zip([BLUE, RED]) {
        let drawn = chart
            .draw_series(LineSeries::new(
                points.iter().copied(),
                colour.stroke_width(2),
            ))
            .map_err(fault)?;
        drawn
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    if let Some((name, rate)) = line {
        let flat = LineSeries::new([(0.0, rate), (until, rate)], BLACK.mix(0.5));
        let drawn = chart.draw_series(flat).map_err(fault)?;
        drawn
            .label(name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.mix(0.5)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .label_font(TEXT)
        .draw()
        .map_err(fault)
}

fn visibility_chart(area: &Area<'_>, steady: &Steady) -> anyhow::Result<()> {
    let began: Option<Instant> = steady.samples.first().map(|sample| sample.at);
    let began = began.context("the steady stream was not looked at")?;
    let games: Vec<(f64, f64)> = steady
        .seen
        .games
        .iter()
        .map(|(ended, time)| {
            (
                ended.saturating_duration_since(began).as_secs_f64(),
                time.as_secs_f64() * 1e3,
            )
        })
        .collect();
    let until = games.iter().map(|(at, _)| *at).fold(1.0, f64::max);
    let most = games.iter().map(|(_, time)| *time).fold(100.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(
            "The same stream: milliseconds from a game's end until it is readable over HTTP",
            TITLE,
        )
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..until, 0.0..most * 1.1)
        .map_err(fault)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .label_style(TEXT)
        .light_line_style(WHITE)
        .draw()
        .map_err(fault)?;
    chart
        .draw_series(
            games
                .iter()
                .map(|point| Circle::new(*point, 2, BLUE.mix(0.5).filled())),
        )
        .map_err(fault)?;
    if let Some([p50, _, p99, _]) = steady.seen.quantiles() {
        for (name, time, colour) in [("p50", p50, GREEN), ("p99", p99, RED)] {
            let time = time as f64;
            let drawn = chart
                .draw_series(LineSeries::new([(0.0, time), (until, time)], colour))
                .map_err(fault)?;
            drawn
                .label(format!("{name}: {time:.0} ms"))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .label_font(TEXT)
            .draw()
            .map_err(fault)?;
    }
    Ok(())
}

/// The drawing library's errors borrow from what they drew on.
fn fault(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("the picture can't be drawn: {error}")
}
