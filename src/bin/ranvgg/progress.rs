//! How far a run is: a bar in a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use ranvgg::run::{Forecast, Preparation};
use ranvgg::{Control, Observer, Progress};

use crate::failure::Result;
use crate::terminal;

/// From one line to the next, where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Lines now and then, where no bar can be drawn.
#[derive(Clone)]
pub(crate) struct Lines(Option<Instant>);

impl Lines {
    /// None where they are not wanted, or a terminal shows a bar.
    pub(crate) fn new(quiet: bool) -> Self {
        Self((!quiet && !stderr().is_terminal()).then(Instant::now))
    }

    /// Whether it is time for the next one.
    pub(crate) fn due(&mut self) -> bool {
        let due = self.0.is_some_and(|last| last.elapsed() >= BETWEEN_LINES);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

/// Where bars are drawn.
fn target(quiet: bool) -> ProgressDrawTarget {
    match !quiet && stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    }
}

/// Shows how far a run is. Clones show the same run.
#[derive(Clone)]
pub(crate) struct Meter {
    bar: ProgressBar,
    preparing: ProgressStyle,
    running: ProgressStyle,
    lines: Lines,
    quiet: bool,
    /// What was said of savings of memory.
    saving: String,
    /// All bars, where there are several below one another.
    bars: Option<MultiProgress>,
}

impl Meter {
    pub(crate) fn new(quiet: bool) -> Result<Self> {
        Ok(Self {
            bar: ProgressBar::with_draw_target(None, target(quiet)),
            preparing: ProgressStyle::with_template("{prefix}{spinner} {msg}, {elapsed}")?,
            running: ProgressStyle::with_template(
                "{prefix}{bar:32} {pos}/{len} evaluations, {msg}, {eta} left",
            )?,
            lines: Lines::new(quiet),
            quiet,
            saving: String::new(),
            bars: None,
        })
    }

    /// What a long run should take, and what it does for its memory, when that changes.
    fn say_what_is_to_come(&mut self, preparation: &Preparation) {
        if self.quiet {
            return;
        }
        if let Some(Forecast { time, memory, .. }) = preparation.forecast {
            let time = HumanDuration(time);
            self.say(&format!("about {time} and {} of memory", ByteSize(memory)));
        }
        let saving = preparation.saving.to_string();
        if !saving.is_empty() && saving != self.saving {
            self.say(&format!("to save memory: {saving}"));
        }
        self.saving = saving;
    }

    /// As many meters of runs side by side, whose bars are below one another.
    pub(crate) fn side_by_side(quiet: bool, count: usize) -> Result<Vec<Self>> {
        let meters: Result<Vec<Self>> = (0..count).map(|_| Self::new(quiet)).collect();
        let mut meters = meters?;
        if count > 1 {
            let bars = MultiProgress::with_draw_target(target(quiet));
            for meter in &mut meters {
                meter.bar = bars.add(meter.bar.clone());
                meter.bars = Some(bars.clone());
            }
        }
        Ok(meters)
    }

    /// What is being made, of several.
    pub(crate) fn item(&self, name: &str) {
        self.bar.set_prefix(format!("{} ", terminal::visible(name)));
    }

    /// A line above the bar of a run, or below that of one that has ended.
    pub(crate) fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| terminal::say(line)),
            None if self.bar.is_finished() => terminal::say(line),
            None => self.bar.suspend(|| terminal::say(line)),
        }
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
            self.saving.clear();
        }
        self.say_what_is_to_come(preparation);
        self.bar.set_style(self.preparing.clone());
        let message = format!(
            "preparing scale {}/{} ({})",
            preparation.scale + 1,
            preparation.scales,
            preparation.size
        );
        if self.lines.due() {
            terminal::say(&format!("{}{message}", self.bar.prefix()));
        }
        self.bar.set_message(message);
        // On a GPU that compiles and tunes kernels this may take minutes: something has to move. It takes a thread.
        if !self.bar.is_hidden() {
            self.bar.enable_steady_tick(Duration::from_millis(120));
        }
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
        if self.lines.due() {
            let (done, all) = (progress.evaluation, progress.evaluations);
            let prefix = bar.prefix();
            terminal::say(&format!("{prefix}{done}/{all} evaluations, {message}"));
        }
        bar.set_message(message);
        if progress.evaluation == progress.evaluations {
            bar.finish();
        }
        Control::Continue
    }
}
