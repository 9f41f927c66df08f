//! How far a run is: a bar in a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ranvgg::run::Preparation;
use ranvgg::{Control, Observer, Progress};

use crate::failure::Result;
use crate::terminal;

/// From one line to the next, where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Shows how far a run is. Clones show the same run.
#[derive(Clone)]
pub(crate) struct Meter {
    bar: ProgressBar,
    preparing: ProgressStyle,
    running: ProgressStyle,
    /// When the last line was printed; none where a bar is drawn, or nothing wanted.
    lines: Option<Instant>,
}

impl Meter {
    pub(crate) fn new(quiet: bool) -> Result<Self> {
        let drawn = !quiet && stderr().is_terminal();
        let target = match drawn {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Ok(Self {
            bar: ProgressBar::with_draw_target(None, target),
            preparing: ProgressStyle::with_template("{prefix}{spinner} {msg}, {elapsed}")?,
            running: ProgressStyle::with_template(
                "{prefix}{bar:32} {pos}/{len} evaluations, {msg}, {eta} left",
            )?,
            lines: (!quiet && !drawn).then(Instant::now),
        })
    }

    /// What is being made, of several.
    pub(crate) fn item(&self, name: &str) {
        self.bar.set_prefix(format!("{name} "));
    }

    /// A line above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| terminal::say(line));
    }

    /// Leaves the bar where it is: a run may end before its last evaluation.
    pub(crate) fn ended(&self) {
        if !self.bar.is_finished() {
            self.bar.abandon();
        }
    }
}

impl Observer for Meter {
    fn prepare(&mut self, preparation: &Preparation) {
        if preparation.scale == 0 {
            self.bar.reset();
        }
        self.bar.set_style(self.preparing.clone());
        self.bar.set_message(format!(
            "preparing scale {}/{} ({})",
            preparation.scale + 1,
            preparation.scales,
            preparation.size
        ));
        // On a GPU that compiles and tunes kernels this may take minutes: something has to move.
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn observe(&mut self, progress: &Progress<'_>) -> Control {
        let bar = &self.bar;
        bar.disable_steady_tick();
        bar.set_style(self.running.clone());
        bar.set_length(progress.evaluations as u64);
        bar.set_position(progress.evaluation as u64);
        let message = format!(
            "scale {}/{} ({}), loss {:.3e}",
            progress.scale + 1,
            progress.scales,
            progress.size,
            progress.loss()
        );
        if let Some(last) = self.lines.filter(|last| last.elapsed() >= BETWEEN_LINES) {
            let (done, all) = (progress.evaluation, progress.evaluations);
            let prefix = bar.prefix();
            terminal::say(&format!("{prefix}{done}/{all} evaluations, {message}"));
            self.lines = Some(last.max(Instant::now()));
        }
        bar.set_message(message);
        if progress.evaluation == progress.evaluations {
            bar.finish();
        }
        Control::Continue
    }
}
