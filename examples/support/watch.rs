//! A progress bar, and Ctrl-C.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ranvgg::run::Preparation;
use ranvgg::{Control, Observer, Progress};

use super::Result;

/// Draws a progress bar, and stops a run at the first Ctrl-C.
pub(crate) struct Watch {
    pub(super) asked: Box<dyn Fn() -> bool>,
    pub(super) bar: ProgressBar,
    pub(super) preparing: ProgressStyle,
    pub(super) running: ProgressStyle,
}

impl Observer for Watch {
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
        bar.set_message(format!(
            "scale {}/{} ({}), loss {:.3e}",
            progress.scale + 1,
            progress.scales,
            progress.size,
            progress.loss()
        ));
        if progress.evaluation == progress.evaluations {
            bar.finish();
        }
        if (self.asked)() {
            bar.abandon_with_message("stopped; the picture so far is kept");
            return Control::Stop;
        }
        Control::Continue
    }
}

impl Watch {
    /// Leaves the bar where it is: a run may end before its last evaluation.
    pub(crate) fn ended(&self) {
        if !self.bar.is_finished() {
            self.bar.abandon();
        }
    }
}

/// Whether Ctrl-C was pressed since; the second time leaves at once, with nothing half-written.
pub(crate) fn interrupts() -> Result<impl Fn() -> bool> {
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            exit(130);
        }
    })?;
    Ok(move || asked.load(Ordering::SeqCst))
}
