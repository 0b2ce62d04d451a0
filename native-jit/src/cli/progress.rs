//! A bar for work that takes longer than a second, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Shorter work is over before a bar is read.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far the work is.
pub(crate) struct Progress {
    total: u64,
    /// What is counted.
    what: &'static str,
    done: u64,
    wanted: bool,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing done yet of `total`. Nothing is ever shown unless `wanted` and somebody sees standard error.
    pub(crate) fn new(total: u64, what: &'static str, wanted: bool) -> Self {
        let wanted = wanted && std::io::stderr().is_terminal();
        Progress { total, what, done: 0, wanted, started: Instant::now(), bar: None }
    }

    /// One more is done.
    pub(crate) fn advance(&mut self) {
        self.reached(self.done + 1);
    }

    /// So much is done.
    pub(crate) fn reached(&mut self, done: u64) {
        self.done = done;
        if !self.wanted {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.started.elapsed() > PATIENCE {
            let template = format!("{{bar:40}} {{percent}}% of {{len}} {}, {{eta}} left", self.what);
            let style = ProgressStyle::with_template(&template);
            let bar = ProgressBar::new(self.total);
            self.bar = Some(match style {
                Ok(style) => bar.with_style(style),
                // The library's own style is as good a bar.
                Err(_) => bar,
            });
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
