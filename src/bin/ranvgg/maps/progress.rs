//! A progress bar, and Ctrl-C.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ranvgg::run::Preparation;
use ranvgg::{Control, Observer, Progress};

use super::Result;

/// Draws a bar, and stops a run at the first Ctrl-C.
pub(super) struct Bar {
    bar: ProgressBar,
    asked: Arc<AtomicBool>,
}

impl Bar {
    pub(super) fn new(quiet: bool) -> Result<Self> {
        let bar = match quiet {
            true => ProgressBar::hidden(),
            false => ProgressBar::no_length(),
        };
        let template = "{bar:32} {pos}/{len} evaluations, {msg}, {eta} left";
        bar.set_style(ProgressStyle::with_template(template)?);
        let asked = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&asked);
        ctrlc::set_handler(move || {
            // The second time leaves at once, with nothing half-written.
            if flag.swap(true, Ordering::SeqCst) {
                exit(130);
            }
        })?;
        Ok(Self { bar, asked })
    }

    /// Leaves the bar where it is: a run may end before its last evaluation.
    pub(super) fn end(&self) {
        self.bar.abandon();
    }
}

impl Observer for Bar {
    fn prepare(&mut self, _: &Preparation) {
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn observe(&mut self, progress: &Progress<'_>) -> Control {
        self.bar.disable_steady_tick();
        self.bar.set_length(progress.evaluations as u64);
        self.bar.set_position(progress.evaluation as u64);
        self.bar.set_message(format!(
            "scale {}/{} ({}), loss {:.3e}",
            progress.scale + 1,
            progress.scales,
            progress.size,
            progress.loss()
        ));
        match self.asked.load(Ordering::SeqCst) {
            true => Control::Stop,
            false => Control::Continue,
        }
    }
}
