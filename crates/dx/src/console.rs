//! What `cargo dx` says: results on standard output, progress and remarks on standard error.
//!
//! A step is a spinner on a terminal and nothing elsewhere, so that logs of a pipeline hold results only. Steps may be drawn from
//! several tasks at once; [`say`] and [`remark`] never tear a spinner apart.

use std::fmt::Display;
use std::io::Write;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Prints one line of a result.
pub(crate) fn say(line: impl Display) {
    // A reader that has seen enough, such as `head`, is no fault.
    let _ = BARS.suspend(|| writeln!(std::io::stdout(), "{line}"));
}

/// Prints one line that is not part of the result.
pub(crate) fn remark(line: impl Display) {
    let _ = BARS.suspend(|| writeln!(std::io::stderr(), "{line}"));
}

/// Something that takes a while. Ends with [`Step::done`]; dropped before that, it leaves nothing on the screen.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    started: Instant,
    bar: ProgressBar,
}

impl Step {
    /// Begins to show that `name` is `doing` something.
    pub(crate) fn start(name: &str, doing: &str) -> Self {
        let bar = BARS.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:12} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.set_message(doing.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            name: name.to_owned(),
            started: Instant::now(),
            bar,
        }
    }

    /// Changes what the step is said to be doing.
    pub(crate) fn doing(&self, doing: &str) {
        self.bar.set_message(doing.to_owned());
    }

    /// Replaces the spinner by one line with the outcome and the time it took.
    pub(crate) fn done(self, outcome: impl Display) {
        self.bar.finish_and_clear();
        let took = self.started.elapsed().as_secs_f32();
        remark(format_args!("  {:12} {outcome} ({took:.1} s)", self.name));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.bar.is_finished() {
            self.bar.finish_and_clear();
        }
    }
}
